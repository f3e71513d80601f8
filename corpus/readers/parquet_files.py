"""Parquet tables of any known row shape; the line of a row is its number from 1."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.readers.base import Bad, Raw
from corpus.readers.rows import read_row
from foundation.errors import ZhongjingError
from foundation.text import GZIP_ERRORS, open_bytes

BATCH = 2_000


def read_parquet(path: Path, _encoding: str) -> Iterator[Raw | Bad]:
    """Rows of a table, a batch in memory at a time."""
    try:
        with _seekable(path) as stream, pq.ParquetFile(stream) as table:
            number = 0
            for batch in table.iter_batches(batch_size=BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield read_row(row, number)
    except (pa.ArrowException, OSError, UnicodeDecodeError, *GZIP_ERRORS) as error:
        raise ZhongjingError(f"this Parquet file is damaged ({type(error).__name__})", where=path) from error


@contextmanager
def _seekable(path: Path) -> Iterator[BinaryIO]:
    """The file itself, or a temporary unzipped copy: Parquet is read from its end."""
    with open_bytes(path) as stream, tempfile.TemporaryFile() as copy:
        if isinstance(stream, gzip.GzipFile):
            shutil.copyfileobj(stream, copy)
            yield copy
        else:
            yield stream
