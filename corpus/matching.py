"""Dialogues against the graph: what they speak of, and what in the doctor's words the graph supports or contradicts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from corpus.records import Dialogue, KgReport
from corpus.sets import SetWriter, StageResult, count_dialogues, plan_step, read_batches, run_step
from foundation.errors import ZhongjingError
from foundation.files import new_file
from foundation.jsonl import dump_json
from foundation.progress import progress

if TYPE_CHECKING:
    from kg.checker import Checker
    from kg.linker import EntityLinker
    from kg.records import Claim

STAGE = "match"
REVIEW = "review.jsonl"
PROCESSES = 2
# Below this many dialogues a second process costs more than it saves.
WORTH_A_POOL = 2_000


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `review.jsonl`: a doctor's statement that the graph contradicts. `turn` counts messages from 0.

    `claim` is subject, relation, object as stated; `evidence` the graph's triples against it, with their source.
    """

    dialogue_id: str
    turn: int
    claim: list[str]
    evidence: list[str]


Matched = tuple[Dialogue, list[Review]]


def match(source: Path, graph: Path, out: Path, *, processes: int = PROCESSES, reuse: bool = False) -> StageResult:
    """Fill `Dialogue.kg` of every dialogue of the set `source` from the graph in the folder `graph`.

    Contradictions stay in the set and go to `review.jsonl` as well. The result does not depend on `processes`.
    """
    plan = plan_step(STAGE, source, {}, graph=graph)
    return run_step(plan, out, lambda writer: _match_all(source, graph, writer, processes), reuse=reuse)


class Matcher:
    """A graph opened for matching."""

    def __init__(self, graph: Path) -> None:
        from kg.checker import Checker
        from kg.graph import KnowledgeGraph
        from kg.linker import EntityLinker

        opened = KnowledgeGraph.open(graph)
        self.linker: EntityLinker = EntityLinker(opened)
        self.checker: Checker = Checker(opened)

    def match(self, dialogue: Dialogue) -> Matched:
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


def _match_all(source: Path, graph: Path, writer: SetWriter, processes: int) -> None:
    total = count_dialogues(source)
    mentioning = coverage = 0.0
    with (
        new_file(writer.folder / REVIEW) as temporary,
        temporary.open("wb") as review,
        progress("matching", total) as steps,
    ):
        for matched in _batches(source, graph, processes if total >= WORTH_A_POOL else 1):
            for dialogue, reviews in matched:
                assert dialogue.kg is not None
                writer.keep(dialogue)
                review.writelines(dump_json(row) + b"\n" for row in reviews)
                _count(dialogue.kg, writer)
                mentioning += bool(dialogue.kg.entities)
                coverage += dialogue.kg.coverage
            steps.advance(len(matched))
    writer.notes["mean_coverage"] = round(coverage / max(total, 1), 4)
    writer.notes["share_with_entities"] = round(mentioning / max(total, 1), 4)


def _count(report: KgReport, writer: SetWriter) -> None:
    writer.details["supported"] += report.supported
    writer.details["contradicted"] += report.contradicted
    writer.details["unknown"] += report.unknown
    writer.details["dialogues_to_review"] += report.contradicted > 0


def _batches(source: Path, graph: Path, processes: int) -> Iterator[list[Matched]]:
    batches = _in_batches(read_batches(source))
    if processes <= 1:
        matcher = Matcher(graph)
        yield from ([matcher.match(dialogue) for dialogue in batch] for batch in batches)
        return
    try:
        yield from _pooled(batches, graph, processes)
    except BrokenProcessPool as error:
        raise ZhongjingError(
            "a process that matched dialogues ended unexpectedly",
            where=source,
            hint="try again with one process; a script that matches needs the guard `if __name__ == '__main__'`",
        ) from error


def _pooled(batches: Iterable[list[Dialogue]], graph: Path, processes: int) -> Iterator[list[Matched]]:
    """Results in the order of the batches, with few of them waiting in memory."""
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_open_graph, initargs=(graph,)) as pool:
        waiting: deque[Future[bytes]] = deque()
        for batch in batches:
            waiting.append(pool.submit(_match_batch, msgspec.json.encode(batch)))
            if len(waiting) > 2 * processes:
                yield _decoded(waiting.popleft().result())
        while waiting:
            yield _decoded(waiting.popleft().result())


def _in_batches(batches: Iterable[list[Dialogue]], size: int = 500) -> Iterator[list[Dialogue]]:
    for batch in batches:
        yield from (batch[start : start + size] for start in range(0, len(batch), size))


_MATCHER: list[Matcher] = []


def _open_graph(graph: Path) -> None:
    """Run once in each process of the pool."""
    _MATCHER[:] = [Matcher(graph)]


def _match_batch(batch: bytes) -> bytes:
    dialogues: Sequence[Dialogue] = msgspec.json.decode(batch, type=list[Dialogue])
    return msgspec.json.encode([_MATCHER[0].match(dialogue) for dialogue in dialogues])


def _decoded(result: bytes) -> list[Matched]:
    return msgspec.json.decode(result, type=list[Matched])
