"""Bytes to text where nobody says which encoding it is."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

from foundation.errors import ZhongjingError
from foundation.files import existing_file

ENCODINGS = ("utf-8", "gb18030")
GZIP_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)
_UNDECODED = "\udfff"
_AS_SURROGATE = "zhongjing.undecoded"
codecs.register_error(_AS_SURROGATE, lambda error: (_UNDECODED, error.end))  # type: ignore[attr-defined]
_SAMPLE = 1 << 18
_CHUNK = 1 << 12


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading, through gzip where its first bytes say so."""
    with existing_file(path).open("rb") as probe:
        zipped = probe.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def detect_encoding(path: Path) -> str:
    """`utf-8`, `utf-16` or `gb18030`, judged by the beginning of the file.

    Bytes of either encoding may happen to be valid in the other; the reading with the larger share of
    everyday Chinese characters among its non-ASCII ones wins.
    """
    sample = _beginning(path)
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return max(ENCODINGS, key=lambda encoding: (_han_share(sample, encoding), encoding == "utf-8"))


def numbered_lines(path: Path, encoding: str | None = None) -> Iterator[tuple[int, str | UnicodeDecodeError]]:
    """Lines of a text file with their numbers from 1, line ends removed; a line that does not decode is
    given as its error, and the next one is read."""
    encoding = encoding or detect_encoding(path)
    try:
        with open_bytes(path) as stream:
            if encoding == "utf-16":
                yield from enumerate(_utf16_lines(stream), start=1)
                return
            for number, line in enumerate(stream, start=1):
                yield number, _decode(line, encoding, first=number == 1)
    except GZIP_ERRORS as error:
        raise ZhongjingError(f"this gzip file is damaged or cut short: {error}", where=path) from error


def _beginning(path: Path) -> bytes:
    """The first bytes of a file; of a damaged gzip file as many as can be had."""
    parts: list[bytes] = []
    with open_bytes(path) as stream, suppress(*GZIP_ERRORS):
        while sum(map(len, parts)) < _SAMPLE and (part := stream.read(_CHUNK)):
            parts.append(part)
    return b"".join(parts)


def _decode(line: bytes, encoding: str, *, first: bool) -> str | UnicodeDecodeError:
    try:
        text = line.rstrip(b"\r\n").decode(encoding)
    except UnicodeDecodeError as error:
        return error
    return text.removeprefix("\ufeff") if first else text


def _utf16_lines(stream: BinaryIO) -> Iterator[str | UnicodeDecodeError]:
    with io.TextIOWrapper(stream, encoding="utf-16", errors=_AS_SURROGATE, newline="\n") as lines:
        for line in lines:
            text = line.rstrip("\r\n")
            if _UNDECODED in text:
                whole = text.encode("utf-16-le", "surrogatepass")
                yield UnicodeDecodeError("utf-16-le", whole, 0, len(whole), "unpaired or cut short")
            else:
                yield text


def _han_share(sample: bytes, encoding: str) -> float:
    other = [character for character in sample.decode(encoding, errors="replace") if not character.isascii()]
    return sum(map(_everyday().__contains__, other)) / len(other) if other else 1.0


def everyday_share(text: str) -> float:
    """The share of everyday Chinese characters among the Han characters of a text; 1 where there are none."""
    han = [character for character in text if "\u4e00" <= character <= "\u9fff"]
    return sum(map(_everyday().__contains__, han)) / len(han) if han else 1.0


@cache
def _everyday() -> frozenset[str]:
    """The 3,755 most used Han characters (level 1 of GB 2312) and Chinese punctuation."""
    han = b"".join(bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    return frozenset(han.decode("gb2312", errors="ignore") + "，。！？：；、（）《》“”‘’…—～")
