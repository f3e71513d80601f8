"""Argilla: records as its SDK's `to_json` writes them (versions 1 and 2) or its API gives them.

An order that the SDK of version 2 exports is a bare list: ties that its page let somebody make are lost before we see
the file. Ranks, where there are any, are read with their ties.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from annotation.decisions import DIMENSIONS
from annotation.foreign.rows import Ranked, Refused, Row, UnusableError, elements, tiers_by_rank
from corpus.records import Dimension

FORMAT = "argilla"
QUESTIONS = ("prompt", "question", "instruction", "query", "input", "text")

Answered = dict[str, tuple[Any, str | None]]


def is_record(value: Any) -> bool:
    """Whether a value is one of Argilla's records."""
    return isinstance(value, Mapping) and isinstance(value.get("fields"), Mapping) and "responses" in value


def read_records(text: str) -> Iterator[Row]:
    """The rankings of every user who answered, record by record."""
    for found in elements(text):
        if isinstance(found, Refused):
            yield found
        elif not is_record(found[1]):
            yield Refused(found[0], "this is no record of Argilla")
        else:
            yield from _record(found[1], found[0])


def _record(record: Mapping[str, Any], line: int) -> Iterator[Row]:
    users = _by_user(record["responses"])
    if not users:
        yield Refused(line, "nobody has answered here")
    for user, answered in sorted(users.items()):
        try:
            yield _ranked(record, user, answered, line)
        except UnusableError as error:
            yield Refused(line, str(error))


def _ranked(record: Mapping[str, Any], user: str, answered: Answered, line: int) -> Ranked:
    unsent = {status for _, status in answered.values()} - {None, "submitted"}
    if unsent:
        raise UnusableError(f"this answer is {', '.join(sorted(map(str, unsent)))}, not submitted")
    orders = {name: tiers for name, (value, _) in answered.items() if (tiers := _tiers(value))}
    fields, metadata = record["fields"], record.get("metadata") or {}
    question = next((fields[name] for name in QUESTIONS if isinstance(fields.get(name), str)), None)
    named = metadata.get("prompt_id") or record.get("external_id") or record.get("id")
    return Ranked(
        line=line,
        expert=user,
        prompt_id=str(named) if named is not None else None,
        turns=[question] if question is not None else [],
        orders=_by_dimension(orders),
        answers={name: value for name, value in fields.items() if isinstance(value, str)},
        simulated=bool(metadata.get("simulated")),
    )


def _by_user(responses: Any) -> dict[str, Answered]:
    """Question to (value, status) by user, from lists by question (version 2) or by user (version 1 and the API)."""
    users: dict[str, Answered] = defaultdict(dict)
    if isinstance(responses, Mapping):
        for question, given in responses.items():
            for answer in given if isinstance(given, list) else []:
                if isinstance(answer, Mapping):
                    users[str(answer.get("user_id"))][question] = (answer.get("value"), answer.get("status"))
    for response in responses if isinstance(responses, list) else []:
        if isinstance(response, Mapping) and isinstance(response.get("values"), Mapping):
            for question, answer in response["values"].items():
                value = answer.get("value") if isinstance(answer, Mapping) else answer
                users[str(response.get("user_id"))][question] = (value, response.get("status"))
    return users


def _tiers(value: Any) -> list[list[str]] | None:
    """A ranking in any of its shapes; None where the answer is to another kind of question."""
    if isinstance(value, Mapping) and isinstance(value.get("rank"), list) and isinstance(value.get("value"), list):
        if len(value["rank"]) != len(value["value"]):
            raise UnusableError("as many ranks as answers are needed")
        return tiers_by_rank(dict(zip(map(str, value["value"]), value["rank"], strict=True)))
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(item, str) for item in value):
        return [[item] for item in value]
    if all(isinstance(item, Mapping) and isinstance(item.get("value"), str) for item in value):
        if all("rank" not in item for item in value):
            return [[item["value"]] for item in value]
        return tiers_by_rank({item["value"]: item.get("rank") for item in value})
    return None


def _by_dimension(orders: Mapping[str, list[list[str]]]) -> dict[Dimension, list[list[str]]]:
    """Questions named as a dimension are that dimension; a single one of another name is the overall order."""
    found: dict[Dimension, list[list[str]]] = {name: orders[name] for name in DIMENSIONS if name in orders}  # type: ignore[misc]
    others = [name for name in orders if name not in DIMENSIONS]
    if len(others) == 1 and "overall" not in found:
        found["overall"] = orders[others[0]]
    elif others:
        raise UnusableError("several rankings, and which is the overall one is not said")
    if not found:
        raise UnusableError("there is no ranking in this answer")
    return found
