"""Label Studio: its JSON export, with a Ranker over a List of answers, or answers sorted into numbered buckets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from annotation.foreign.rows import Ranked, Refused, Row, UnusableError, by_dimension, elements, listed
from annotation.ranking import LONGEST_SECONDS
from corpus.records import Dimension

QUESTIONS = ("prompt", "question", "query", "text")
WORDS = ("text", "body", "html", "title")
LEFT = "_"
_NUMBER = re.compile(r"\d{1,9}")


def is_task(value: Any) -> bool:
    """Whether a value is one of Label Studio's tasks."""
    return isinstance(value, Mapping) and isinstance(value.get("data"), Mapping) and "annotations" in value


def read_tasks(text: str) -> Iterator[Row]:
    """The rankings of every annotation, task by task; predictions are nobody's."""
    for found in elements(text):
        if isinstance(found, Refused):
            yield found
        elif not is_task(found[1]):
            yield Refused(found[0], "this is no task of Label Studio")
        else:
            yield from _task(found[1], found[0])


def _task(task: Mapping[str, Any], line: int) -> Iterator[Row]:
    annotations = [each for each in listed(task["annotations"]) if isinstance(each, Mapping)]
    if not annotations:
        yield Refused(line, "nobody has annotated this task")
    for annotation in annotations:
        try:
            yield _ranked(task["data"], annotation, line)
        except UnusableError as error:
            yield Refused(line, str(error))


def _ranked(data: Mapping[str, Any], annotation: Mapping[str, Any], line: int) -> Ranked:
    if annotation.get("was_cancelled"):
        raise UnusableError("this task was skipped there")
    seconds = annotation.get("lead_time")
    return Ranked(
        line=line,
        expert=_who(annotation.get("completed_by")),
        prompt_id=str(data["prompt_id"]) if data.get("prompt_id") is not None else None,
        turns=_turns(data),
        orders=_orders(annotation.get("result")),
        answers=_answers(data),
        seconds=float(min(seconds, LONGEST_SECONDS)) if isinstance(seconds, int | float) and seconds >= 0 else 0.0,
        simulated=bool(data.get("simulated") or annotation.get("simulated")),
    )


def _who(completed_by: Any) -> str | None:
    """A number, an address, or an object with either."""
    if isinstance(completed_by, Mapping):
        completed_by = completed_by.get("email") or completed_by.get("username") or completed_by.get("id")
    return None if completed_by is None else str(completed_by)


def _turns(data: Mapping[str, Any]) -> list[str]:
    """The dialogue as a list of objects with a speaker and text, or else the question alone."""
    for value in data.values():
        if isinstance(value, list) and value and all(isinstance(turn, Mapping) and "id" not in turn for turn in value):
            return [str(turn.get("text", "")) for turn in value]
    return [data[name] for name in QUESTIONS if isinstance(data.get(name), str)][:1]


def _answers(data: Mapping[str, Any]) -> dict[str, str]:
    """The words of all items in the task's lists, by their ids; an item's body goes before its title."""
    items = [item for value in data.values() if isinstance(value, list) for item in value if isinstance(item, Mapping)]
    return {
        str(item["id"]): item[name]
        for name in reversed(WORDS)
        for item in items
        if "id" in item and isinstance(item.get(name), str)
    }


def _orders(result: Any) -> dict[Dimension, list[list[str]]]:
    rankers = {
        str(part.get("from_name")): _tiers(part["value"]["ranker"])
        for part in listed(result)
        if isinstance(part, Mapping) and isinstance(part.get("value"), Mapping) and "ranker" in part["value"]
    }
    return by_dimension(rankers)


def _tiers(ranker: Any) -> list[list[str]]:
    """One list is an order; several are buckets, whose answers tie, by the numbers in their names."""
    if not isinstance(ranker, Mapping) or not all(isinstance(names, list) for names in ranker.values()):
        raise UnusableError("the ranking is not what Label Studio writes")
    if len(ranker) == 1:
        return [[str(name)] for names in ranker.values() for name in names]
    if ranker.get(LEFT):
        raise UnusableError("answers were left unsorted")
    buckets = [name for name in ranker if name != LEFT]
    numbers = {name: _NUMBER.findall(name) for name in buckets}
    if any(len(found) != 1 for found in numbers.values()):
        raise UnusableError("buckets without a number in their name have no order")
    ordered = sorted(buckets, key=lambda name: int(numbers[name][0]))
    return [sorted(map(str, ranker[name])) for name in ordered if ranker[name]]
