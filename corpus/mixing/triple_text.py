"""The triples of a graph as fluent Chinese, grouped by what they are about, each sentence with where it was stated.

The wordings lie in `data/triples.txt`. Every fact is said of its subject and, unless told otherwise, of its object too:
a model that has read only one direction does not know the other (arXiv 2309.12288).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph
    from kg.records import Fact

_PER_SENTENCE, _PHRASES_PER_SENTENCE = 10, 4
_PHRASE = 14
_STOPS, _ENDS = frozenset("，,。；;、"), "。；;，,、. "
_FORWARD, _BACKWARD = ">", "<"
_OTHERWISE = "{a}的{relation}：{b}。"


class Stated(msgspec.Struct, frozen=True):
    """A sentence, and the places of the facts in it as file:line."""

    text: str
    places: list[str]


def entity_sentences(graph: KnowledgeGraph, name: str, *, both_ways: bool = True) -> Iterator[Stated]:
    """What the graph says of an entity, relation by relation; first what else it is called."""
    if aliases := graph.aliases_of(name):
        yield from _sentences(name, "同义词", _FORWARD, [(alias, "") for alias in aliases])
    said: set[tuple[str, str]] = set()
    for sign, facts in ((_FORWARD, graph.triples(subject=name)), (_BACKWARD, graph.triples(object=name))):
        if sign == _BACKWARD and not both_ways:
            return
        for relation, others in _by_relation(facts, sign).items():
            fresh = [(other, place) for other, place in others if (relation, other) not in said and other != name]
            if _is_symmetric(relation):
                said.update((relation, other) for other, _ in fresh)
            yield from _sentences(name, relation, sign, fresh)


def _by_relation(facts: Iterator[Fact], sign: str) -> dict[str, list[tuple[str, str]]]:
    grouped: dict[str, list[tuple[str, str]]] = {}
    for fact in facts:
        other = fact.object if sign == _FORWARD else fact.subject
        grouped.setdefault(fact.relation, []).append((other, f"{fact.file}:{fact.line}"))
    return grouped


def _sentences(name: str, relation: str, sign: str, others: Sequence[tuple[str, str]]) -> Iterator[Stated]:
    """Sentences that say a relation of an entity, a handful of others in each."""
    wordings = _wordings().get((relation, sign)) or ([_OTHERWISE] if sign == _FORWARD else [])
    if not wordings:
        return
    phrases = any(len(other) > _PHRASE or _STOPS & set(other) for other, _ in others)
    size, joint = (_PHRASES_PER_SENTENCE, "；") if phrases else (_PER_SENTENCE, "、")
    first = zlib.crc32(f"{name} {relation}".encode())
    for number, start in enumerate(range(0, len(others), size)):
        part = others[start : start + size]
        wording = wordings[(first + number) % len(wordings)]
        listed = joint.join(other.rstrip(_ENDS) for other, _ in part)
        yield Stated(wording.format(a=name, b=listed, relation=relation), [place for _, place in part if place])


def _is_symmetric(relation: str) -> bool:
    from kg.relations import relation_of

    return relation_of(relation).symmetric


@cache
def _wordings() -> dict[tuple[str, str], list[str]]:
    """The wordings by relation and direction."""
    found: dict[tuple[str, str], list[str]] = {}
    relation = ""
    for line in files("corpus").joinpath("data/triples.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            relation = line.strip("[]")
        elif line[:1] in (_FORWARD, _BACKWARD):
            found.setdefault((relation, line[0]), []).append(line[1:].strip())
    return found
