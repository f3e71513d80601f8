"""JSON arrays and JSON lines, an element in memory at a time, each with its physical line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from corpus.readers.base import Bad, Raw
from corpus.readers.rows import read_row
from foundation.jsonl import BadJsonError, parse_json
from foundation.text import numbered_lines

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{},]')
_OPENING = re.compile(r'(?:\s+\{|\{"[^"\\]*":)')


def read_json_lines(path: Path, encoding: str) -> Iterator[Raw | Bad]:
    """An object a line."""
    for number, line in numbered_lines(path, encoding):
        if isinstance(line, UnicodeDecodeError):
            yield Bad(number, "encoding", f"bytes that are not {encoding}")
        elif line.strip():
            yield _parsed(line, number)


def read_json_array(path: Path, encoding: str) -> Iterator[Raw | Bad]:
    """The elements of one array. Where it is cut short its whole elements come, and one fault at the end."""
    return _Elements().read(numbered_lines(path, encoding))


def _parsed(text: str, line: int) -> Raw | Bad:
    try:
        value = parse_json(text)
    except BadJsonError as error:
        return Bad(line, "invalid_json", str(error))
    return read_row(value, line)


class _Elements:
    """Cuts an array into its elements by brackets alone, so that one broken element spoils no other.

    After a break in the nesting, a line that begins as the first element began starts a new element.
    """

    def __init__(self) -> None:
        self.depth = 0
        self.parts: list[str] = []
        self.start = 0
        self.undecodable = False
        self.opening: str | None = None
        self.closed = False

    def read(self, lines: Iterable[tuple[int, str | UnicodeDecodeError]]) -> Iterator[Raw | Bad]:
        number = 1
        for number, line in lines:
            text = line if isinstance(line, str) else line.object.decode(line.encoding, "replace")
            if self.depth > 1 and self.opening and text.startswith(self.opening):
                yield Bad(self.start, "invalid_json", "an element that is never closed")
                self._reset(1)
            yield from self._line(text, number, broken=not isinstance(line, str))
        if self.depth > 0:
            yield Bad(self.start or number, "truncated", "the file ends inside the array")

    def _line(self, text: str, number: int, *, broken: bool) -> Iterator[Raw | Bad]:
        position = 0
        if self.depth == 0 and not self.closed:
            position = text.find("[") + 1
            self.depth = min(position, 1)
        elif self.closed and text.strip():
            yield Bad(number, "invalid_json", "text after the end of the array")
            return
        self.undecodable |= broken
        for token in _TOKEN.finditer(text, position):
            mark = token.group()
            if mark in "{[":
                self.depth += 1
                self._learn_opening(text, token.start())
            elif mark in "}]":
                self.depth -= 1
            if self.depth == 0 or (self.depth == 1 and mark == ","):
                self._take(text[position : token.start()], number)
                yield from self._finish(number)
                position = token.end()
            if self.depth == 0:
                self.closed = True
                yield from self._line(text[position:], number, broken=False) if text[position:].strip() else ()
                return
        self._take(text[position:] + "\n", number)

    def _learn_opening(self, text: str, position: int) -> None:
        """Remember how the first element begins: by its indent, nested objects standing deeper, or its first key."""
        if self.depth == 2 and self.opening is None:
            found = _OPENING.match(text)
            self.opening = found.group() if found and text.index("{") == position else ""

    def _take(self, text: str, number: int) -> None:
        if not self.parts and not text.strip():
            return
        if not self.parts:
            self.start = number
        self.parts.append(text)

    def _finish(self, number: int) -> Iterator[Raw | Bad]:
        text, start, undecodable = "".join(self.parts), self.start, self.undecodable
        self._reset(self.depth)
        if undecodable:
            yield Bad(start or number, "encoding", "bytes that do not decode")
        elif text:
            yield _parsed(text, start)

    def _reset(self, depth: int) -> None:
        self.depth, self.parts, self.start, self.undecodable = depth, [], 0, False
