"""The statements inside one element of a JSON graph, whichever of the known shapes it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from foundation.rejects import Reject
from kg.readers.nodes import LINK_LISTS, NODE_LISTS, Node, id_place, is_id
from kg.readers.roles import ENDS, places_of
from kg.readers.statements import NAME_KEYS, Origin, name_in, objects_of
from kg.records import Triple
from kg.relations import is_known, type_of

Statements = Iterator[Triple | Reject]

_DESCRIPTIONS = frozenset(
    {
        "_id",
        "id",
        "code",
        "text",
        "desc",
        "description",
        "cause",
        "prevent",
        "cost_money",
        "yibao_status",
        "drug_detail",
    }
    | {"简介", "描述", "概述", "定义", "介绍"}
)
_TYPE_KEYS = ("type", "label", "labels", "类型", "类别", "实体类型")
_STATEMENT_LISTS = ("spo_list", "triple_list", "triples", "relations", "relation_list", "spos", "三元组")
_LINK_KEYS = ("label", "relation", "type", "name", "value")
_QASYSTEM = frozenset(
    {"symptom", "check", "common_drug", "recommand_drug", "acompany", "cure_department", "not_eat", "do_eat"}
)
_ONLY_KINDS = ("disease", "drug", "symptom")  # their words stand over records; 手术 may be a subject itself
_PAIR, _TRIPLE, _TYPED_TRIPLE = 2, 3, 5


def statements_in(key: str | None, value: Any, line: int, origin: Origin, form: str | None) -> Statements:
    """The statements of an element, or one reject where it has no shape we know.

    Running text about an entity (`desc`, `cause`, `prevent`, …) is a description, not a statement, and is left out.
    """
    shape = form if form in ("spo", "nested") else _shape(key, value)
    if shape == "node":
        _learn(value, origin)
        return iter(())
    if shape == "link":
        return iter([_link(value, line, origin)])
    if shape == "spo":
        return _spo(value, line, origin)
    if shape == "list":
        return (one for part in value for one in statements_in(key, part, line, origin, form))
    if shape == "pair":
        subject, relation = (value[0], key) if _is_relation(key, value[0]) else (key, value[0])
        return iter([origin.triple(subject, relation, value[1], line)])
    if shape == "relation":
        return (origin.triple(name, key, target, line) for name, part in value.items() for target in objects_of(part))
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
    if _is_node(key, value):
        return "node"
    if key in LINK_LISTS or value.get("type") == "relationship":
        return "link"
    if _statement_list(value) or len(places_of(list(value), ENDS)) == _TRIPLE:
        return "spo"
    has_relations = not all(isinstance(part, dict) for part in value.values())
    if has_relations and name_in(value) is not None:
        return "record"
    if not any(isinstance(part, dict) for part in value.values()) and _is_relation(key, *value):
        return "relation"
    if has_relations and type_of(key) in _ONLY_KINDS:
        return "record"
    by_kind = key is None and all(type_of(kind) and isinstance(part, list) for kind, part in value.items())
    return "kinds" if by_kind and value else "nested"


def _is_node(key: str | None, value: dict[str, Any]) -> bool:
    """Whether an object is a node of an export: in a list of nodes, or a line of Neo4j's."""
    return (key in NODE_LISTS and name_in(value) is not None) or value.get("type") == "node"


def _is_relation(key: str | None, *others: str) -> bool:
    """Whether a key is a relation and what stands below it are names: `{"临床表现": {"肺炎": ["咳嗽"]}}`."""
    return key is not None and is_known(key) and bool(others) and not any(map(is_known, others))


def _statement_list(value: dict[str, Any]) -> list[Any]:
    """The statements that stand beside a text under one of the usual keys."""
    for key in _STATEMENT_LISTS:
        spans = value.get(key)
        if isinstance(spans, list) and (key == "spo_list" or all(map(_is_statement, spans))):
            return spans
    return []


