"""CSV and TSV of head, relation, tail, with any header or none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from foundation.rejects import Reject
from kg.readers.layout import Layout, layout_of
from kg.readers.rows import SAMPLE, Row, rows_of, separator_of
from kg.readers.statements import Origin
from kg.records import Triple

_COLUMNS = len(("head", "relation", "tail"))


def read_table(path: Path, encoding: str, origin: Origin, separator: str | None) -> Iterator[Triple | Reject]:
    """The statements of a table, row by row."""
    separator = separator or separator_of(path, encoding, _COLUMNS)
    if separator is None:
        yield origin.reject("unknown_format", "neither a table of head, relation, tail nor JSON")
        return
    first = [row for _, row in islice(rows_of(path, encoding, separator), SAMPLE) if isinstance(row, list)]
    layout = layout_of(first)
    heading = layout.header
    for number, row in rows_of(path, encoding, separator):
        if heading and isinstance(row, list) and len(row) == layout.columns:
            heading = False
        else:
            yield _statement(row, layout, number, encoding, origin)


def _statement(row: Row, layout: Layout, line: int, encoding: str, origin: Origin) -> Triple | Reject:
    if isinstance(row, UnicodeDecodeError):
        return origin.reject("bad_encoding", f"this line is not {encoding}", line)
    if row is None:
        return origin.reject("bad_quotes", "quotation marks that do not close", line)
    if len(row) != layout.columns:
        return origin.reject("columns", f"{len(row)} columns, {layout.columns} were expected", line)
    types = (_at(row, layout.subject_type) or layout.said[0], _at(row, layout.object_type) or layout.said[1])
    return origin.triple(row[layout.subject], row[layout.relation], row[layout.object], line, types)


def _at(row: list[str], column: int | None) -> str | None:
    return row[column].strip() or None if column is not None else None
