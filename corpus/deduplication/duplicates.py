"""What became of copies, written down: the dialogues kept and removed, a line for each removal, flag and near miss."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.deduplication.copies import Copies
from corpus.deduplication.stars import NUMBERS, QUESTIONS
from corpus.deduplication.stock import Stock
from corpus.sets import SetWriter
from corpus.tables import SCHEMA
from foundation.jsonl import dump_json
from foundation.progress import progress
from foundation.rejects import Reject

STAGE = "dedup"
DUPLICATES = "duplicates.jsonl"
NEAR_MISSES = "near_misses.jsonl"
REMOVED = "removed.parquet"

RESTORED = 3
_FLAGS = {NUMBERS: "numbers_differ", QUESTIONS: "questions_differ", RESTORED: "restored"}
_COUNTED = {"numbers_differ": "flagged_for_numbers", "questions_differ": "flagged_for_questions"}

Rows = npt.NDArray[np.int64]


class Parameters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What decided a line of `duplicates.jsonl`: similarity is the Jaccard of sets of `grams` characters."""

    threshold: float
    grams: int = 3


class Duplicate(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A line of `duplicates.jsonl`: `removed` went in favour of `keeper`, or `flagged` stayed beside it.

    `similarity` is the exact Jaccard similarity of 3-gram sets, `ratio` rapidfuzz's of the texts compared, both from
    0 to 1. Reasons of removal: `exact`, `near`, `contaminated` (like an item of a test set). Flagged are
    `numbers_differ` (each has a number that the other lacks), `questions_differ` (one answer to two questions) and
    `restored` (in review), each dialogue once, beside the one it is most like. `within` names the version or test set
    that the keeper is in, where it is not in the set itself.
    """

    keeper: str
    similarity: float
    ratio: float
    reason: str
    parameters: Parameters
    removed: str | None = None
    flagged: str | None = None
    within: str | None = None


class NearMiss(msgspec.Struct, kw_only=True, frozen=True):
    """A line of `near_misses.jsonl`: a dialogue that stayed, and the likest keeper just under the threshold."""

    id: str
    keeper: str
    similarity: float


def give_back(copies: Copies, stock: Stock, returned: Collection[str]) -> None:
    """Let dialogues stay that would go, flagged beside their keepers as `restored`."""
    if not returned:
        return
    rows = np.flatnonzero(np.isin(stock.signatures.ids.to_numpy(zero_copy_only=False), sorted(returned)))
    rows = rows[(rows >= stock.frozen) & (copies.keeper[rows] != rows)]
    copies.beside[rows], copies.reason[rows] = copies.keeper[rows], RESTORED
    copies.keeper[rows] = rows


def write_copies(stock: Stock, copies: Copies, parameters: Parameters, writer: SetWriter) -> None:
    """Sort the stock's own dialogues into kept and removed, with a line for each removal, flag and near miss."""
    ids = stock.signatures.ids
    place = stock.frozen
    with (
        pq.ParquetWriter(writer.folder / REMOVED, SCHEMA, compression="zstd") as removed,
        progress("writing", len(stock.signatures) - place) as steps,
    ):
        duplicates, near_misses = writer.file(DUPLICATES), writer.file(NEAR_MISSES)
        for batch in (batch for shelf in stock.shelves[stock.own :] for batch in shelf.batches()):
            rows = np.arange(place, place + batch.num_rows)
            stays = copies.keeper[rows] == rows
            writer.keep_rows(batch.filter(pa.array(stays)))
            if not stays.all():
                gone = batch.filter(pa.array(~stays))
                removed.write_batch(gone)
                _reject(gone, rows[~stays], stock, copies, writer)
            for row in rows[~stays | (copies.beside[rows] >= 0)].tolist():
                duplicate = _duplicate(row, stock, copies, parameters)
                writer.details[_COUNTED.get(duplicate.reason, duplicate.reason)] += 1
                duplicates.write(dump_json(duplicate) + b"\n")
            for row in rows[stays & (copies.missed[rows] >= 0)].tolist():
                keeper = str(ids[int(copies.missed[row])])
                miss = NearMiss(id=str(ids[row]), keeper=keeper, similarity=_rounded(copies.nearly[row]))
                near_misses.write(dump_json(miss) + b"\n")
            place += batch.num_rows
            steps.advance(batch.num_rows)


def _duplicate(row: int, stock: Stock, copies: Copies, parameters: Parameters) -> Duplicate:
    name, flagged = str(stock.signatures.ids[row]), bool(copies.keeper[row] == row)
    keeper = int(copies.beside[row] if flagged else copies.keeper[row])
    return Duplicate(
        removed=None if flagged else name,
        flagged=name if flagged else None,
        keeper=str(stock.signatures.ids[keeper]),
        within=stock.within(keeper),
        similarity=_rounded(copies.similarity[row]),
        ratio=_rounded(copies.ratio[row]),
        reason=_flag(row, copies) if flagged else _reason(row, keeper, stock),
        parameters=parameters,
    )


def _flag(row: int, copies: Copies) -> str:
    return _FLAGS[int(copies.reason[row])]


def _reason(row: int, keeper: int, stock: Stock) -> str:
    if keeper < stock.tests:
        return "contaminated"
    keys = stock.signatures.keys
    return "exact" if bool(np.array_equal(keys[row], keys[keeper])) else "near"


def _reject(gone: pa.RecordBatch, rows: Rows, stock: Stock, copies: Copies, writer: SetWriter) -> None:
    metas: list[dict[str, Any]] = gone.select(["meta"]).to_pylist()
    for name, row_meta, row in zip(gone.column("id").to_pylist(), metas, rows.tolist(), strict=True):
        meta = row_meta["meta"]
        keeper = int(copies.keeper[row])
        reason, within = _reason(row, keeper, stock), stock.within(keeper)
        detail = f"{reason} copy of {stock.signatures.ids[keeper]}{f' in {within}' if within else ''}"
        counted = "contaminated" if keeper < stock.tests else "duplicate"
        writer.reject(Reject(stage=STAGE, reason=counted, file=meta["file"], line=meta["line"], detail=detail, id=name))


def _rounded(value: float) -> float:
    return round(float(value), 4)
