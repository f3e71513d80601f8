"""Bytes to text where nobody says which encoding it is."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from foundation.errors import ZhongjingError
from foundation.files import existing_file

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ENCODINGS = ("utf-8", "gb18030")
TOO_LONG = "a line too long to be held"
UNDECODED = "\udfff"
GZIP_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)
_AS_SURROGATE = "zhongjing.undecoded"
codecs.register_error(_AS_SURROGATE, lambda error: (UNDECODED, error.end))  # type: ignore[attr-defined]
_SAMPLE = 1 << 18
_CHUNK = 1 << 12
_PIECE = 1 << 16
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LEAST_HAN_SHARE = 0.4
_SURELY_CHINESE = 0.8
# Letters that two bytes of UTF-8 spell, Greek aside: what GB18030 turns into when it is read as UTF-8.
_UNUSUAL = re.compile("[\u0080-\u02ff\u0400-\u07ff]")


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading, through gzip where its first bytes say so."""
    with existing_file(path).open("rb") as probe:
        zipped = probe.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def detect_encoding(path: Path) -> str:
    """`utf-8`, `gb18030`, `utf-16` or `utf-32` (also without a byte order mark), judged by the beginning of the file.

    Bytes of either encoding may happen to be valid in the other; the reading with the larger share of
    everyday Chinese characters among its non-ASCII ones wins, GB18030 only where that is most of them.
    """
    sample = _beginning(path)
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    shares = {encoding: _han_share(sample, encoding) for encoding in ENCODINGS}
    wide = _wide_without_mark(sample)
    if wide and _han_share(sample, wide) >= max(shares.values()):
        return wide
    return "gb18030" if shares["gb18030"] > max(shares["utf-8"], _LEAST_HAN_SHARE) else "utf-8"


def numbered_lines(
    path: Path, encoding: str | None = None, *, longest: int | None = None
) -> Iterator[tuple[int, str | UnicodeDecodeError]]:
    """Lines of a text file with their numbers from 1, line ends removed (of old Macs too).

    A line that does not decode is given as its error, and the next one is read; so is a line of more than
    `longest` bytes, which is never held in memory and whose error has the reason `TOO_LONG`.
    """
    encoding = encoding or detect_encoding(path)
    with _gzip_errors(path), _text_bytes(path) as stream:
        if encoding not in ENCODINGS:
            yield from enumerate(_wide_lines(stream, encoding, longest), start=1)
            return
        for number, line in enumerate(_byte_lines(stream, longest), start=1):
            yield number, _too_long(encoding) if line is None else _decode(line, encoding, first=number == 1)


def numbered_pieces(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """The text of a file in pieces of at most 64 Ki characters, each with the number of its line; a piece ends with
    its line at the latest. What does not decode is given as `UNDECODED`, a lone surrogate."""
    number = 1
    with (
        _gzip_errors(path),
        _text_bytes(path) as stream,
        io.TextIOWrapper(stream, encoding=encoding, errors=_AS_SURROGATE, newline="\n") as lines,
    ):
        piece = lines.readline(_PIECE).removeprefix("\ufeff")
        while piece:
            yield number, piece
            number += piece.endswith("\n")
            piece = lines.readline(_PIECE)


@contextmanager
def _gzip_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except GZIP_ERRORS as error:
        raise ZhongjingError(f"this gzip file is damaged or cut short: {error}", where=path) from error


@contextmanager
def _text_bytes(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a text file; where carriage returns alone end its lines, with line feeds in their place."""
    sample = _beginning(path)
    with open_bytes(path) as stream:
        old_mac = b"\r" in sample and b"\n" not in sample
        yield io.BufferedReader(_LineFeeds(stream)) if old_mac else stream


class _LineFeeds(io.RawIOBase):
    """A stream whose carriage returns read as line feeds."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def readable(self) -> bool:
        """Yes: that is all it can do."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill `buffer` from the stream."""
        view = memoryview(buffer)
        read = self.stream.read(len(view)).replace(b"\r", b"\n")
        view[: len(read)] = read
        return len(read)


def _byte_lines(stream: BinaryIO, longest: int | None) -> Iterator[bytes | None]:
    """Lines; None for one that is too long."""
    if longest is None:
        yield from stream
        return
    while line := stream.readline(longest):
        if len(line) < longest or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(_PIECE)
        yield None


def _too_long(encoding: str) -> UnicodeDecodeError:
    return UnicodeDecodeError(encoding, b"", 0, 0, TOO_LONG)


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


def _wide_lines(stream: BinaryIO, encoding: str, longest: int | None) -> Iterator[str | UnicodeDecodeError]:
    size = -1 if longest is None else longest
    with io.TextIOWrapper(stream, encoding=encoding, errors=_AS_SURROGATE, newline="\n") as lines:
        while line := lines.readline(size):
            if len(line) == size and not line.endswith("\n"):
                while line and not line.endswith("\n"):
                    line = lines.readline(_PIECE)
                yield _too_long(encoding)
                continue
            text = line.rstrip("\r\n").removeprefix("\ufeff")
            if UNDECODED in text:
                whole = text.encode("utf-16-le", "surrogatepass")
                yield UnicodeDecodeError("utf-16-le", whole, 0, len(whole), "unpaired or cut short")
            else:
                yield text


def _wide_without_mark(sample: bytes) -> str | None:
    """UTF-16 that does not say so: in text, ASCII punctuation and digits leave NUL bytes on one side alone,
    as a NUL character or two in a short text of another encoding do as well."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    few = len(sample) // 100
    if max(even, odd) <= few or min(even, odd) > few:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def read_wrongly(text: str) -> bool:
    """Whether a text is UTF-8 that was read as GB18030 or the other way round: read the other way, it has
    the larger share of everyday Chinese characters."""
    if text.isascii():
        return False
    share = everyday_share(text)
    if share > _SURELY_CHINESE and not _UNUSUAL.search(text):
        return False
    return any(
        _reread_share(text, written, read) > max(share, _LEAST_HAN_SHARE)
        for written, read in (("gb18030", "utf-8"), ("utf-8", "gb18030"))
    )


def everyday_share(text: str) -> float:
    """The share of everyday Chinese characters among the Han characters of a text; 1 where there are none."""
    codes = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype="<u2")
    han = codes[(codes >= 0x4E00) & (codes <= 0x9FFF)]
    return float(_everyday_table()[han].mean()) if len(han) else 1.0


def _reread_share(text: str, written: str, read: str) -> float:
    return _share_of(text.encode(written, errors="replace").decode(read, errors="replace"))


def _han_share(sample: bytes, encoding: str) -> float:
    return _share_of(sample.decode(encoding, errors="replace"))


def _share_of(text: str) -> float:
    """The share of everyday Chinese characters and punctuation among the non-ASCII characters of a text."""
    codes = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype="<u2")
    other = codes[codes > 0x7F]
    return float(_everyday_table()[other].mean()) if len(other) else 1.0


@cache
def _everyday_table() -> npt.NDArray[np.bool_]:
    table = np.zeros(1 << 16, dtype=np.bool_)
    table[[ord(character) for character in _everyday()]] = True
    return table


def _everyday() -> frozenset[str]:
    """The 3,755 most used Han characters (level 1 of GB 2312) and Chinese punctuation."""
    han = b"".join(bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    return frozenset(han.decode("gb2312", errors="ignore") + "，。！？：；、（）《》“”‘’…—～")
