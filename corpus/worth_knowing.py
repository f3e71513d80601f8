"""What of a graph is worth knowing beside a prompt: what could harm this patient first, then what joins what was said.

In this order: a ban or an interaction between two things spoken of; other facts that join two of them; what concerns a
thing spoken of by itself (its bans, uses, side effects, department); what is given or forbidden to those who have an
illness spoken of; how that illness is found and what comes of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from corpus.records import Message

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph
    from kg.linking.linker import EntityLinker
    from kg.records import Fact

MAX_FACTS = 6
PER_RELATION = 2

_HARM = ("禁忌", "药物相互作用")
_CARE = (*_HARM, "适应症", "不良反应", "注意事项", "就诊科室")
_GIVEN = (*_HARM, "适应症")
_DESCRIPTION = ("检查", "治疗", "临床表现", "并发症", "病因")
_RELATIONS = (*_CARE, *_DESCRIPTION)
_SICK = frozenset({"disease", "group"})


class Rank(NamedTuple):
    """Sorts first what is worth more: by tier, the patient's own words first, the graver relation, the better known."""

    tier: int
    by_doctor: bool
    relation: int
    rarity: int
    place: int
    words: tuple[str, str, str]


class Facts:
    """Triples of a graph worth showing beside a prompt."""

    def __init__(self, graph: Path) -> None:
        from kg.graph import KnowledgeGraph
        from kg.linking.linker import EntityLinker

        self.graph: KnowledgeGraph = KnowledgeGraph.open(graph)
        self.linker: EntityLinker = EntityLinker(self.graph)

    def of(self, messages: Sequence[Message]) -> dict[str, str]:
        """Up to `MAX_FACTS` triples about what is spoken of and not denied, each with where it was stated."""
        from kg.card import provenance

        last, patient, every = (
            self._entities(some) for some in (messages[-1:], [one for one in messages if one.role == "user"], messages)
        )
        spoken = list(dict.fromkeys([*last, *patient, *every]))
        found = [
            ranked
            for place, entity in enumerate(spoken)
            for ranked in self._about(entity, frozenset(spoken), by_patient=entity in patient, place=place)
        ]
        found.sort(key=lambda ranked: ranked[0])
        return {" ".join(rank.words): provenance(fact) for rank, fact in _varied(found)}

    def _about(
        self, entity: str, spoken: frozenset[str], *, by_patient: bool, place: int
    ) -> Iterator[tuple[Rank, Fact]]:
        """Facts with the entity at either end, as far as they may be worth showing."""
        is_sick = by_patient and self.graph.type_of(entity) in _SICK
        for fact in self.graph.facts_of(entity):
            tier = _tier(fact, entity, spoken, is_sick=is_sick)
            if tier is not None:
                words = fact.subject, fact.relation, fact.object
                yield Rank(tier, not by_patient, _RELATIONS.index(fact.relation), -fact.count, place, words), fact

    def _entities(self, messages: Sequence[Message]) -> list[str]:
        mentions = (mention for message in messages for mention in self.linker.link(message.content))
        return list(dict.fromkeys(mention.entity for mention in mentions if not mention.negated))


def _tier(fact: Fact, entity: str, spoken: frozenset[str], *, is_sick: bool) -> int | None:
    """How much a fact about `entity` is worth, 0 most; None where it is not."""
    if fact.relation not in _RELATIONS:
        return None
    outward = fact.subject == entity
    if fact.subject in spoken and fact.object in spoken:
        return 0 if fact.relation in _HARM else 1
    if outward and fact.relation in _CARE:
        return 2
    if not outward and fact.relation in _GIVEN and is_sick:
        return 3
    return 4 if outward and is_sick else None


def _varied(found: Sequence[tuple[Rank, Fact]]) -> Iterator[tuple[Rank, Fact]]:
    """The first facts, each once, no more than a few of one relation."""
    used, shown = Counter[int](), set[tuple[str, str, str]]()
    for rank, fact in found:
        if rank.words not in shown and used[rank.relation] < PER_RELATION and len(shown) < MAX_FACTS:
            used[rank.relation] += 1
            shown.add(rank.words)
            yield rank, fact
