"""Which reader a file needs, by its first bytes and lines."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import msgspec

from corpus.readers.base import Reader
from corpus.readers.delimited import delimiter_of, read_delimited
from corpus.readers.json_files import read_json_lines, read_json_values, wraps_rows
from corpus.readers.parquet_files import read_parquet
from corpus.readers.text_blocks import BLOCK, read_text_blocks
from foundation.errors import ZhongjingError
from foundation.text import GZIP_ERRORS, UNDECODED, detect_encoding, numbered_pieces, open_bytes

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
    filled = _first_lines(path, encoding)
    if not filled:
        raise ZhongjingError("this file is empty or not text", where=path)
    first = filled[0].lstrip()
    if first.startswith("[") or wraps_rows("\n".join(filled)) or _spread_over_lines(filled):
        return Format("json", read_json_values, encoding)
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


def _first_lines(path: Path, encoding: str) -> list[str]:
    """The first lines that hold anything, each as far as its first piece goes and as far as it decodes."""
    beginnings: dict[int, str] = {}
    for number, piece in islice(numbered_pieces(path, encoding), _LOOKED_AT):
        beginnings.setdefault(number, piece.rstrip("\r\n"))
    decoded = (text.partition(UNDECODED)[0] for text in beginnings.values())
    return [text for text in decoded if text.strip()]


def _spread_over_lines(filled: list[str]) -> bool:
    """Whether an object begins on the first line and ends on a later one, as no object of JSON lines does."""
    first = filled[0].strip()
    if not first.startswith("{") or first.endswith("}"):
        return False
    return not any(line.startswith("{") and line.rstrip().endswith("}") for line in filled[1:])


def _first_bytes(path: Path) -> bytes:
    try:
        with open_bytes(path) as stream:
            return stream.read(4)
    except GZIP_ERRORS as error:
        raise ZhongjingError("this gzip file is damaged or cut short", where=path) from error
