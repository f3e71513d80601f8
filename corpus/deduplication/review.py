"""A second look at a deduplication: borderline pairs side by side, pairs restored, another threshold."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from heapq import nsmallest
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.deduplication.dedup import check_threshold, sort_out
from corpus.deduplication.differences import Piece, differences
from corpus.deduplication.duplicates import DUPLICATES, NEAR_MISSES, REMOVED, STAGE, Duplicate, NearMiss
from corpus.deduplication.signatures import Shelf, Signatures, read_signatures
from corpus.deduplication.stock import ALONE, Others, stocked
from corpus.deduplication.threads import cores
from corpus.sets import KIND, SetWriter, StageResult, plan_step, read_some, run_step
from corpus.turns import spoken
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records
from foundation.manifest import read_manifest

SHOWN = 20


class Pair(msgspec.Struct, frozen=True):
    """Two dialogues whose similarity is `distance` from the threshold, and what became of the `other`."""

    verdict: str
    similarity: float
    distance: float
    keeper: str
    other: str


def borderline(folder: Path, shown: int = SHOWN) -> list[Pair]:
    """The pairs nearest to the threshold, on either side of it, the nearest first."""
    threshold = _threshold(folder)

    def pairs() -> Iterator[Pair]:
        for row in read_records(folder / DUPLICATES, Duplicate):
            verdict, other = ("removed", row.removed) if row.removed else ("flagged", row.flagged or "")
            distance = row.similarity - threshold
            yield Pair(f"{verdict}: {row.reason}", row.similarity, distance, row.keeper, other)
        for miss in read_records(folder / NEAR_MISSES, NearMiss):
            yield Pair("kept: just under", miss.similarity, threshold - miss.similarity, miss.keeper, miss.id)

    return nsmallest(shown, pairs(), key=lambda pair: (pair.distance, pair.other))


def side_by_side(folder: Path, pairs: Collection[Pair]) -> Iterator[str]:
    """Lines for a terminal: each pair with what only the keeper says as [-…-] and what only the other says as {+…+}."""
    wanted = {name for pair in pairs for name in (pair.keeper, pair.other)}
    found = {**read_some(folder, wanted), **read_some(folder, wanted, REMOVED)}
    for pair in pairs:
        yield f"{pair.similarity:.4f}  {pair.verdict}  {pair.other}  beside {pair.keeper}"
        keeper, other = found.get(pair.keeper), found.get(pair.other)
        if keeper is None or other is None:
            yield "  (the keeper is in the version or test set that this was compared with)"
            continue
        left, right = differences(spoken(keeper), spoken(other))
        yield from _marked(left, "[-", "-]")
        yield "  ---"
        yield from _marked(right, "{+", "+}")


def review(
    folder: Path,
    out: Path,
    *,
    threshold: float | None = None,
    restore: Collection[str] = (),
    others: Others = ALONE,
    threads: int | None = None,
) -> StageResult:
    """Decide anew what the deduplicated set `folder` left out, and write the outcome to `out`.

    The signatures stored there are used as they are, so that nothing is read and signed again. `restore` are ids of
    removed dialogues to keep whatever they are like; those of an earlier review stay restored. What was compared with a
    version or a test set needs them again in `others`.
    """
    chosen = threshold if threshold is not None else _threshold(folder)
    check_threshold(chosen)
    _require_same_others(folder, others)
    shelves = [Shelf(folder), Shelf(folder, REMOVED)]
    signatures = _in_order_of_shelves(shelves)
    returned = {*_restored(folder), *restore}
    _require_removed(folder, shelves[1], restore)
    plan = plan_step(STAGE, folder, {"threshold": chosen, "restored": sorted(returned)})
    plan = msgspec.structs.replace(plan, inputs=[*plan.inputs, *others.entries()], again=True)
    threads = threads or cores()

    def work(writer: SetWriter) -> None:
        with stocked(others, shelves, signatures, writer, threads) as stock:
            sort_out(stock, chosen, threads, writer, returned)

    return run_step(plan, out, work)


def _threshold(folder: Path) -> float:
    manifest = read_manifest(folder, KIND)
    threshold = manifest.parameters.get("threshold")
    if not isinstance(threshold, float | int) or not (folder / DUPLICATES).is_file():
        raise ZhongjingError(
            "this set was not deduplicated", where=folder, hint="give the folder that `corpus dedup` wrote with --out"
        )
    return float(threshold)


def _restored(folder: Path) -> Iterator[str]:
    for row in read_records(folder / DUPLICATES, Duplicate):
        if row.reason == "restored" and row.flagged:
            yield row.flagged


def _require_same_others(folder: Path, others: Others) -> None:
    given = {entry.name: entry.sha256 for entry in others.entries()}
    for entry in read_manifest(folder, KIND).inputs:
        if entry.name in ("against", "exclude") and given.get(entry.name) != entry.sha256:
            raise ZhongjingError(
                f"this set was compared with another one, which is needed again: --{entry.name}",
                where=folder,
                hint="give the version or test set that `corpus dedup` was given",
            )


def _require_removed(folder: Path, removed: Shelf, restore: Collection[str]) -> None:
    there = {name for batch in removed.batches(["id"]) for name in batch.column("id").to_pylist()} if restore else set()
    unknown = sorted(set(restore) - there)
    if unknown:
        raise ZhongjingError(
            f"not among the removed dialogues: {', '.join(unknown[:5])}",
            where=folder / REMOVED,
            hint=f"ids of removed dialogues stand in {DUPLICATES}",
        )


def _in_order_of_shelves(shelves: list[Shelf]) -> Signatures:
    """Stored signatures are in the order of what was read; here first all that stayed, then all that went."""
    stored = read_signatures(shelves[0].folder, sum(map(len, shelves)))
    removed = [name for batch in shelves[1].batches(["id"]) for name in batch.column("id").to_pylist()]
    gone = pc.is_in(stored.ids, value_set=pa.array(removed, pa.string())).to_numpy(zero_copy_only=False)
    return stored.at(np.concatenate((np.flatnonzero(~gone), np.flatnonzero(gone))))


def _marked(pieces: Collection[Piece], begin: str, end: str) -> Iterator[str]:
    text = "".join(f"{begin}{piece}{end}" if differs else piece for piece, differs in pieces)
    return (f"  {line}" for line in text.split("\n"))
