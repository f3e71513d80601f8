"""Argilla: records as its SDK's `to_json` writes them (versions 1 and 2), as its API gives them, or with fields and
responses in columns, as `to_datasets` leaves them.

An order that the SDK of version 2 exports is a bare list: ties that its page let somebody make are lost before we see
the file. Ranks, where there are any, are read with their ties.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from annotation.foreign.rows import Ranked, Refused, Row, UnusableError, by_dimension, elements, listed, tiers_by_rank

FORMAT = "argilla"
ANSWERS, USERS, STATUS = ".responses", ".responses.users", ".responses.status"
QUESTIONS = ("prompt", "question", "instruction", "query", "input", "text")

Answered = dict[str, tuple[Any, str | None]]


def is_record(value: Any) -> bool:
    """Whether a value is one of Argilla's records."""
    if not isinstance(value, Mapping):
        return False
    return (isinstance(value.get("fields"), Mapping) and "responses" in value) or any(map(_is_answers, value))


def read_records(text: str) -> Iterator[Row]:
    """The rankings of every user who answered, record by record."""
    for found in elements(text):
        if isinstance(found, Refused):
            yield found
        elif not is_record(found[1]):
            yield Refused(found[0], "this is no record of Argilla")
        else:
            yield from _record(_nested(found[1]), found[0])


def _is_answers(column: Any) -> bool:
    return isinstance(column, str) and column.endswith(ANSWERS)


def _nested(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record in columns as one of `to_json`; fields and metadata stand side by side there."""
    columns = [column for column in record if _is_answers(column)]
    if not columns or "fields" in record:
        return record
    responses = {}
    for column in columns:
        name = column.removesuffix(ANSWERS)
        answers, users = listed(record[column]), listed(record.get(name + USERS))
        status = listed(record.get(name + STATUS)) or [None] * len(users)
        responses[name] = [
            {"value": value, "user_id": user, "status": state}
            for value, user, state in zip(answers, users, status, strict=False)
        ]
    plain = {name: value for name, value in record.items() if "." not in name}
    return {"id": record.get("id"), "fields": plain, "metadata": plain, "responses": responses}


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
    unsent = {status for _, status in answered.values() if status is not None and status != "submitted"}
    if unsent:
        raise UnusableError(f"this answer is {', '.join(sorted(unsent))}, not submitted")
    orders = {name: tiers for name, (value, _) in answered.items() if (tiers := _tiers(value))}
    fields, metadata = record["fields"], record.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    question = next((fields[name] for name in QUESTIONS if isinstance(fields.get(name), str)), None)
    named = metadata.get("prompt_id") or record.get("external_id") or record.get("id")
    return Ranked(
        line=line,
        expert=user,
        prompt_id=str(named) if named is not None else None,
        turns=[question] if question is not None else [],
        orders=by_dimension(orders),
        answers={name: value for name, value in fields.items() if isinstance(value, str)},
        simulated=bool(metadata.get("simulated")),
    )


def _by_user(responses: Any) -> dict[str, Answered]:
    """Question to (value, status) by user, from lists by question (version 2) or by user (version 1 and the API)."""
    users: dict[str, Answered] = defaultdict(dict)
    if isinstance(responses, Mapping):
        for question, given in responses.items():
            for answer in listed(given):
                if isinstance(answer, Mapping):
                    users[str(answer.get("user_id"))][question] = (answer.get("value"), _status(answer))
    for response in listed(responses):
        if isinstance(response, Mapping) and isinstance(response.get("values"), Mapping):
            for question, answer in response["values"].items():
                value = answer.get("value") if isinstance(answer, Mapping) else answer
                users[str(response.get("user_id"))][question] = (value, _status(response))
    return users


def _status(answer: Mapping[str, Any]) -> str | None:
    status = answer.get("status")
    return None if status is None else str(status)


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
