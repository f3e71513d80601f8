"""The statements inside one element of a JSON graph, whichever of the known shapes it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from foundation.rejects import Reject
from kg.readers.statements import NAME_KEYS, Origin, name_in, objects_of
from kg.records import Triple
from kg.relations import type_of

Statements = Iterator[Triple | Reject]

_DESCRIPTIONS = frozenset(
    {
        "_id",
        "id",
        "text",
        "desc",
        "cause",
        "prevent",
        "cost_money",
        "yibao_status",
        "drug_detail",
        "简介",
        "描述",
        "概述",
    }
)
_QASYSTEM = frozenset(
    {"symptom", "check", "common_drug", "recommand_drug", "acompany", "cure_department", "not_eat", "do_eat"}
)
_SPO_WIDTH = 3


def statements_in(key: str | None, value: Any, line: int, origin: Origin, form: str | None) -> Statements:
    """The statements of an element, or one reject where it has no shape we know.

    Running text about an entity (`desc`, `cause`, `prevent`, …) is a description, not a statement, and is left out.
    """
    shape = form or _shape(key, value)
    if shape == "spo":
        return _spo(value, line, origin)
    if shape in ("cmekg", "qasystem") and isinstance(value, dict):
        return _record(value, line, origin, key if shape == "cmekg" else "疾病")
    if shape == "nested":
        return _nested(key, value, line, origin)
    return iter([origin.reject("unknown_shape", "this JSON has none of the known graph shapes", line)])


def _shape(key: str | None, value: Any) -> str | None:
    if key == "spo_list" or (key is None and isinstance(value, list) and len(value) == _SPO_WIDTH):
        return "spo"
    if not isinstance(value, dict):
        return "nested" if key in _DESCRIPTIONS else None
    if "spo_list" in value or {"subject", "object"} <= value.keys():
        return "spo"
    if name_in(value) is not None and not all(isinstance(part, dict) for part in value.values()):
        return "qasystem" if _QASYSTEM & value.keys() and key is None else "cmekg"
    return "nested"


def _spo(value: Any, line: int, origin: Origin) -> Statements:
    spans = value.get("spo_list", [value]) if isinstance(value, dict) else [value]
    if not isinstance(spans, list):
        yield origin.reject("unknown_shape", "spo_list is not a list", line)
        return
    for span in spans:
        if isinstance(span, list) and len(span) == _SPO_WIDTH:
            subject, relation, target = span
            yield origin.triple(subject, relation, target, line)
        elif isinstance(span, dict):
            types = (_first(span.get("subject_type")), _first(span.get("object_type")))
            target = _first(span.get("object"))
            yield origin.triple(
                _first(span.get("subject")), span.get("predicate", span.get("relation")), target, line, types
            )
        else:
            yield origin.reject("columns", "an element of spo_list is not subject, predicate, object", line)


def _first(value: Any) -> Any:
    return next(objects_of(value), None)


def _record(record: dict[str, Any], line: int, origin: Origin, kind: str | None) -> Statements:
    name = name_in(record)
    if name is None:
        yield origin.reject("empty_name", "an object without a name", line)
        return
    known = kind if type_of(kind) else None
    for relation, value in record.items():
        if relation in _DESCRIPTIONS or relation in NAME_KEYS:
            continue
        for target in objects_of(value):
            if target != "":
                yield origin.triple(name, relation, target, line, (known, None))


def _nested(key: str | None, value: Any, line: int, origin: Origin) -> Statements:
    """`{subject: {predicate: [objects]}}`: with a key the value is one subject's, without it many subjects'."""
    if key in _DESCRIPTIONS:
        return
    subjects = {key: value} if key is not None else value
    for subject, relations in subjects.items() if isinstance(subjects, dict) else ():
        if not isinstance(relations, dict):
            yield origin.reject("unknown_shape", "a subject without predicates", line)
            continue
        for relation, targets in relations.items():
            for target in objects_of(targets):
                yield origin.triple(subject, relation, target, line)
