"""CSV and TSV, a row at a time with its first physical line; a bad byte or quote spoils one row only."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from corpus.readers.base import LONGEST_ROW, Bad, Raw, undecodable
from corpus.readers.rows import KNOWN_COLUMNS, read_row
from foundation.errors import ZhongjingError
from foundation.text import numbered_lines

DELIMITERS = (",", "\t", ";", "|")
MAX_LINES = 200
# Faults of a quotation mark that was closed by a later row's: that row is read again by itself.
_PERHAPS_ONE_LINE = frozenset({"bad_row", "wrong_columns"})
_UNREAD = "\ufffd"


def delimiter_of(header: str) -> str | None:
    """The delimiter with which `header` names known columns; None where it is no such header."""
    for delimiter in DELIMITERS:
        names = _header(header, delimiter)
        if len(names) > 1 and KNOWN_COLUMNS.intersection(names):
            return delimiter
    return None


def read_delimited(path: Path, encoding: str) -> Iterator[Raw | Bad]:
    """Rows under a header. A quote that is never closed rejects its own line; reading goes on below it."""
    csv.field_size_limit(LONGEST_ROW)
    lines = _Lines(numbered_lines(path, encoding, longest=LONGEST_ROW))
    header = lines.next_filled()
    if header is None:
        return
    delimiter = delimiter_of(header[1]) or ","
    names = _header(header[1], delimiter)
    if twice := sorted(name for name in KNOWN_COLUMNS.intersection(names) if names.count(name) > 1):
        raise ZhongjingError(f"the header names {', '.join(twice)} more than once", where=f"{path}:{header[0]}")
    while (first := lines.next_filled()) is not None:
        yield _row(first, lines, names, delimiter)


class _Lines:
    """Physical lines with look-ahead; `bad` holds those that did not decode, with their errors."""

    def __init__(self, lines: Iterator[tuple[int, str | UnicodeDecodeError]]) -> None:
        self.lines = lines
        self.waiting: deque[tuple[int, str]] = deque()
        self.bad: dict[int, UnicodeDecodeError] = {}

    def next(self) -> tuple[int, str] | None:
        if self.waiting:
            return self.waiting.popleft()
        for number, line in self.lines:
            if isinstance(line, str):
                return number, line
            self.bad[number] = line
            return number, line.object.decode(line.encoding, "replace").rstrip("\r\n") or _UNREAD
        return None

    def next_filled(self) -> tuple[int, str] | None:
        while (line := self.next()) is not None and not line[1].strip():
            pass
        return line


def _row(first: tuple[int, str], lines: _Lines, names: list[str], delimiter: str) -> Raw | Bad:
    number, taken = first[0], [first]
    while not _closed(taken, delimiter):
        following = lines.next() if len(taken) < MAX_LINES else None
        if following is None:
            lines.waiting.extendleft(reversed(taken[1:]))
            return Bad(number, "unclosed_quote", "a quotation mark that is never closed")
        taken.append(following)
    spoilt = [error for line, _ in taken if (error := lines.bad.pop(line, None)) is not None]
    if spoilt:
        return undecodable(number, spoilt[0])
    row = _cells(taken, names, delimiter)
    if isinstance(row, Bad) and len(taken) > 1 and row.reason in _PERHAPS_ONE_LINE:
        lines.waiting.extendleft(reversed(taken[1:]))
    return row


def _cells(taken: list[tuple[int, str]], names: list[str], delimiter: str) -> Raw | Bad:
    number = taken[0][0]
    try:
        cells = next(csv.reader([text + "\n" for _, text in taken], delimiter=delimiter, strict=len(taken) > 1), [])
    except csv.Error as error:
        return Bad(number, "bad_row", str(error))
    if len(cells) != len(names):
        return Bad(number, "wrong_columns", f"{len(cells)} cells under {len(names)} column names")
    return read_row(dict(zip(names, cells, strict=True)), number)


def _closed(taken: list[tuple[int, str]], delimiter: str) -> bool:
    """Whether the lines end outside quotation marks."""
    if len(taken) == 1 and '"' not in taken[0][1]:
        return True
    if len(taken) > 1 and '"' not in taken[-1][1]:
        return False
    try:
        next(csv.reader([text + "\n" for _, text in taken], delimiter=delimiter, strict=True), None)
    except csv.Error as error:
        return "unexpected end of data" not in str(error)
    return True


def _header(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []
    return [cell.strip().lower() for cell in cells]
