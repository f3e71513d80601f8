"""Exports that number their nodes: the ids are read with the nodes, and resolved where relationships use them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from kg.readers.roles import key_of

NODE_LISTS = frozenset({"node", "nodes", "entities", "vertices"})
LINK_LISTS = frozenset({"link", "links", "edges", "relationships", "rels"})

_ID_WORDS = ("id", "node_id", "nodeid", "identity", "code", "编号", "节点编号", "实体编号")
_BY_ID = frozenset(
    f"{end}{suffix}"
    for end in ("start", "end", "source", "target", "from", "to", "head", "tail")
    for suffix in ("_id", "")
) - {"head", "tail"}
_ADMIN_ID = re.compile(r":ID\s*(?:\((?P<space>[^)]*)\))?\s*$", re.IGNORECASE)
_SPACE = re.compile(r"\((?P<space>[^)]*)\)\s*$")


class Node(NamedTuple):
    """What an id stands for; the type as the file writes it, None where it gives none."""

    name: str
    type: str | None


class Nodes:
    """The nodes read so far, by id; ids of different spaces (`:ID(Drug)`) are different ids."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[str, str], Node] = {}

    def add(self, number: Any, node: Node, space: str = "") -> None:
        """Take a node; ids that are neither text nor whole numbers name nothing."""
        if isinstance(number, str | int) and str(number).strip():
            self._nodes[space, str(number).strip()] = node

    def get(self, number: Any, space: str = "") -> Node | None:
        """The node of an id, None where there is none."""
        return self._nodes.get((space, str(number).strip())) if isinstance(number, str | int) else None


def is_id(word: str) -> bool:
    """Whether a header or key says that ids of nodes stand there; `source` and `start` may also hold names."""
    return key_of(word) in _BY_ID


def space_of(word: str) -> str:
    """The space of ids that a header names: Drug in `:START_ID(Drug)`."""
    found = _SPACE.search(word)
    return found["space"] if found else ""


def id_place(words: Sequence[str]) -> int | None:
    """Which of the headers or keys is the node's own id."""
    admin = [place for place, word in enumerate(words) if _ADMIN_ID.search(word)]
    plain = [place for place, word in enumerate(words) if key_of(word) in _ID_WORDS]
    return next(iter(admin + plain), None)
