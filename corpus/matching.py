"""Dialogues against the graph: what they speak of, and what in the doctor's words the graph supports or contradicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from corpus.records import Dialogue, KgReport
from corpus.sets import GRAPH_KIND, SetWriter, StageResult, plan_step, stages_of
from corpus.steps import Change, map_step
from corpus.turns import is_courtesy
from foundation.errors import ZhongjingError
from foundation.jsonl import dump_json
from foundation.manifest import NAME, read_manifest

if TYPE_CHECKING:
    from kg.checking.checker import Checker
    from kg.linking.linker import EntityLinker
    from kg.records import Claim, Mention

STAGE = "match"
REVIEW = "review.jsonl"
_SHORT = 12


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `review.jsonl`: a doctor's statement that the graph contradicts.

    `file` and `line` are the dialogue's raw place, `turn` counts messages from 0, `start` and `end` are characters of
    that turn. `claim` is subject, relation, object as stated; `evidence` the graph's triples against it, each with
    file and line.
    """

    dialogue_id: str
    file: str
    line: int
    turn: int
    start: int
    end: int
    claim: list[str]
    evidence: list[str]


class Match(msgspec.Struct, frozen=True):
    """The step, with the graph to hold dialogues against."""

    graph: Path

    def start(self) -> Change:
        """Open the graph."""
        matcher = Matcher(self.graph)

        def change(dialogues: Sequence[Dialogue], writer: SetWriter) -> Iterator[Dialogue]:
            for matched, reviews in matcher.match_all(dialogues):
                writer.file(REVIEW).writelines(dump_json(row) + b"\n" for row in reviews)
                _count(matched, writer)
                yield matched

        return change


def match(
    source: Path,
    graph: Path,
    out: Path,
    *,
    processes: int | None = None,
    reuse: bool = False,
    rebuild: bool = False,
) -> StageResult:
    """Fill `Dialogue.kg` of every dialogue of the set `source` from the graph in the folder `graph`.

    Contradictions stay in the set and go to `review.jsonl` as well. The result does not depend on `processes`. An
    `out` that was matched with another version of the graph is replaced with `rebuild` only.
    """
    version = version_of(graph)
    before = matched_with(out) if (out / NAME).is_file() else None
    if before not in (None, version) and not rebuild:
        raise ZhongjingError(
            f"this set was matched with another version of the graph: {before}, the one given is {version}",
            where=out,
            hint="match it anew with --rebuild, or choose another --out",
        )
    plan = plan_step(STAGE, source, {"graph": version}, graph=graph)
    result = map_step(plan, out, Match(graph), processes=processes, reuse=reuse)
    if before in (None, version):
        return result
    return msgspec.structs.replace(result, details={**result.details, "graph_changed": f"{before} to {version}"})


def version_of(graph: Path) -> str:
    """The version of a built graph: the beginning of the hash of its content."""
    return read_manifest(graph, GRAPH_KIND).sha256[:_SHORT]


def matched_with(folder: Path) -> str | None:
    """The version of the graph that a set or version of dialogues was matched with last; None where it was not."""
    versions = [stage.parameters.get("graph") for stage in stages_of(folder) if stage.stage == STAGE]
    return versions[-1] if versions else None


def other_graph(folder: Path, graph: Path) -> str | None:
    """What to say where `graph` is another version than the one that the dialogues of `folder` were matched with."""
    before, version = matched_with(folder), version_of(graph)
    if before in (None, version):
        return None
    return (
        f"{folder} was matched with another version of the graph ({before}) than {graph} ({version}): "
        "its verdicts and these facts may differ; corpus match --rebuild makes it anew"
    )


class Matcher:
    """A graph opened for matching."""

    def __init__(self, graph: Path) -> None:
        from kg.checking.checker import Checker
        from kg.graph import KnowledgeGraph
        from kg.linking.linker import EntityLinker

        opened = KnowledgeGraph.open(graph)
        self.linker: EntityLinker = EntityLinker(opened)
        self.checker: Checker = Checker(opened, self.linker)

    def match_all(self, dialogues: Sequence[Dialogue]) -> Iterator[tuple[Dialogue, list[Review]]]:
        """Each dialogue with its report, and what a curator should look at."""
        messages = [message for dialogue in dialogues for message in dialogue.messages]
        mentions = self.linker.link_all(message.content for message in messages)
        claims = self.checker.check_all(message.content for message in messages if message.role == "assistant")
        for dialogue in dialogues:
            named = list(islice(mentions, len(dialogue.messages)))
            stated = [
                (turn, claim)
                for turn, message in enumerate(dialogue.messages)
                if message.role == "assistant"
                for claim in next(claims)
            ]
            reviews = [_review(dialogue, turn, claim) for turn, claim in stated if claim.verdict == "contradicted"]
            yield msgspec.structs.replace(dialogue, kg=_report(dialogue, named, stated, reviews)), reviews


def _report(
    dialogue: Dialogue,
    named: Sequence[Sequence[Mention]],
    stated: Sequence[tuple[int, Claim]],
    reviews: Sequence[Review],
) -> KgReport:
    verdicts = [claim.verdict for _, claim in stated]
    return KgReport(
        entities=list(dict.fromkeys(mention.entity for turn in named for mention in turn)),
        coverage=_coverage(dialogue, named),
        supported=verdicts.count("supported"),
        contradicted=len(reviews),
        unknown=verdicts.count("unknown"),
        contradictions=[review.claim for review in reviews],
    )


def _coverage(dialogue: Dialogue, named: Sequence[Sequence[Mention]]) -> float:
    """The share of turns that name an entity among those that do more than greet and thank."""
    mentioning = sum(map(bool, named))
    silent = sum(
        not mentions and not is_courtesy(message.content)
        for message, mentions in zip(dialogue.messages, named, strict=True)
    )
    return round(mentioning / (mentioning + silent), 4) if mentioning else 0.0


def _review(dialogue: Dialogue, turn: int, claim: Claim) -> Review:
    return Review(
        dialogue_id=dialogue.id,
        file=dialogue.meta.file,
        line=dialogue.meta.line,
        turn=turn,
        start=claim.start,
        end=claim.end,
        claim=[claim.subject, claim.relation, claim.object],
        evidence=[f"{fact.subject} {fact.relation} {fact.object} ({fact.file}:{fact.line})" for fact in claim.evidence],
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
