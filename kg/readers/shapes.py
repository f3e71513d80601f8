"""The statements inside one element of a JSON graph, whichever of the known shapes it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from foundation.rejects import Reject
from kg.readers.roles import ENDS, places_of
from kg.readers.statements import NAME_KEYS, Origin, name_in, objects_of
from kg.records import Triple
from kg.relations import type_of

Statements = Iterator[Triple | Reject]

_DESCRIPTIONS = frozenset(
    {"_id", "id", "text", "desc", "cause", "prevent", "cost_money", "yibao_status", "drug_detail"}
    | {"简介", "描述", "概述", "定义", "介绍"}
)
_TYPE_KEYS = ("type", "label", "类型", "类别", "实体类型")
_QASYSTEM = frozenset(
    {"symptom", "check", "common_drug", "recommand_drug", "acompany", "cure_department", "not_eat", "do_eat"}
)
_ONLY_KINDS = ("disease", "drug", "symptom")  # their words stand over records; 手术 may be a subject itself
_TRIPLE, _PAIR = 3, 2


def statements_in(key: str | None, value: Any, line: int, origin: Origin, form: str | None) -> Statements:
    """The statements of an element, or one reject where it has no shape we know.

    Running text about an entity (`desc`, `cause`, `prevent`, …) is a description, not a statement, and is left out.
    """
    shape = form if form in ("spo", "nested") else _shape(key, value)
    if shape == "spo":
        return _spo(value, line, origin)
    if shape == "list":
        return (one for part in value for one in statements_in(key, part, line, origin, form))
    if shape == "pair":
        return iter([origin.triple(key, value[0], value[1], line)])
    if shape == "record":
        is_disease = form == "qasystem" or (key is None and bool(_QASYSTEM & value.keys()))
        return _record(value, line, origin, "疾病" if is_disease else key)
    if shape == "kinds":
        return _kinds(value, line, origin, form)
    if shape == "nested":
        return _nested(key, value, line, origin)
    return iter([origin.reject("unknown_shape", "this JSON has none of the known graph shapes", line)])


def _shape(key: str | None, value: Any) -> str | None:
    if isinstance(value, list):
        return _shape_of_list(key, value)
    if not isinstance(value, dict):
        return "nested" if key in _DESCRIPTIONS else None
    if "spo_list" in value or len(places_of(list(value), ENDS)) == _TRIPLE:
        return "spo"
    has_relations = not all(isinstance(part, dict) for part in value.values())
    if has_relations and (name_in(value) is not None or type_of(key) in _ONLY_KINDS):
        return "record"
    by_kind = key is None and all(type_of(kind) and isinstance(part, list) for kind, part in value.items())
    return "kinds" if by_kind and value else "nested"


def _shape_of_list(key: str | None, value: list[Any]) -> str | None:
    if all(isinstance(part, str) for part in value):
        if len(value) == _TRIPLE or key == "spo_list":
            return "spo"
        return "pair" if key is not None and len(value) == _PAIR else None
    if key == "spo_list":
        return "spo"
    return "list" if all(isinstance(part, list | dict) for part in value) else None


def _spo(value: Any, line: int, origin: Origin) -> Statements:
    spans = value.get("spo_list", [value]) if isinstance(value, dict) else [value]
    if not isinstance(spans, list):
        yield origin.reject("unknown_shape", "spo_list is not a list", line)
        return
    for span in spans:
        if isinstance(span, list) and len(span) == _TRIPLE:
            yield origin.triple(span[0], span[1], span[2], line)
        elif isinstance(span, dict):
            yield _named_ends(span, line, origin)
        else:
            yield origin.reject("columns", "an element of spo_list is not subject, predicate, object", line)


def _named_ends(span: dict[str, Any], line: int, origin: Origin) -> Triple | Reject:
    """`{"subject": …, "predicate": …, "object": …}` under any of the known words; an end may be an object itself."""
    keys = list(span)
    ends = {role: span[keys[place]] for role, place in places_of(keys, (*ENDS, "subject_type", "object_type")).items()}
    subject, relation, target = (_first(ends.get(role)) for role in ENDS)
    types = [_first(ends.get(f"{role}_type")) or _type_in(ends.get(role)) for role in ("subject", "object")]
    return origin.triple(subject, relation, target, line, (types[0], types[1]))


def _type_in(value: Any) -> str | None:
    """The type that a JSON object gives itself."""
    found = (value.get(key) for key in _TYPE_KEYS) if isinstance(value, dict) else ()
    return next((kind for kind in found if isinstance(kind, str) and type_of(kind)), None)


def _first(value: Any) -> Any:
    return next(objects_of(value), None)


def _kinds(value: dict[str, Any], line: int, origin: Origin, form: str | None) -> Statements:
    """`{"疾病": [records]}` as one element of a list, or one line."""
    for kind, records in value.items():
        for record in records:
            yield from statements_in(kind, record, line, origin, form)


def _record(record: dict[str, Any], line: int, origin: Origin, kind: str | None) -> Statements:
    name = name_in(record)
    if name is None:
        yield origin.reject("empty_name", "an object without a name", line)
        return
    known = kind if type_of(kind) else _type_in(record)
    yield from _relations(name, record, line, origin, known)


def _relations(name: str, relations: dict[str, Any], line: int, origin: Origin, kind: str | None) -> Statements:
    for relation, value in relations.items():
        if relation in _DESCRIPTIONS or relation in NAME_KEYS:
            continue
        if relation in _TYPE_KEYS and isinstance(value, str) and type_of(value):
            continue
        for target in objects_of(value):
            if target != "":
                yield origin.triple(name, relation, target, line, (kind, None))


def _nested(key: str | None, value: Any, line: int, origin: Origin) -> Statements:
    """`{subject: {predicate: [objects]}}`: with a key the value is one subject's, without it many subjects'.

    A type above the subjects (`{"疾病": {subject: {…}}}`) is theirs.
    """
    if key in _DESCRIPTIONS:
        return
    kind, subjects = None, {key: value} if key is not None else value
    if type_of(key) and isinstance(value, dict) and all(isinstance(part, dict) for part in value.values()):
        kind, subjects = key, value
    if not isinstance(subjects, dict):
        yield origin.reject("unknown_shape", "a subject without predicates", line)
        return
    for subject, relations in subjects.items():
        if isinstance(relations, dict):
            stated = list(_relations(subject, relations, line, origin, kind or _type_in(relations)))
            yield from stated or [origin.reject("unknown_shape", "a subject without predicates", line)]
        elif subject not in _DESCRIPTIONS:
            yield origin.reject("unknown_shape", "a subject without predicates", line)
