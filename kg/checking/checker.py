"""A doctor's statements held against the graph: supported, contradicted, or unknown to it.

Only a fact contradicts: a recommendation of what the graph forbids, a prohibition of what it indicates, two
interacting drugs given together. That the graph lacks a fact says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import tee

import msgspec

from kg.checking.items import Items
from kg.checking.nearby import said_near
from kg.checking.patterns import Stated, stated_in, stated_of
from kg.checking.reading import Elliptic, Item, Reading, Skeleton
from kg.checking.settling import Drawn, settled
from kg.graph import KnowledgeGraph
from kg.linking.linker import EntityLinker
from kg.normalise import Normalised, normalise
from kg.records import Claim, Fact, Mention, Verdict
from kg.relations import (
    AVOIDED_FOOD,
    COMPLICATION,
    CONTRAINDICATION,
    INDICATION,
    INTERACTION,
    RECOMMENDED_FOOD,
    SUITABLE,
    SYMPTOM,
    TOGETHER,
    TREATMENT,
    resolve,
)

_OPPOSITES: dict[str, tuple[str, ...]] = {
    INDICATION: (CONTRAINDICATION,),
    SUITABLE: (CONTRAINDICATION,),
    CONTRAINDICATION: (INDICATION, SUITABLE),
    TOGETHER: (INTERACTION,),
    INTERACTION: (TOGETHER,),
    RECOMMENDED_FOOD: (AVOIDED_FOOD,),
    AVOIDED_FOOD: (RECOMMENDED_FOOD,),
}
Judged = tuple[Verdict, list[Fact]]


class Checker:
    """Checks statements against one graph. Build it once and use it for many texts."""

    def __init__(self, graph: KnowledgeGraph, linker: EntityLinker | None = None) -> None:
        self._graph = graph
        self._linker = linker or EntityLinker(graph)
        self._items = Items(graph)

    def check(self, text: str) -> list[Claim]:
        """The claims of a doctor's words in their order; asked, doubted and denied statements make none."""
        return next(self.check_all([text]))

    def check_all(self, texts: Iterable[str]) -> Iterator[list[Claim]]:
        """The claims of each text, in order: what `check` gives, faster for many texts."""
        plain, again = tee(map(normalise, texts))
        for one, mentions in zip(plain, self._linker.link_all(each.text for each in again), strict=True):
            yield self._claims_of(one, mentions)

    def _claims_of(self, plain: Normalised, mentions: Sequence[Mention]) -> list[Claim]:
        reading = Reading(plain.text, self._items.of(plain.text, mentions))
        claims: dict[tuple[str, str, str, int], Claim] = {}
        for skeleton, elliptic in reading.sentences():
            for claim in self._of_sentence(skeleton, elliptic):
                claims.setdefault((claim.subject, claim.relation, claim.object, claim.start), claim)
        placed = (self._placed(claim, plain) for claim in claims.values())
        return sorted(placed, key=lambda claim: (claim.start, claim.end, claim.relation, claim.object))

    def _of_sentence(self, skeleton: Skeleton, elliptic: Sequence[Elliptic]) -> list[Claim]:
        """What a sentence claims in its own words, what of things named before, and what the graph makes plain."""
        drawn = [one for stated in stated_in(skeleton.text) for one in self._claims(stated, skeleton, None)]
        for clause in elliptic:
            for stated in stated_of(clause.skeleton.text, clause.omission):
                drawn += self._claims(stated, clause.skeleton, clause)
        said = {frozenset((one.claim.subject, one.claim.object)) for one in drawn if one.claim.evidence}
        for near in said_near(skeleton, self._facts_between):
            if frozenset((near.subject.name, near.target.name)) not in said:
                claim = _claim(near.relation, near.verdict, near.evidence, near.subject, near.target)
                drawn.append(Drawn(claim, None, None))
        return settled(drawn)

    def _facts_between(self, one: Item, other: Item) -> list[Fact]:
        """The facts that join two items, whichever is the subject."""
        ends = [(a, b) for a in one.entities for b in other.entities]
        facts = (fact for a, b in (*ends, *((b, a) for a, b in ends)) for fact in self._graph.triples(a, object=b))
        return list({(fact.subject, fact.relation, fact.object): fact for fact in facts}.values())

    @staticmethod
    def _placed(claim: Claim, plain: Normalised) -> Claim:
        start, end = plain.span(claim.start, claim.end)
        return msgspec.structs.replace(claim, start=start, end=end)

    def _claims(self, stated: Stated, skeleton: Skeleton, clause: Elliptic | None) -> Iterator[Drawn]:
        """The claims that a statement makes, placed in the normalised text."""
        targets = [skeleton.items[place] for place in stated.objects]
        if not all(target.of_family for target in targets):
            targets = [target for target in targets if not target.of_family]
        for subject in stated.subjects:
            for target in targets:
                yield from self._claim(stated, skeleton.items[subject], target, clause)

    def _claim(self, stated: Stated, subject: Item, target: Item, clause: Elliptic | None) -> Iterator[Drawn]:
        """One claim. Only what is stated plainly, of something named without doubt, can be contradicted."""
        if subject.name == target.name:
            return
        relation, verdict, evidence = self._best(stated.relations, subject, target)
        if relation == SYMPTOM and not evidence and (subject.is_symptom or (clause and not target.is_symptom)):
            return
        if resolve(relation).inverted:
            relation, subject, target = resolve(relation).relation.name, target, subject
        if relation == INDICATION and subject.letter == "T":
            relation, subject, target = TREATMENT, target, subject
        is_plain = not (stated.qualified or target.of_family) and (clause is None or clause.is_plain)
        if verdict == "contradicted" and not is_plain:
            verdict, evidence = "unknown", []
        named = [item for item in (subject, target) if clause is None or item is not clause.topic]
        claim = _claim(relation, verdict, evidence, subject, target, named)
        symptom = next((item.name for item in (subject, target) if item.is_symptom), None)
        yield Drawn(claim, clause.topic.name if clause else None, symptom)

    def _best(self, relations: Sequence[str], subject: Item, target: Item) -> tuple[str, Verdict, list[Fact]]:
        """The relation among those the words allow that the graph knows something of; the usual one otherwise."""
        if relations[0] == INDICATION and target.letter == "G":
            relations = (SUITABLE,)
        for relation in relations:
            verdict, evidence = self._judge(relation, subject.entities, target.entities)
            if evidence:
                return relation, verdict, evidence
        if relations[0] == SYMPTOM and COMPLICATION in relations and not target.is_symptom:
            return COMPLICATION, "unknown", []
        return relations[0], "unknown", []

    def _judge(self, relation: str, subjects: Sequence[str], targets: Sequence[str]) -> Judged:
        opposing = [
            fact for opposite in _OPPOSITES.get(relation, ()) for fact in self._facts(subjects, opposite, targets)
        ]
        supporting = self._facts(subjects, relation, targets)
        if relation == INDICATION:
            supporting += self._facts(targets, TREATMENT, subjects)
        if relation == SUITABLE:
            supporting += self._facts(subjects, INDICATION, targets)
        return _verdict(supporting, opposing)

    def _facts(self, subjects: Sequence[str], relation: str, targets: Sequence[str]) -> list[Fact]:
        return [
            fact
            for subject in subjects
            for target in targets
            for fact in self._graph.triples(subject, relation, target)
        ]


def _claim(
    relation: str,
    verdict: Verdict,
    evidence: list[Fact],
    subject: Item,
    target: Item,
    named: Sequence[Item] = (),
) -> Claim:
    """A claim that lies where those of its names stand that are `named`, both if left out."""
    placed = named or (subject, target)
    return Claim(
        subject=subject.name,
        relation=relation,
        object=target.name,
        verdict=verdict,
        evidence=evidence,
        start=min(item.start for item in placed),
        end=max(item.end for item in placed),
    )


def check(text: str, graph: KnowledgeGraph) -> list[Claim]:
    """The claims of one text; for many texts build a `Checker` and keep it."""
    return Checker(graph).check(text)


def _verdict(supporting: list[Fact], opposing: list[Fact]) -> Judged:
    """Where the graph says both, it does not know, and the evidence shows both sides."""
    if supporting and opposing:
        return "unknown", supporting + opposing
    if supporting:
        return "supported", supporting
    return ("contradicted", opposing) if opposing else ("unknown", [])
