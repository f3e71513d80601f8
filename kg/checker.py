"""A doctor's statements held against the graph: supported, contradicted, or unknown to it.

Only a fact contradicts: a recommendation of what the graph forbids, a prohibition of what it indicates, two
interacting drugs given together. That the graph lacks a fact says nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

import msgspec

from kg.graph import KnowledgeGraph
from kg.groups import entities_of, group_of, groups_in
from kg.linker import EntityLinker
from kg.normalise import normalise
from kg.patterns import SUITABLE, TOGETHER, Stated, stated_in
from kg.records import Claim, EntityType, Fact, Mention, Verdict
from kg.relations import CONTRAINDICATION, INDICATION, INTERACTION

_LETTERS: dict[EntityType, str] = {
    "drug": "D",
    "disease": "F",
    "symptom": "F",
    "examination": "E",
    "department": "K",
    "group": "G",
}
_SENTENCE = re.compile("[^。！!？?；;\n]+[。！!？?；;\n]*")
_WITHOUT = re.compile("(?:没有|没|未|非|不是|除了|(?<!排)除)$|不备孕[和或及、]$")
_EXCLUDING = 4

Judged = tuple[Verdict, list[Fact]]


class Item(msgspec.Struct, frozen=True):
    """A name in the normalised text: its letter, its span, and the entities of the graph it stands for."""

    letter: str
    start: int
    end: int
    name: str
    entities: list[str]


class Checker:
    """Checks statements against one graph. Build it once and use it for many texts."""

    def __init__(self, graph: KnowledgeGraph, linker: EntityLinker | None = None) -> None:
        self._graph = graph
        self._linker = linker or EntityLinker(graph)
        self._groups = entities_of(graph)

    def check(self, text: str) -> list[Claim]:
        """The claims of a doctor's words in their order; asked, doubted and denied statements make none."""
        plain = normalise(text)
        items = self._items(plain.text, self._linker.link(plain.text))
        claims: dict[tuple[str, str, str, int], Claim] = {}
        starts = [item.start for item in items]
        for found in _SENTENCE.finditer(plain.text):
            inside = items[bisect_left(starts, found.start()) : bisect_left(starts, found.end())]
            for claim in self._sentence(plain.text, found.start(), found.end(), inside):
                start, end = plain.span(claim.start, claim.end)
                placed = msgspec.structs.replace(claim, start=start, end=end)
                claims.setdefault((claim.subject, claim.relation, claim.object, start), placed)
        return sorted(claims.values(), key=lambda claim: (claim.start, claim.end, claim.relation, claim.object))

    def _items(self, text: str, mentions: Sequence[Mention]) -> list[Item]:
        items = [self._item(text, mention) for mention in mentions]
        covered = {place for item in items for place in range(item.start, item.end)}
        for start, end, name in groups_in(text):
            if start not in covered and end - 1 not in covered:
                items.append(Item("N" if _is_without(text, start) else "G", start, end, name, self._groups[name]))
        return sorted(items, key=lambda item: item.start)

    def _item(self, text: str, mention: Mention) -> Item:
        letter = _LETTERS.get(mention.type, "X")
        group = group_of(mention.entity) if letter == "G" else None
        if letter in "FG" and (mention.negated or _is_without(text, mention.start)):
            letter = "N"
        entities = [mention.entity, *(self._groups[group] if group else ())]
        return Item(letter, mention.start, mention.end, mention.entity, list(dict.fromkeys(entities)))

    def _sentence(self, text: str, start: int, end: int, items: Sequence[Item]) -> Iterator[Claim]:
        """The claims of one sentence, placed in the normalised text."""
        skeleton, by_place, place, length = list[str](), dict[int, Item](), start, 0
        for item in items:
            skeleton += (text[place : item.start], item.letter)
            length += item.start - place
            by_place[length] = item
            length, place = length + 1, item.end
        skeleton.append(text[place:end])
        for stated in stated_in("".join(skeleton)):
            for subject in stated.subjects:
                for target in stated.objects:
                    yield from self._claim(stated, by_place[subject], by_place[target])

    def _claim(self, stated: Stated, subject: Item, target: Item) -> Iterator[Claim]:
        if subject.name == target.name:
            return
        relation = SUITABLE if stated.relation == INDICATION and target.letter == "G" else stated.relation
        verdict, evidence = self._judge(relation, subject.entities, target.entities)
        if stated.qualified and verdict == "contradicted":
            verdict = "unknown"
        yield Claim(
            subject=subject.name,
            relation=relation,
            object=target.name,
            verdict=verdict,
            evidence=evidence,
            start=min(subject.start, target.start),
            end=max(subject.end, target.end),
        )

    def _judge(self, relation: str, subjects: Sequence[str], targets: Sequence[str]) -> Judged:
        if relation == SUITABLE:
            return _verdict([], self._facts(subjects, CONTRAINDICATION, targets))
        if relation == TOGETHER:
            return _verdict([], self._facts(subjects, INTERACTION, targets))
        opposite = {INDICATION: CONTRAINDICATION, CONTRAINDICATION: INDICATION}.get(relation)
        against = self._facts(subjects, opposite, targets) if opposite else []
        return _verdict(self._facts(subjects, relation, targets), against)

    def _facts(self, subjects: Sequence[str], relation: str, targets: Sequence[str]) -> list[Fact]:
        return [
            fact
            for subject in subjects
            for target in targets
            for fact in self._graph.triples(subject, relation, target)
        ]


def check(text: str, graph: KnowledgeGraph) -> list[Claim]:
    """The claims of one text; for many texts build a `Checker` and keep it."""
    return Checker(graph).check(text)


def _is_without(text: str, start: int) -> bool:
    """Whether what begins at `start` is excluded: 除了孕妇."""
    return _WITHOUT.search(text, max(0, start - _EXCLUDING), start) is not None


def _verdict(supporting: list[Fact], opposing: list[Fact]) -> Judged:
    """Where the graph says both, it does not know, and the evidence shows both sides."""
    if supporting and opposing:
        return "unknown", supporting + opposing
    if supporting:
        return "supported", supporting
    return ("contradicted", opposing) if opposing else ("unknown", [])
