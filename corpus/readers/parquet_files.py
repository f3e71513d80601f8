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
from corpus.readers.rows import KNOWN_COLUMNS, READ_FIELDS, read_row
from foundation.errors import ZhongjingError
from foundation.text import GZIP_ERRORS, open_bytes

BATCH = 500
_BUFFER = 1 << 20


def read_parquet(path: Path, _encoding: str) -> Iterator[Raw | Bad]:
    """Rows of a table, a batch in memory at a time; columns that say nothing of a consultation are not read."""
    try:
        with _seekable(path) as stream, pq.ParquetFile(stream, buffer_size=_BUFFER, pre_buffer=False) as table:
            columns = _columns(table, path)
            number = 0
            for batch in table.iter_batches(batch_size=BATCH, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield read_row(row, number)
    except (pa.ArrowException, OSError, UnicodeDecodeError, *GZIP_ERRORS) as error:
        raise ZhongjingError(f"this Parquet file is damaged ({type(error).__name__})", where=path) from error


def _columns(table: pq.ParquetFile, path: Path) -> list[str]:
    names = [name for name in table.schema_arrow.names if name in READ_FIELDS]
    if twice := sorted(name for name in set(names) if names.count(name) > 1):
        raise ZhongjingError(f"this table names {', '.join(twice)} more than once", where=path)
    if not KNOWN_COLUMNS.intersection(names):
        raise ZhongjingError(
            "this table has none of the known columns",
            where=path,
            hint=f"one of these is needed: {', '.join(sorted(KNOWN_COLUMNS))}",
        )
    return names


@contextmanager
def _seekable(path: Path) -> Iterator[BinaryIO]:
    """The file itself, or a temporary unzipped copy: Parquet is read from its end."""
    with open_bytes(path) as stream, tempfile.TemporaryFile() as copy:
        if isinstance(stream, gzip.GzipFile):
            shutil.copyfileobj(stream, copy)
            yield copy
        else:
            yield stream
