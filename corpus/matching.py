"""Dialogues against the graph: what they speak of, and what in the doctor's words the graph supports or contradicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from corpus.records import Dialogue, KgReport
from corpus.sets import SetWriter, StageResult, plan_step
from corpus.steps import Change, map_step
from foundation.jsonl import dump_json

if TYPE_CHECKING:
    from kg.checker import Checker
    from kg.linker import EntityLinker
    from kg.records import Claim

STAGE = "match"
REVIEW = "review.jsonl"


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `review.jsonl`: a doctor's statement that the graph contradicts. `turn` counts messages from 0.

    `claim` is subject, relation, object as stated; `evidence` the graph's triples against it, with their source.
    """

    dialogue_id: str
    turn: int
    claim: list[str]
    evidence: list[str]


class Match(msgspec.Struct, frozen=True):
    """The step, with the graph to hold dialogues against."""

    graph: Path

    def start(self) -> Change:
        """Open the graph."""
        matcher = Matcher(self.graph)

        def change(dialogue: Dialogue, writer: SetWriter) -> Dialogue:
            matched, reviews = matcher.match(dialogue)
            writer.file(REVIEW).writelines(dump_json(row) + b"\n" for row in reviews)
            _count(matched, writer)
            return matched

        return change


def match(source: Path, graph: Path, out: Path, *, processes: int | None = None, reuse: bool = False) -> StageResult:
    """Fill `Dialogue.kg` of every dialogue of the set `source` from the graph in the folder `graph`.

    Contradictions stay in the set and go to `review.jsonl` as well. The result does not depend on `processes`.
    """
    return map_step(plan_step(STAGE, source, {}, graph=graph), out, Match(graph), processes=processes, reuse=reuse)


class Matcher:
    """A graph opened for matching."""

    def __init__(self, graph: Path) -> None:
        from kg.checker import Checker
        from kg.graph import KnowledgeGraph
        from kg.linker import EntityLinker

        opened = KnowledgeGraph.open(graph)
        self.linker: EntityLinker = EntityLinker(opened)
        self.checker: Checker = Checker(opened)

    def match(self, dialogue: Dialogue) -> tuple[Dialogue, list[Review]]:
        """The dialogue with its report, and what a curator should look at."""
        entities: dict[str, None] = {}
        mentioning = 0
        for message in dialogue.messages:
            mentions = self.linker.link(message.content)
            entities.update(dict.fromkeys(mention.entity for mention in mentions))
            mentioning += bool(mentions)
        claims = [
            (turn, claim)
            for turn, message in enumerate(dialogue.messages)
            if message.role == "assistant"
            for claim in self.checker.check(message.content)
        ]
        reviews = [_review(dialogue, turn, claim) for turn, claim in claims if claim.verdict == "contradicted"]
        report = KgReport(
            entities=list(entities),
            coverage=round(mentioning / len(dialogue.messages), 4),
            supported=sum(claim.verdict == "supported" for _, claim in claims),
            contradicted=len(reviews),
            unknown=sum(claim.verdict == "unknown" for _, claim in claims),
            contradictions=[review.claim for review in reviews],
        )
        return msgspec.structs.replace(dialogue, kg=report), reviews


def _review(dialogue: Dialogue, turn: int, claim: Claim) -> Review:
    return Review(
        dialogue_id=dialogue.id,
        turn=turn,
        claim=[claim.subject, claim.relation, claim.object],
        evidence=[
            f"{triple.subject} {triple.relation} {triple.object} ({triple.file}:{triple.line})"
            for triple in claim.evidence
        ],
    )


def _count(dialogue: Dialogue, writer: SetWriter) -> None:
    report = dialogue.kg
    assert report is not None
    writer.details["supported"] += report.supported
    writer.details["contradicted"] += report.contradicted
    writer.details["unknown"] += report.unknown
    writer.details["dialogues_to_review"] += report.contradicted > 0
    writer.details["dialogues_with_entities"] += bool(report.entities)
    writer.add("coverage", report.coverage)
