"""Lines of a table as cells: the separator is found by looking, a quoted cell may go over several lines."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from foundation.text import numbered_lines

SEPARATORS = (",", "\t", "|", ";", "，", " ")
SAMPLE = 200
_MOST_LINES = 20
_TYPED = 5  # type, name, relation, type, name: names may hold a blank now and then
_MOST = 0.8

Line = str | UnicodeDecodeError
Row = list[str] | UnicodeDecodeError | None
"""Cells; the error where the line does not decode; None where its quotation marks do not close."""


def rows_of(path: Path, encoding: str, separator: str) -> Iterator[tuple[int, Row]]:
    """The rows of a file with the line that each begins on; blank lines are passed over."""
    lines = _Lines(numbered_lines(path, encoding))
    for number, line in lines:
        if isinstance(line, UnicodeDecodeError):
            yield number, line
        elif '"' in line and not _is_closed(line):
            yield number, _joined(line, lines, separator)
        elif line and not line.isspace():
            yield number, _cells(line, separator)


class _Lines:
    """Numbered lines that can be given back."""

    def __init__(self, lines: Iterable[tuple[int, Line]]) -> None:
        self._lines = iter(lines)
        self._returned: deque[tuple[int, Line]] = deque()

    def __iter__(self) -> Iterator[tuple[int, Line]]:
        return self

    def __next__(self) -> tuple[int, Line]:
        return self._returned.popleft() if self._returned else next(self._lines)

    def give_back(self, taken: Iterable[tuple[int, Line]]) -> None:
        self._returned.extendleft(reversed(list(taken)))


def _joined(first: str, lines: _Lines, separator: str) -> list[str] | None:
    """The row that begins with an open quotation mark and closes it on a later line; None where none closes it.

    A line that is a row by itself shows that the mark before it was never meant to stay open.
    """
    taken: list[tuple[int, Line]] = []
    text = first
    for number, line in islice(lines, _MOST_LINES):
        taken.append((number, line))
        if isinstance(line, UnicodeDecodeError):
            break
        text += "\n" + line
        if _is_closed(text):
            cells = _cells(text, separator)
            if cells is not None:
                return cells
    lines.give_back(taken)
    return None


def _is_closed(text: str) -> bool:
    return text.count('"') % 2 == 0


def _cells(line: str, separator: str) -> list[str] | None:
    if separator == " ":
        return line.split()
    if '"' not in line:
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error:
        return None


def separator_of(path: Path, encoding: str, least: int) -> str | None:
    """The separator that gives most of the first lines the same number of columns, `least` or more."""
    lines = [line for _, line in islice(numbered_lines(path, encoding), SAMPLE) if isinstance(line, str)]
    lines = [line for line in lines if line.strip()]
    widths = {mark: [len(_cells(line, mark) or ()) for line in lines] for mark in SEPARATORS}
    common = {mark: max((counts.count(width), width) for width in {*counts, 0}) for mark, counts in widths.items()}
    count, width = common.pop(" ")
    good = [mark for mark, (_, columns) in common.items() if columns >= least]
    if not good and ((count, width) == (len(lines), least) or (width == _TYPED and count > _MOST * len(lines))):
        return " "
    return max(good, key=lambda mark: (common[mark][0], -SEPARATORS.index(mark)), default=None)
