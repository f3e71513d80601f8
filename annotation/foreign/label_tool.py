"""RLHF-Label-Tool: its TSV, whose order has to be undone, and the JSON file from which it showed the answers.

Asked for the rank r_i of the i-th answer shown, the tool writes into column i the answer that was shown at place r_i,
where the answer of rank i belongs: the inverse permutation. 10 of the 24 orders of four answers are their own
inverse, the other 14 stand wrong in its files. The place at which column i's answer was shown is r_i again; so the
ranks come back, but only where it is known in which order the answers were shown.
"""

from __future__ import annotations

import ast
import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from annotation.foreign.rows import Ranked, Refused, Row, UnusableError, tiers_by_rank
from foundation.jsonl import BadJsonError, parse_json

HEAD = ("id", "query", "history")
LONGEST_CELL = 8 << 20
Shown = Callable[[str, Sequence[str]], Sequence[str]]
_RANK = re.compile(r"rank\d+")
_RESPONSE = re.compile(r"response_(\d{1,9})")


def is_table(text: str) -> bool:
    """Whether a text begins as the tool's TSV does."""
    head = text.split("\n", 1)[0].strip("\r").split("\t")
    return tuple(head[:3]) == HEAD and len(head) > len(HEAD) and all(map(_RANK.fullmatch, head[3:]))


def read_shown(text: str) -> dict[str, list[str]] | None:
    """Of the tool's own input file, the answers to each prompt in the order in which it shows them; None where this is
    another file."""
    try:
        content = parse_json(text)
    except BadJsonError:
        return None
    if not isinstance(content, dict) or not content or not all(map(_is_input, content.values())):
        return None
    return {name: _answers(entry) for name, entry in content.items()}


def read_table(text: str, shown: Shown) -> Iterator[Row]:
    """The rankings of the tool's TSV. `shown` gives the answers in the order shown, by the prompt's id and turns."""
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text), delimiter="\t")
    columns = len(next(reader))
    line = reader.line_num + 1
    try:
        for cells in reader:
            if cells:
                yield _row(cells, columns, line, shown)
            line = reader.line_num + 1
    except csv.Error as error:
        yield Refused(line, f"here the table breaks off ({error}): nothing behind it was read")


def undone(columns: Sequence[str], shown: Sequence[str]) -> list[list[str]]:
    """The order that was meant, best first, from the tool's columns and the answers as it showed them."""
    if len(set(shown)) < len(shown):
        raise UnusableError("two answers have the same text, so that the tool's order cannot be told")
    if sorted(columns) != sorted(shown):
        raise UnusableError("the columns do not hold the answers that were shown, each once")
    return tiers_by_rank({answer: shown.index(column) for answer, column in zip(shown, columns, strict=True)})


def _row(cells: Sequence[str], columns: int, line: int, shown: Shown) -> Row:
    try:
        if len(cells) != columns:
            raise UnusableError(f"{len(cells)} columns where the head has {columns}")
        name, query, history, *answers = cells
        turns = [*_turns(history), query]
        tiers = undone(answers, shown(name, turns))
    except UnusableError as error:
        return Refused(line, str(error))
    return Ranked(
        line=line,
        expert=None,
        prompt_id=name,
        turns=turns,
        orders={"overall": tiers},
        answers={answer: answer for answer in answers},
    )


def _turns(history: str) -> list[str]:
    """The tool writes the pairs of earlier turns as Python would print them."""
    try:
        pairs = ast.literal_eval(history or "[]")
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise UnusableError("the column history is no list of turns") from error
    if not isinstance(pairs, list) or not all(isinstance(pair, list | tuple) for pair in pairs):
        raise UnusableError("the column history is no list of turns")
    return [str(turn) for pair in pairs for turn in pair]


def _is_input(entry: Any) -> bool:
    return isinstance(entry, Mapping) and "query" in entry and any(map(_RESPONSE.fullmatch, entry))


def _answers(entry: Mapping[str, Any]) -> list[str]:
    numbered = sorted((int(match[1]), name) for name in entry if (match := _RESPONSE.fullmatch(name)))
    return [str(entry[name]) for _, name in numbered]
