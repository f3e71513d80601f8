"""Which reader a file needs, by its first bytes and lines."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import msgspec

from corpus.readers.base import Reader
from corpus.readers.delimited import delimiter_of, read_delimited
from corpus.readers.json_files import read_json_array, read_json_lines
from corpus.readers.parquet_files import read_parquet
from corpus.readers.text_blocks import BLOCK, read_text_blocks
from foundation.errors import ZhongjingError
from foundation.text import GZIP_ERRORS, detect_encoding, numbered_lines, open_bytes

_LOOKED_AT = 50


class Format(msgspec.Struct, frozen=True):
    """A format by name, how to read it, and the encoding of its text."""

    name: str
    read: Reader
    encoding: str


def detect(path: Path) -> Format:
    """The format of a file; an error that names the file where it is empty, damaged or of no known format."""
    if _first_bytes(path) == b"PAR1":
        return Format("parquet", read_parquet, "")
    encoding = detect_encoding(path)
    lines = [line for _, line in islice(numbered_lines(path, encoding), _LOOKED_AT) if isinstance(line, str)]
    filled = [line for line in lines if line.strip()]
    if not filled:
        raise ZhongjingError("this file is empty or not text", where=path)
    first = filled[0].lstrip()
    if first.startswith("["):
        return Format("json", read_json_array, encoding)
    if first.startswith("{"):
        return Format("jsonl", read_json_lines, encoding)
    if any(BLOCK.match(line) for line in filled):
        return Format("meddialog", read_text_blocks, encoding)
    if delimiter_of(filled[0]) is not None:
        return Format("csv", read_delimited, encoding)
    if any(line.strip().startswith("{") and line.strip().endswith("}") for line in filled):
        return Format("jsonl", read_json_lines, encoding)
    raise ZhongjingError(
        "this file is of no known format",
        where=path,
        hint="known: JSON array, JSON lines, CSV or TSV under a header that names columns such as ask and answer, "
        "MedDialog text, Parquet; also gzipped",
    )


def _first_bytes(path: Path) -> bytes:
    try:
        with open_bytes(path) as stream:
            return stream.read(4)
    except GZIP_ERRORS as error:
        raise ZhongjingError("this gzip file is damaged or cut short", where=path) from error
