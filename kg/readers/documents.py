"""JSON graphs: CMeKG's web form, nested objects, spo lists and QASystemOnMedicalKG, as one document or as lines.

A document is read item by item, so that each statement has its line and a fault costs one item, not the file.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from foundation.jsonl import BadJsonError, parse_json
from foundation.rejects import Reject
from foundation.text import numbered_lines
from kg.readers.shapes import statements_in
from kg.readers.statements import Origin
from kg.records import Triple

Span = tuple[str | None, int, int]

_LOOSE = json.JSONDecoder(strict=False)
_PRINTED = ("{'", "['", "('", "[{'", "[('", "[['")
_SPACE = re.compile(r"[ \t\r\n]*")
_SAMPLE = 20
_CUT_SHORT = 2
_RECORD = re.compile(
    r'[\ufeff\s]*\{\s*"(?:name|text|_id|id|spo_list|名称|名字|head|subject|h|s|头实体|主体|实体1|alias|别名)"\s*:'
)


class Item(msgspec.Struct, frozen=True):
    """An element of a document: its key where the document is an object, its value, its line."""

    key: str | None
    value: Any
    line: int


class _BrokenError(Exception):
    """The rest of a document cannot be read: `at` is the offset."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


Line = tuple[int, str | UnicodeDecodeError]


def read_documents(path: Path, encoding: str, origin: Origin, form: str | None) -> Iterator[Triple | Reject]:
    """The statements of a JSON file, one document or one value a line."""
    for item in read_items(path, encoding, origin):
        if isinstance(item, Reject):
            yield item
        else:
            yield from statements_in(item.key, item.value, item.line, origin, form)


def read_items(path: Path, encoding: str, origin: Origin) -> Iterator[Item | Reject]:
    """The elements of one JSON document, or the values of JSON lines; lines are read one by one."""
    lines = numbered_lines(path, encoding)
    first: list[Line] = []
    filled: list[str] = []
    for number, line in lines:
        first.append((number, line))
        if isinstance(line, str) and line.strip():
            filled.append(line.strip())
            if len(filled) == _SAMPLE:
                break
    every = chain(first, lines)
    return _line_items(every, origin) if _is_lines(filled) else _document_items(list(every), origin)


def _is_lines(filled: Sequence[str]) -> bool:
    """Whether most of the first lines are a value each; a single line is, where it is one record."""
    ends = [(line[0], line.rstrip(",")[-1:]) for line in filled]
    whole = sum(pair in (("{", "}"), ("[", "]"), ("(", ")")) for pair in ends)
    if len(filled) == 1:
        return whole == 1 and (filled[0].startswith(_PRINTED) or _RECORD.match(filled[0]) is not None)
    cut_short = len(filled) == _CUT_SHORT and filled[0].endswith("}") and filled[-1].startswith("{")
    return 2 * whole > len(filled) or cut_short


def _line_items(lines: Iterable[Line], origin: Origin) -> Iterator[Item | Reject]:
    for number, line in lines:
        if isinstance(line, UnicodeDecodeError):
            yield origin.reject("bad_encoding", "this line does not decode", number)
        elif line.strip():
            yield _strict(None, line.rstrip().rstrip(","), number, origin)


def _strict(key: str | None, text: str, line: int, origin: Origin) -> Item | Reject:
    try:
        return Item(key, parse_json(text), line)
    except BadJsonError as error:
        literal = _literal(text)
        return origin.reject("bad_json", str(error), line) if literal is None else Item(key, literal, line)


def _literal(text: str) -> Any:
    """What Python printed instead of JSON (`{'肺炎': …}`, `('肺炎', …)`); None where it is no such thing."""
    if not text.startswith(_PRINTED):
        return None
    try:
        return json.loads(json.dumps(ast.literal_eval(text)))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def _document_items(lines: list[Line], origin: Origin) -> Iterator[Item | Reject]:
    undecodable = [number for number, line in lines if isinstance(line, UnicodeDecodeError)]
    for number in undecodable:
        yield origin.reject("bad_encoding", "this line does not decode", number)
    text = "\n".join("" if isinstance(line, UnicodeDecodeError) else line for _, line in lines)
    if lines and isinstance(lines[-1][1], UnicodeDecodeError):
        text += _before(lines[-1][1])
    lines.clear()
    if _RECORD.match(text):
        yield _strict(None, text, 1, origin)
        return
    place, line_at = 0, 1
    try:
        for key, start, end in _spans(text):
            line_at += text.count("\n", place, start)
            place = start
            if key is _REPEATED:
                yield origin.reject("bad_json", "a key occurs twice in one object", line_at)
            else:
                yield _strict(key, text[start:end], line_at, origin)
    except _BrokenError as broken:
        line = text.count("\n", 0, broken.at) + 1
        yield origin.reject("bad_json", "the document is cut short or malformed from here on", line)


def _before(error: UnicodeDecodeError) -> str:
    """What stands before the bytes that do not decode: all but a character where a file was cut inside it."""
    return error.object[: error.start].decode(error.encoding)


_REPEATED = "\x00repeated"


def _spans(text: str) -> Iterator[tuple[str | None, int, int]]:
    """Key, start and end of every element; the elements of lists inside an object come one by one."""
    start = _skip(text, 0)
    if text.startswith("\ufeff", start):
        start = _skip(text, start + 1)
    if text[start : start + 1] == "[":
        end = yield from _list_spans(text, start, None)
    elif text[start : start + 1] == "{":
        end = yield from _object_spans(text, start)
    else:
        raise _BrokenError(start)
    if _skip(text, end) != len(text):
        raise _BrokenError(end)


def _object_spans(text: str, start: int) -> Generator[Span, None, int]:
    place, seen = _skip(text, start + 1), set[str]()
    while text[place : place + 1] != "}":
        key, colon = _value(text, place)
        colon = _skip(text, colon)
        if not isinstance(key, str) or text[colon : colon + 1] != ":":
            raise _BrokenError(colon)
        value = _skip(text, colon + 1)
        if key in seen:
            _, end = _value(text, value)
            yield _REPEATED, value, end
        elif text[value : value + 1] == "[":
            end = yield from _list_spans(text, value, key)
        else:
            _, end = _value(text, value)
            yield key, value, end
        seen.add(key)
        place = _next(text, end, "}")
    return place + 1


def _list_spans(text: str, start: int, key: str | None) -> Generator[Span, None, int]:
    place = _skip(text, start + 1)
    while text[place : place + 1] != "]":
        _, end = _value(text, place)
        yield key, place, end
        place = _next(text, end, "]")
    return place + 1


def _next(text: str, end: int, closing: str) -> int:
    """The start of the element after `end`, or the closing bracket."""
    place = _skip(text, end)
    if text[place : place + 1] == closing:
        return place
    if text[place : place + 1] != ",":
        raise _BrokenError(place)
    return _skip(text, place + 1)


def _value(text: str, place: int) -> tuple[Any, int]:
    try:
        return _LOOSE.raw_decode(text, place)
    except (ValueError, RecursionError) as error:
        raise _BrokenError(place) from error


def _skip(text: str, place: int) -> int:
    return _SPACE.match(text, place).end()  # type: ignore[union-attr]
