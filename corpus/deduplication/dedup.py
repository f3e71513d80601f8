"""Duplicates removed: exact copies by key, near copies by MinHash and then by exact Jaccard with their own keeper."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from corpus.deduplication.copies import find_copies
from corpus.deduplication.duplicates import STAGE, Parameters, give_back, write_copies
from corpus.deduplication.signatures import SIGNATURES, Shelf, write_signatures
from corpus.deduplication.stock import Others, Stock, stocked
from corpus.deduplication.threads import cores
from corpus.engines import current
from corpus.sets import SetWriter, StageResult, plan_step, run_step
from foundation.errors import ZhongjingError

THRESHOLD = 0.5


def dedup(
    source: Path,
    out: Path,
    *,
    threshold: float = THRESHOLD,
    against: Path | None = None,
    exclude: Path | None = None,
    prefer: Sequence[str] = (),
    threads: int | None = None,
    reuse: bool = False,
) -> StageResult:
    """Remove exact and near duplicates from the set `source`; every removal is a line of `duplicates.jsonl`.

    What is like a dialogue of the version `against` goes too, by its stored signatures, and whatever is like one of
    `exclude` (a test set: raw file, set or version). Of two alike the one with the better score stays, see
    `copies.best_first`; `prefer` names sources, the best first. Dialogues that contradict each other in a
    number, or have one answer to different questions, are flagged and stay. `threads` only change the time it takes.
    """
    check_threshold(threshold)
    others = Others(against, exclude)
    plan = plan_step(STAGE, source, {"threshold": threshold, "prefer": list(prefer)})
    plan = msgspec.structs.replace(plan, inputs=[*plan.inputs, *others.entries()])
    threads = threads or cores()

    def work(writer: SetWriter) -> None:
        shelf = Shelf(source)
        with TemporaryDirectory(dir=writer.folder) as scratch:
            signatures = current().sign(shelf, prefer=prefer, threads=threads, scratch=Path(scratch))
        with stocked(others, [shelf], signatures, writer, threads) as stock:
            sort_out(stock, threshold, threads, writer)

    return run_step(plan, out, work, reuse=reuse)


def sort_out(stock: Stock, threshold: float, threads: int, writer: SetWriter, returned: Collection[str] = ()) -> None:
    """Find the copies among what is in stock and write down what becomes of them; those in `returned` stay anyway."""
    with TemporaryDirectory(dir=writer.folder) as scratch:
        copies = find_copies(
            stock.shelves,
            stock.signatures,
            tests=stock.tests,
            frozen=stock.frozen,
            threshold=threshold,
            threads=threads,
            scratch=Path(scratch),
        )
    give_back(copies, stock, returned)
    write_signatures(writer.folder / SIGNATURES, stock.signatures.rest(stock.frozen))
    write_copies(stock, copies, Parameters(threshold=threshold), writer)


def check_threshold(threshold: float) -> None:
    """An error where nothing can be as similar as that, or everything is."""
    if not 0 < threshold <= 1:
        raise ZhongjingError(f"a threshold of {threshold} makes no sense", hint="give one over 0 and at most 1")
