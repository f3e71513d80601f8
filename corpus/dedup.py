"""Duplicates removed: exact copies by key, near copies by MinHash and then by exact Jaccard with their own keeper."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from corpus.copies import find_copies
from corpus.duplicates import STAGE, Parameters, Stock, write_copies
from corpus.importing import import_files
from corpus.sets import KIND, VERSION_KIND, Plan, SetWriter, StageResult, plan_step, run_step
from corpus.signatures import SIGNATURES, Shelf, joined, read_signatures, sign_shelf, write_signatures
from foundation.errors import ZhongjingError
from foundation.files import existing_file
from foundation.manifest import entry_of, read_manifest

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
    `corpus.copies.best_first`; `prefer` names sources, the best first. Dialogues that contradict each other in a
    number, or have one answer to different questions, are flagged and stay. `threads` only change the time it takes.
    """
    check_threshold(threshold)
    threads = threads or os.cpu_count() or 1
    plan = _plan(source, against, exclude, {"threshold": threshold, "prefer": list(prefer)})

    def work(writer: SetWriter) -> None:
        with _stock(source, against, exclude, prefer, threads, writer) as stock:
            copies = find_copies(
                stock.shelves,
                stock.signatures,
                tests=stock.tests,
                frozen=stock.frozen,
                threshold=threshold,
                threads=threads,
            )
            write_copies(stock, copies, Parameters(threshold=threshold), writer)

    return run_step(plan, out, work, reuse=reuse)


def check_threshold(threshold: float) -> None:
    """An error where nothing can be as similar as that, or everything is."""
    if not 0 < threshold <= 1:
        raise ZhongjingError(f"a threshold of {threshold} makes no sense", hint="give one over 0 and at most 1")


def _plan(source: Path, against: Path | None, exclude: Path | None, parameters: dict[str, Any]) -> Plan:
    plan = plan_step(STAGE, source, parameters)
    others = []
    if against is not None:
        read_manifest(against, VERSION_KIND)
        others.append(entry_of(against, "against"))
    if exclude is not None:
        others.append(entry_of(exclude if exclude.is_dir() else existing_file(exclude), "exclude"))
    return msgspec.structs.replace(plan, inputs=[*plan.inputs, *others])


@contextmanager
def _stock(
    source: Path, against: Path | None, exclude: Path | None, prefer: Sequence[str], threads: int, writer: SetWriter
) -> Iterator[Stock]:
    with _as_set(exclude, writer) as tests:
        shelves, parts, counts = [], [], []
        if tests is not None:
            shelves.append(Shelf(tests))
            parts.append(sign_shelf(shelves[-1], threads=threads))
        counts.append(sum(map(len, parts)))
        if against is not None:
            shelves.append(Shelf(against))
            parts.append(read_signatures(against, len(shelves[-1])))
        counts.append(sum(map(len, parts)))
        shelves.append(Shelf(source))
        own = sign_shelf(shelves[-1], prefer=prefer, threads=threads)
        write_signatures(writer.folder / SIGNATURES, own)
        names = (exclude.name if exclude else "", against.name if against else "")
        yield Stock(shelves, joined([*parts, own]), counts[0], counts[1], names)


@contextmanager
def _as_set(tests: Path | None, writer: SetWriter) -> Iterator[Path | None]:
    """A test set as a folder of dialogues; raw files are read into one that goes again."""
    if tests is None or tests.is_dir():
        if tests is not None and read_manifest(tests).kind not in (KIND, VERSION_KIND):
            raise ZhongjingError("this folder holds no dialogues", where=tests)
        yield tests
        return
    with TemporaryDirectory(dir=writer.folder) as folder:
        read = import_files([tests], Path(folder) / "tests")
        writer.details["rows_of_the_test_set_unread"] = sum(read.rejected.values())
        yield Path(folder) / "tests"