def _is_statement(span: Any) -> bool:
    if isinstance(span, list):
        return len(span) == _TRIPLE or _is_typed(span)
    return isinstance(span, dict) and len(places_of(list(span), ENDS)) == _TRIPLE


def _shape_of_list(key: str | None, value: list[Any]) -> str | None:
    if all(isinstance(part, str) for part in value):
        if len(value) == _TRIPLE or key == "spo_list" or _is_typed(value):
            return "spo"
        return "pair" if key is not None and len(value) == _PAIR else None
    if key == "spo_list":
        return "spo"
    return "list" if all(isinstance(part, list | dict) for part in value) else None


def _is_typed(span: list[Any]) -> bool:
    """Whether a list is subject, its type, predicate, object, its type."""
    return len(span) == _TYPED_TRIPLE and all(isinstance(kind, str) and type_of(kind) for kind in span[1::3])


def _spo(value: Any, line: int, origin: Origin) -> Statements:
    spans = _statement_list(value) or value.get("spo_list", [value]) if isinstance(value, dict) else [value]
    if not isinstance(spans, list):
        yield origin.reject("unknown_shape", "spo_list is not a list", line)
        return
    for span in spans:
        if isinstance(span, list) and len(span) == _TRIPLE:
            yield origin.triple(span[0], span[1], span[2], line)
        elif isinstance(span, list) and _is_typed(span):
            yield origin.triple(span[0], span[2], span[3], line, (span[1], span[4]))
        elif isinstance(span, dict):
            yield _named_ends(span, line, origin)
        else:
            yield origin.reject("columns", "an element of spo_list is not subject, predicate, object", line)


def _named_ends(span: dict[str, Any], line: int, origin: Origin) -> Triple | Reject:
    """`{"subject": …, "predicate": …, "object": …}` under any of the known words; an end may be an object itself, or
    the id of a node."""
    keys = list(span)
    ends = {role: span[keys[place]] for role, place in places_of(keys, (*ENDS, "subject_type", "object_type")).items()}
    by_id = [place for place in places_of(keys, ("subject", "object")).values() if is_id(keys[place])]
    subject, target = (_end(ends.get(role), origin, by_id=bool(by_id)) for role in ("subject", "object"))
    if subject is None or target is None:
        return origin.reject("unknown_node", "an id whose node was not read before: name the file of nodes first", line)
    types = (_first(ends.get("subject_type")) or subject.type, _first(ends.get("object_type")) or target.type)
    return origin.triple(subject.name, _first(ends.get("relation")), target.name, line, types)


def _end(value: Any, origin: Origin, *, by_id: bool) -> Node | None:
    """An end as a name with its type; None where it is the id of a node that was not read."""
    if not isinstance(value, dict):
        return origin.node(value) if by_id else Node(_first(value), None)
    name = _first(value)
    if name is None:
        name = value.get("text")
    return Node(name, _type_in(value)) if name is not None else origin.node(value.get("id"))


def _learn(value: dict[str, Any], origin: Origin) -> None:
    """Remember what the id of an object stands for."""
    keys = list(value)
    place, name = id_place(keys), name_in(value)
    if place is not None and name is not None:
        origin.nodes.add(value[keys[place]], Node(name, _type_in(value)))


def _link(value: dict[str, Any], line: int, origin: Origin) -> Triple | Reject:
    """A link of a drawing or an export, whose relation may stand under any of a few words."""
    relation = next(
        (value[key] for key in _LINK_KEYS if isinstance(value.get(key), str) and value[key] != "relationship"), ""
    )
    ends = {key: part for key, part in value.items() if key not in _LINK_KEYS}
    return _named_ends(ends | {"relation": relation}, line, origin)


def _type_in(value: Any) -> str | None:
    """The type that a JSON object gives itself."""
    found = (_first(value.get(key)) for key in _TYPE_KEYS) if isinstance(value, dict) else ()
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
    _learn(record, origin)
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
