"""CSV and TSV: head, relation, tail with any header or none, or a row an entity."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from foundation.rejects import Reject
from kg.readers.entities import EntityTable, columns_of, entity_table_of
from kg.readers.layout import Layout, layout_of, parted
from kg.readers.nodes import Node
from kg.readers.rows import SAMPLE, Row, rows_of, separator_of
from kg.readers.statements import Origin
from kg.records import Triple

Rows = Iterator[tuple[int, Row]]

_COLUMNS = len(("head", "relation", "tail"))
_PAIR = len(("name", "relation"))


def read_table(path: Path, encoding: str, origin: Origin, separator: str | None) -> Iterator[Triple | Reject]:
    """The statements of a table, row by row."""
    separator = separator or separator_of(path, encoding, _COLUMNS) or separator_of(path, encoding, _PAIR)
    first = islice(rows_of(path, encoding, separator), SAMPLE) if separator else ()
    rows = [row for _, row in first if isinstance(row, list)]
    entities = entity_table_of(rows) if rows else None
    if separator is None or (entities is None and max(map(len, rows), default=_COLUMNS) < _COLUMNS):
        yield origin.reject("unknown_format", "neither a table of head, relation, tail nor JSON")
    elif entities is not None:
        yield from _entities(rows_of(path, encoding, separator), encoding, origin, entities)
    else:
        layout = layout_of(rows)
        nodes = columns_of(rows[0]) if layout.header and None not in layout.spaces else None
        yield from _statements(rows_of(path, encoding, separator), encoding, origin, layout, nodes)


def _statements(
    rows: Rows, encoding: str, origin: Origin, layout: Layout, nodes: EntityTable | None
) -> Iterator[Triple | Reject]:
    """A statement a row; in an export of both, `nodes` are the rows without ends."""
    heading = layout.header
    for number, row in rows:
        if not isinstance(row, list) or len(row) != layout.columns:
            yield _fault(row, layout.columns, number, encoding, origin)
        elif heading:
            heading = False
        elif nodes and not row[layout.subject].strip() and not row[layout.object].strip():
            yield from nodes.statements(row, number, origin)
        else:
            yield _statement(row, layout, number, origin)


def _entities(rows: Rows, encoding: str, origin: Origin, table: EntityTable) -> Iterator[Triple | Reject]:
    heading = True
    for number, row in rows:
        if not isinstance(row, list) or len(row) != table.columns:
            yield _fault(row, table.columns, number, encoding, origin)
        elif not heading:
            yield from table.statements(row, number, origin)
        elif table.others:
            yield origin.reject("unused_columns", f"columns that are no relation: {'、'.join(table.others)}", number)
        heading = heading and not isinstance(row, list)


def _fault(row: Row, columns: int, line: int, encoding: str, origin: Origin) -> Reject:
    if isinstance(row, UnicodeDecodeError):
        return origin.reject("bad_encoding", f"this line is not {encoding}", line)
    if row is None:
        return origin.reject("bad_quotes", "quotation marks that do not close", line)
    return origin.reject("columns", f"{len(row)} columns, {columns} were expected", line)


def _statement(row: list[str], layout: Layout, line: int, origin: Origin) -> Triple | Reject:
    if layout.plain:
        return origin.triple(row[layout.subject], row[layout.relation], row[layout.object], line, layout.said)
    ends = zip((layout.subject, layout.object), layout.spaces, strict=True)
    nodes = [_node(row[place], space, origin, marked=layout.marked) for place, space in ends]
    if nodes[0] is None or nodes[1] is None:
        return origin.reject("unknown_node", "an id whose node was not read before: name the file of nodes first", line)
    stated = (_at(row, layout.subject_type) or layout.said[0], _at(row, layout.object_type) or layout.said[1])
    types = (stated[0] or nodes[0].type, stated[1] or nodes[1].type)
    return origin.triple(nodes[0].name, row[layout.relation], nodes[1].name, line, types)


def _node(cell: str, space: str | None, origin: Origin, *, marked: bool) -> Node | None:
    """The node behind an end: by its id where the header says so, else by what is written."""
    if space is not None:
        return origin.node(cell, space)
    parts = parted(cell) if marked else None
    return Node(*parts) if parts else Node(cell, None)


def _at(row: list[str], column: int | None) -> str | None:
    return row[column].strip() or None if column is not None else None
