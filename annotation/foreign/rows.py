"""What every reader gives: a ranking as its file has it, or why there is none, each with its line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from corpus.records import Dimension
from foundation.files import existing_file
from foundation.jsonl import BadJsonError, parse_json
from foundation.text import detect_encoding

_SPACE = " \t\r\n,"


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """A ranking in somebody's file, by the file's own names.

    `orders` by dimension are tiers, best first, of names of answers; `answers` are the words behind names that are no
    output ids. The prompt is `prompt_id`, or else known by its words: `turns`, the last one the question. `expert` is
    None where the file does not say; `simulated` where it says that no person made it.
    """

    line: int
    expert: str | None
    prompt_id: str | None
    turns: list[str]
    orders: Mapping[Dimension, list[list[str]]]
    answers: Mapping[str, str] = {}
    seconds: float = 0.0
    simulated: bool = False


class Refused(msgspec.Struct, frozen=True):
    """A line that is no ranking, and why; no word of its text."""

    line: int
    reason: str


class UnusableError(ValueError):
    """Raised inside a reader for one ranking; the message says why."""


Row = Ranked | Refused


def read_text(path: Path) -> str:
    """A file's text, in whatever encoding tables from here come; a decoding error where it is in none."""
    content = existing_file(path).read_bytes()
    return content.decode(detect_encoding(path)).removeprefix("\ufeff")


def elements(text: str) -> Iterator[tuple[int, Any] | Refused]:
    """The values of a JSON array, or of JSON lines, each with the line on which it begins."""
    stripped = text.lstrip()
    start = len(text) - len(stripped)
    if not stripped.startswith("["):
        yield from _lines(text)
        return
    decoder, line, position = json.JSONDecoder(), text.count("\n", 0, start) + 1, start + 1
    while True:
        begun = position
        while position < len(text) and text[position] in _SPACE:
            position += 1
        line += text.count("\n", begun, position)
        if text[position : position + 1] == "]":
            return
        try:
            _, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            yield Refused(line, "here the JSON breaks off: nothing behind it was read")
            return
        yield _value(text[position:end], line)
        line += text.count("\n", position, end)
        position = end


def listed(value: Any) -> list[Any]:
    """A list as it is; anything else, which has no place where one is expected, as an empty one."""
    return value if isinstance(value, list) else []


def tiers_by_rank(ranks: Mapping[str, Any]) -> list[list[str]]:
    """Names in tiers by their rank, the smallest first; equal ranks tie."""
    if any(isinstance(rank, bool) or not isinstance(rank, int | float) for rank in ranks.values()):
        raise UnusableError("an answer without a rank")
    return [sorted(name for name in ranks if ranks[name] == rank) for rank in sorted(set(ranks.values()))]


def by_dimension(orders: Mapping[str, list[list[str]]]) -> dict[Dimension, list[list[str]]]:
    """Questions that are named as a dimension are that dimension; a single one of another name is the overall order."""
    found = {dimension: orders[dimension] for dimension in get_args(Dimension) if dimension in orders}
    others = [name for name in orders if name not in found]
    if len(others) == 1 and "overall" not in found:
        found["overall"] = orders[others[0]]
    elif others:
        raise UnusableError("several rankings, and which is the overall one is not said")
    if not found:
        raise UnusableError("there is no ranking in this answer")
    return found


def _lines(text: str) -> Iterator[tuple[int, Any] | Refused]:
    for line, part in enumerate(text.split("\n"), start=1):
        if part.strip():
            yield _value(part, line)


def _value(text: str, line: int) -> tuple[int, Any] | Refused:
    try:
        return line, parse_json(text)
    except BadJsonError as error:
        return Refused(line, str(error))
