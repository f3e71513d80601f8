"""One row (a JSON object, a table row) of any known shape to a consultation."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from corpus.readers.base import Bad, Raw, UnreadableRowError, messages_of_lines, messages_of_text, role_of
from corpus.records import Message, Role
from foundation.jsonl import BadJsonError, parse_json
from foundation.text import read_wrongly

Row = Mapping[str, Any]

_TURN_LISTS = ("conversations", "messages", "conversation", "dialog", "dialogue", "dialogs", "data")
_WHOLE_TEXTS = frozenset({"conversation", "dialog", "dialogue"})
_ROLE_KEYS = ("from", "role", "speaker")
_TEXT_KEYS = ("value", "content", "text", "sentence")
_QUESTIONS = ("instruction", "instruct", "question", "questions", "query", "prompt", "ask", "问题", "提问")
_ANSWERS = ("output", "answer", "answers", "response", "completion", "回答", "答案")
_DEPARTMENTS = ("cate1", "department", "科室", "category", "cate2")
_IDS = ("id", "_id", "raw_id", "dialogue_id", "uuid")
_LABELS = ("cate2", "disease", "diseases", "label", "labels", "疾病", "tags")
_SAYS_NOTHING = frozenset({"", "无", "无。", "nan", "null", "none"})
_SURROGATE = re.compile("[\ud800-\udfff]")
KNOWN_COLUMNS = frozenset((*_TURN_LISTS, *_QUESTIONS, *_ANSWERS))
READ_FIELDS = KNOWN_COLUMNS.union(_DEPARTMENTS, _IDS, _LABELS, ("history", "input", "system", "title"))


def read_row(row: object, line: int) -> Raw | Bad:
    """The consultation in one row, or why there is none."""
    if not isinstance(row, Mapping):
        return Bad(line, "not_an_object", f"a {type(row).__name__} where an object was expected")
    try:
        messages = _messages(row)
        _refuse_bad_characters(messages)
        department = next((name for key in _DEPARTMENTS if (name := _name(row.get(key)))), None)
        return Raw(
            line=line,
            messages=messages,
            raw_id=next((name for key in _IDS if (name := _name(row.get(key)))), None),
            department=department,
            labels=[name for key in _LABELS for name in _names(row.get(key)) if name != department],
        )
    except UnreadableRowError as error:
        return Bad(line, error.reason, error.detail)


def _messages(row: Row) -> list[Message]:
    for fits, read in _SHAPES:
        if fits(row):
            return read(row)
    known = "messages, conversations, conversation, dialog, dialogue, history, instruction/output or ask/answer"
    raise UnreadableRowError("no_messages", f"none of the known fields: {known}")


def _has_turns(row: Row) -> bool:
    return any(row.get(key) is not None for key in _TURN_LISTS)


def _read_turns(row: Row) -> list[Message]:
    key, turns = next((key, row[key]) for key in _TURN_LISTS if row.get(key) is not None)
    if isinstance(turns, str) and turns.lstrip().startswith("["):
        turns = _listed(turns)
    if isinstance(turns, str) and key in _WHOLE_TEXTS:
        return messages_of_text(turns)
    if not isinstance(turns, list):
        raise UnreadableRowError("messages_not_a_list", f"a {type(turns).__name__} where a list was expected")
    if turns and all(isinstance(turn, str) for turn in turns):
        return messages_of_lines(turns)
    leading = [Message("system", row["system"])] if isinstance(row.get("system"), str) else []
    return leading + [_turn(turn) for turn in turns]


def _listed(cell: str) -> object:
    """The list that a table's cell spells out as JSON; the cell itself where it is something else."""
    try:
        return parse_json(cell)
    except BadJsonError:
        return cell


def _turn(turn: object) -> Message:
    if not isinstance(turn, Mapping):
        raise UnreadableRowError("bad_turn", "a turn that is not an object")
    role = role_of(next((turn[key] for key in _ROLE_KEYS if key in turn), None))
    content = next((turn[key] for key in _TEXT_KEYS if key in turn), None)
    if isinstance(content, list) and all(isinstance(part, Mapping) for part in content):
        content = "\n".join(str(part["text"]) for part in content if isinstance(part.get("text"), str))
    if not isinstance(content, str):
        raise UnreadableRowError("bad_turn", "a turn without text")
    return Message(role, content)


def _read_history(row: Row) -> list[Message]:
    history = row["history"]
    if not isinstance(history, list):
        raise UnreadableRowError("messages_not_a_list", "the field history is not a list")
    messages: list[Message] = []
    for pair in history:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            raise UnreadableRowError("bad_turn", "an entry of history is not a pair of texts")
        messages += [Message("user", pair[0]), Message("assistant", pair[1])]
    return messages + _read_single(row)


def _read_single(row: Row) -> list[Message]:
    question = "\n".join(part for part in (_text(row, _QUESTIONS), _text(row, ("input",))) if part.strip())
    if question.strip().lower() in _SAYS_NOTHING and "ask" in row:
        question = _text(row, ("title",))
    answer = _text(row, _ANSWERS)
    turns: list[tuple[Role, str]] = [("system", _text(row, ("system",))), ("user", question), ("assistant", answer)]
    return [Message(role, text) for role, text in turns if text.strip()]


def _text(row: Row, keys: tuple[str, ...]) -> str:
    """The first of the fields that is there; of a list of wordings the first."""
    value = next((row[key] for key in keys if row.get(key) is not None), "")
    while isinstance(value, list):
        value = value[0] if value else ""
    if not isinstance(value, str):
        raise UnreadableRowError("bad_turn", f"a {type(value).__name__} where text was expected")
    return value


def _name(value: object) -> str | None:
    if isinstance(value, bool) or value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return str(value).strip() or None if isinstance(value, str | int | float) else None


def _names(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [name for item in values if (name := _name(item)) and name.lower() not in _SAYS_NOTHING]


def _refuse_bad_characters(messages: list[Message]) -> None:
    text = "\n".join(message.content for message in messages)
    if "\x00" in text:
        raise UnreadableRowError("bad_characters", "a NUL character")
    if not text.isascii() and _SURROGATE.search(text):
        raise UnreadableRowError("bad_characters", "a lone surrogate")
    if read_wrongly(text):
        raise UnreadableRowError("encoding", "UTF-8 that was read as GB18030, or the other way round")


def _has_history(row: Row) -> bool:
    return row.get("history") is not None and _has_single(row)


def _has_single(row: Row) -> bool:
    return any(key in row for key in _QUESTIONS) and any(key in row for key in _ANSWERS)


_SHAPES: tuple[tuple[Callable[[Row], bool], Callable[[Row], list[Message]]], ...] = (
    (_has_turns, _read_turns),
    (_has_history, _read_history),
    (_has_single, _read_single),
)
