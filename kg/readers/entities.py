"""Tables with a row an entity: nodes of an export, and wide tables whose columns are relations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from foundation.rejects import Reject
from kg.readers.nodes import Node, id_place, space_of
from kg.readers.roles import key_of, places_of
from kg.readers.statements import NAME_KEYS, Origin
from kg.records import Triple
from kg.relations import is_known, type_of

_KINDS = ("label", "labels", "type", "entity_type", "类型", "标签", "实体类型", "类别")
_BETWEEN = (",", ";", "；", "|", "、", "，")
_RUNNING = re.compile("[。！？\n]")


class EntityTable(msgspec.Struct, frozen=True, kw_only=True):
    """Column numbers from 0: the name, the id and its space, the type, and the columns that are relations.

    `kind` is the type that the header itself gives (疾病 over the names), `others` are the headers that say nothing.
    """

    columns: int
    name: int
    number: int | None
    space: str
    type: int | None
    kind: str | None
    relations: dict[int, str]
    others: list[str]

    def statements(self, row: list[str], line: int, origin: Origin) -> Iterator[Triple | Reject]:
        """What a row states; its node is known to the origin from now on. Running text is no statement."""
        name, kind = row[self.name].strip(), self.kind
        if self.type is not None:
            kind = row[self.type].strip(" :[]'\"") or kind
        if self.number is not None:
            origin.nodes.add(row[self.number], Node(name, kind), self.space)
        for place, relation in self.relations.items():
            for target in _parts(row[place]):
                yield origin.triple(name, relation, target, line, (kind, None))


def entity_table_of(rows: Sequence[Sequence[str]]) -> EntityTable | None:
    """What the first row says, where it names a column of names, and ids or relations beside it, but not two ends."""
    header, below = rows[0], rows[1:]
    ends = places_of(header, ("subject", "relation", "object"))
    table = columns_of(header)
    if table is not None and any(row[table.name : table.name + 1] == [header[table.name]] for row in below):
        return None
    if table is None or "object" in ends or ends.get("subject", table.name) != table.name:
        return None
    if table.number is None and ("relation" in ends or not table.relations):
        return None
    return table


def columns_of(header: Sequence[str]) -> EntityTable | None:
    """Which column holds what of an entity, None where none holds names."""
    keys = [key_of(word) for word in header]
    name, number = _name_place(header, keys), id_place(header)
    if name is None:
        return None
    type_place = next((place for place, key in enumerate(keys) if key in _KINDS), None)
    free = {place: word.strip() for place, word in enumerate(header) if place not in (name, number, type_place)}
    relations = {place: word for place, word in free.items() if is_known(word)}
    return EntityTable(
        columns=len(header),
        name=name,
        number=number,
        space="" if number is None else space_of(header[number]),
        type=type_place,
        kind=header[name].strip().removesuffix("名称").removesuffix("名"),
        relations=relations,
        others=[word for place, word in free.items() if word and place not in relations],
    )


def _name_place(header: Sequence[str], keys: Sequence[str]) -> int | None:
    """The column of names: called so, or the first one where that is called as a type is."""
    named = [place for place, key in enumerate(keys) if key in NAME_KEYS or key == "entity" or key.startswith("实体名")]
    return next(iter(named), 0 if type_of(header[0]) else None)


def _parts(cell: str) -> list[str]:
    """The names in a cell, which one kind of mark separates; none in running text."""
    if _RUNNING.search(cell):
        return []
    between = next((mark for mark in _BETWEEN if mark in cell), "\n")
    return [part.strip() for part in cell.split(between) if part.strip()]
