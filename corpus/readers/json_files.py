"""JSON arrays, objects and lines, one consultation in memory at a time, each with its physical line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, TypeVar

from corpus.readers.base import LONGEST_ROW, Bad, Raw, undecodable
from corpus.readers.rows import read_row
from foundation.jsonl import BadJsonError, parse_json
from foundation.text import UNDECODED, numbered_lines, numbered_pieces

Row = TypeVar("Row")
ReadRow = Callable[[Any, int], Row | Bad]

# A string as far as it goes in this piece (group 1 is its closing quote), or a mark outside strings.
_TOKEN = re.compile(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*("?)|[\[\]{},]')
_REST_OF_STRING = re.compile(r'[^"\\\n]*(?:\\.[^"\\\n]*)*("?)')
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_FIRST_KEY = re.compile(r'\{\s*("(?:[^"\\\n]|\\.)*")\s*:')
# An object that only wraps the array of its rows, up to that array: {"version": 1, "data": [
_WRAPPER = re.compile(
    r'"(?:data|rows|records|items|examples|instances|samples|dialogues|consultations|train|validation|dev|test)"\s*:\s*$'
)
_BETWEEN = " \t\r\n,]"
_MAY_RUN_ON = frozenset({"invalid_json", "encoding"})


def read_json_lines(path: Path, encoding: str) -> Iterator[Raw | Bad]:
    """An object a line."""
    return json_lines(path, encoding, read_row)


def json_lines(path: Path, encoding: str, read: ReadRow[Row]) -> Iterator[Row | Bad]:
    """What `read` makes of the value on each line."""
    for number, line in numbered_lines(path, encoding, longest=LONGEST_ROW):
        if isinstance(line, UnicodeDecodeError):
            yield undecodable(number, line)
        elif line.strip():
            yield _parsed(line, number, read)


def read_json_values(path: Path, encoding: str) -> Iterator[Raw | Bad]:
    """The elements of an array, or objects one after the other, however they are spread over lines."""
    return json_values(path, encoding, read_row)


def json_values(path: Path, encoding: str, read: ReadRow[Row]) -> Iterator[Row | Bad]:
    """What `read` makes of the elements of an array, or of objects one after the other, however they are spread over
    lines. An object that wraps arrays of rows, such as {"data": […]}, is opened; what else it holds is passed over.

    Where the file is cut short its whole elements come, and one fault at the end.
    """
    return _Values(read).read(numbered_pieces(path, encoding))


def wraps_rows(beginning: str) -> bool:
    """Whether a file that begins like this is an object around an array of rows, which are no mere texts."""
    before, bracket, inside = beginning.partition("[")
    first, holds_texts = before.lstrip(), inside.lstrip().startswith('"')
    if not bracket or holds_texts or not first.startswith("{") or "\n{" in first:
        return False
    return _WRAPPER.search(first) is not None


def _parsed(text: str, line: int, read: ReadRow[Row]) -> Row | Bad:
    try:
        value = parse_json(text)
    except BadJsonError as error:
        return Bad(line, "invalid_json", str(error))
    return read(value, line)


def _too_long(line: int) -> Bad:
    return Bad(line, "too_long", f"an element of more than {LONGEST_ROW:,} characters")


class _Values(Generic[Row]):
    """Cuts text into elements by brackets and quotes alone, so that one broken element spoils no other.

    Where brackets or quotes do not match, an element runs on into its neighbours; it is cut again wherever the text
    begins as the first element began: by the same indent, or by the same first key.
    """

    def __init__(self, read: ReadRow[Row]) -> None:
        self.read_row = read
        self.in_array, self.wrapped = False, False
        self.opening: re.Pattern[str] | None = None
        self.lost = False
        self._begin()

    def read(self, pieces: Iterable[tuple[int, str]]) -> Iterator[Row | Bad]:
        number = 1
        for number, text in pieces:
            yield from self._piece(text, number)
        if any(part.strip() for part in self.parts):
            yield from self._cut_again(last=True)
        elif self.in_array and not self.lost:
            yield Bad(number, "truncated", "the file ends inside the array")

    def _begin(self) -> None:
        self.depth, self.in_string, self.escaped = 0, False, False
        self.parts: list[str] = []
        self.size, self.start = 0, 0

    def _piece(self, text: str, number: int) -> Iterator[Row | Bad]:
        taken = 0
        if self.lost:
            found = self.opening.search(text) if self.opening else None
            if found is None:
                return
            taken, self.lost = found.start(), False
        for position, mark in self._marks(text, taken):
            if mark in "{[":
                if self._opens_array(mark, text[taken : position - 1]):
                    taken = position
                    continue
                self._learn_opening(text, position - 1)
                self.depth += 1
            elif self.depth > 0:
                self.depth -= mark in "}]"
            else:
                self._take(text[taken : position - 1], number)
                taken = position
                if mark == "}" or (mark == "]" and not self.in_array):
                    yield Bad(number, "invalid_json", "a bracket too many")
                yield from self._finish()
                self._leave_array(mark, number)
                continue
            if self.depth == 0 and mark in "}]":
                self._take(text[taken:position], number)
                taken = position
                yield from self._finish()
        self._take(text[taken:], number)
        if self.size > LONGEST_ROW:
            yield from self._cut_again(last=False)

    def _marks(self, text: str, position: int) -> Iterator[tuple[int, str]]:
        """Brackets and commas outside strings, each with the offset behind it."""
        if self.in_string:
            match = _REST_OF_STRING.match(text, position + self.escaped)
            assert match is not None
            self._leave_string(match, text)
            position = match.end()
        for token in _TOKEN.finditer(text, position):
            if token.group()[0] == '"':
                self._leave_string(token, text)
            elif not (self.depth > 0 and token.group() == ","):
                yield token.end(), token.group()

    def _leave_string(self, match: re.Match[str], text: str) -> None:
        """A string goes on in the next piece unless it was closed, or broken off by the end of its line."""
        rest = text[match.end() :]
        self.in_string = not match.group(1) and rest in ("", "\\")
        self.escaped = self.in_string and rest == "\\"

    def _opens_array(self, mark: str, before: str) -> bool:
        if self.in_array or mark == "{" or self.depth > 1:
            return False
        if self.depth == 1:
            if not _WRAPPER.search("".join((*self.parts[-2:], before))):
                return False
            self.wrapped, self.opening = True, None
        elif any(part.strip() for part in (*self.parts, before)):
            return False
        self._begin()
        self.in_array = True
        return True

    def _leave_array(self, mark: str, number: int) -> None:
        """After the array of a wrapper its other fields follow, as if it began anew."""
        if mark == "]" and self.in_array and self.wrapped:
            self.parts, self.size, self.start, self.depth = ["{"], 1, number, 1
        self.in_array = self.in_array and mark != "]"

    def _learn_opening(self, text: str, position: int) -> None:
        """Remember how the first element begins: by its indent, or by its first key."""
        if self.depth or self.opening is not None:
            return
        key = _FIRST_KEY.match(text, position)
        if text[position] == "{" and text[:position].isspace():
            self.opening = re.compile(rf"^{re.escape(text[:position])}\{{", re.MULTILINE)
        elif key is not None:
            self.opening = re.compile(rf"\{{\s*{re.escape(key.group(1))}\s*:")

    def _take(self, text: str, number: int) -> None:
        if not self.parts and not text.strip():
            return
        if not self.parts:
            self.start = number
        self.parts.append(text)
        self.size += len(text)

    def _finish(self) -> Iterator[Row | Bad]:
        text, start, size = "".join(self.parts), self.start, self.size
        self._begin()
        if self.wrapped and not self.in_array:
            self.wrapped = False
        elif size > LONGEST_ROW:
            yield _too_long(start)
        elif text:
            yield from self._elements(text, start)

    def _elements(self, text: str, start: int) -> Iterator[Row | Bad]:
        """The one element in a text; or, where it is none, those that begin in it."""
        if UNDECODED in text:
            whole: Row | Bad = Bad(start, "encoding", "bytes that do not decode")
        else:
            whole = _parsed(text, start, self.read_row)
        parts = self._parts(text, start) if isinstance(whole, Bad) and whole.reason in _MAY_RUN_ON else []
        if len(parts) < 2:
            yield whole
            return
        self.in_array = self.in_array and not text.endswith("]")  # a bracket of the array closed an element
        for part, line in parts:
            yield from self._elements(part.rstrip(_BETWEEN), line)

    def _parts(self, text: str, start: int) -> list[tuple[str, int]]:
        """A text cut wherever it begins as the first element did, with lines."""
        first = len(text) - len(text.lstrip())
        cuts = [match.start() for match in self.opening.finditer(text, first + 1)] if self.opening else []
        parts: list[tuple[str, int]] = []
        for begin, end in pairwise([0, *cuts, len(text)]):
            parts.append((text[begin:end], start))
            start += text.count("\n", begin, end)
        return parts

    def _last(self, text: str, start: int) -> Row | Bad:
        """The element at the end of a file: whole where only an earlier one was never closed, cut short otherwise."""
        last = _parsed(text.rstrip().removesuffix("]"), start, self.read_row)
        if isinstance(last, Bad) and last.reason in _MAY_RUN_ON:
            return Bad(start, "truncated", "the file ends inside this element")
        return last

    def _cut_again(self, *, last: bool) -> Iterator[Row | Bad]:
        """Deal with text that no bracket closes: give the elements in it and keep what may still go on."""
        parts = self._parts("".join(self.parts), self.start)
        begun, start = parts.pop()
        self._begin()
        for text, line in parts:
            yield from self._elements(text.rstrip(_BETWEEN), line)
        if last:
            yield self._last(begun, start)
        elif parts:
            for number, text in enumerate(_LINE.findall(begun), start=start):
                yield from self._piece(text, number)
        else:
            yield _too_long(start)
            self.lost = True
