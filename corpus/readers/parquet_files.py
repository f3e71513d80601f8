"""Parquet tables of any known row shape; the line of a row is its number from 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.readers.base import Bad, Raw
from corpus.readers.rows import read_row
from foundation.errors import ZhongjingError

BATCH = 2_000


def read_parquet(path: Path, _encoding: str) -> Iterator[Raw | Bad]:
    """Rows of a table, a batch in memory at a time."""
    try:
        with pq.ParquetFile(path) as table:
            number = 0
            for batch in table.iter_batches(batch_size=BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield read_row(row, number)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ZhongjingError(f"this Parquet file is damaged ({type(error).__name__})", where=path) from error
