"""The names of a graph that are looked for in text: which say by themselves what is meant, and what they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from kg.graph import KnowledgeGraph
from kg.normalise import normalise_all
from kg.records import EntityType, Match
from kg.roles import second_types

MAX_LINKED = 40
_MIN_DIGITS = 3
_KEPT_TYPES = frozenset({"group", "department", "body_part"})
_UNLINKED_TYPES = frozenset({"advice"})


class Name(NamedTuple):
    """What a spelling stands for."""

    entity: str
    type: EntityType
    match: Match


def names_of(graph: KnowledgeGraph) -> dict[str, tuple[Name, ...]]:
    """Every name and alias to be looked for, in normalised spelling.

    An entity's own name wins over an alias; two of one standing are both kept where their types differ.
    """
    kinds = dict(zip(graph.names, graph.types(), strict=True))
    names: dict[str, tuple[Name, ...]] = {}
    _offer(names, kinds, (Name(entity, kind, "exact") for entity, kind in kinds.items()))
    second = {graph.names[number]: kind for number, kind in second_types(graph).items()}
    _offer(names, second, (Name(entity, kind, "exact") for entity, kind in second.items()))
    aliases = [(alias, entity) for alias, entity in graph.alias_pairs() if not _is_fragment(alias, entity)]
    meant = (Name(entity, kinds[entity], "alias") for _, entity in aliases)
    _offer(names, [alias for alias, _ in aliases], meant)
    return names


def _offer(names: dict[str, tuple[Name, ...]], written: Iterable[str], meant: Iterable[Name]) -> None:
    for plain, name in zip(normalise_all(list(written)), meant, strict=True):
        pattern = plain.strip()
        if name.type in _UNLINKED_TYPES or not _is_distinct(pattern, name):
            continue
        known = names.get(pattern, ())
        if not known or (known[0].match == name.match and all(name.type != other.type for other in known)):
            names[pattern] = (*known, name)


def _is_distinct(pattern: str, name: Name) -> bool:
    """Whether a name says by itself what is meant: no single character, everyday word or mere adjective."""
    if not 1 < len(pattern) <= MAX_LINKED or not any(map(str.isalnum, pattern)):
        return False
    if pattern.isdigit() and len(pattern) < _MIN_DIGITS:
        return False
    if name.match == "exact" and name.type in _KEPT_TYPES:
        return True
    return pattern not in stopwords() and not pattern.endswith(("性", "的"))


def _is_fragment(alias: str, entity: str) -> bool:
    """Whether an alias is the torn-off end of a name: 性肝硬化 of 胆汁性肝硬化."""
    return alias.startswith(("性", "型", "超")) and not entity.startswith(alias[0])


@cache
def stopwords() -> frozenset[str]:
    """The words of `data/stopwords.txt`."""
    lines = files("kg").joinpath("data/stopwords.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
