"""CSV and TSV of head, relation, tail: the separator and the header are found by looking."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from foundation.rejects import Reject
from foundation.text import numbered_lines
from kg.readers.statements import Origin
from kg.records import Triple

_SEPARATORS = (",", "\t", "|", ";")
_SAMPLE = 200
_COLUMNS = {
    "subject": (
        "head",
        "subject",
        "s",
        "头实体",
        "主体",
        "实体1",
        "entity1",
        "h",
        "起点",
        "source",
        "head_name",
        "start",
    ),
    "relation": ("relation", "predicate", "p", "关系", "谓词", "r", "rel", "relation_name", "relation_type", "type"),
    "object": ("tail", "object", "o", "尾实体", "客体", "实体2", "entity2", "t", "终点", "target", "tail_name", "end"),
    "subject_type": ("head_type", "subject_type", "头实体类型", "主体类型", "h_type"),
    "object_type": ("tail_type", "object_type", "尾实体类型", "客体类型", "t_type"),
}


class Layout(msgspec.Struct, frozen=True):
    """Which column holds what, and how many there are."""

    columns: int = 3
    subject: int = 0
    relation: int = 1
    object: int = 2
    subject_type: int | None = None
    object_type: int | None = None


def read_table(path: Path, encoding: str, origin: Origin, separator: str | None) -> Iterator[Triple | Reject]:
    """The statements of a table, line by line."""
    separator = separator or _separator(path, encoding)
    if separator is None:
        yield origin.reject("unknown_format", "neither a table of head, relation, tail nor JSON")
        return
    layout: Layout | None = None
    for number, line in numbered_lines(path, encoding):
        if isinstance(line, UnicodeDecodeError):
            yield origin.reject("bad_encoding", f"this line is not {encoding}", number)
            continue
        if not line.strip():
            continue
        cells = _cells(line, separator)
        if layout is None:
            header = _header(cells) if cells else None
            layout = header or Layout()
            if header:
                continue
        yield _statement(cells, layout, number, origin)


def _statement(cells: list[str] | None, layout: Layout, line: int, origin: Origin) -> Triple | Reject:
    if cells is None:
        return origin.reject("bad_quotes", "quotation marks that do not close", line)
    if len(cells) != layout.columns:
        return origin.reject("columns", f"{len(cells)} columns, {layout.columns} were expected", line)
    types = (_at(cells, layout.subject_type), _at(cells, layout.object_type))
    return origin.triple(cells[layout.subject], cells[layout.relation], cells[layout.object], line, types)


def _at(cells: list[str], column: int | None) -> str | None:
    return cells[column].strip() or None if column is not None else None


def _cells(line: str, separator: str) -> list[str] | None:
    if '"' not in line:
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error:
        return None


def _header(cells: list[str]) -> Layout | None:
    """The layout that a header names; None where the first row is a statement already."""
    names = [cell.strip().strip(":").lower() for cell in cells]
    found: dict[str, int] = {}
    for role, words in _COLUMNS.items():
        column = next((names.index(word) for word in words if word in names), None)
        if column is not None:
            found[role] = column
    if not {"subject", "relation", "object"} <= found.keys():
        return None
    return Layout(columns=len(cells), **found)


def _separator(path: Path, encoding: str) -> str | None:
    """The separator that gives most of the first lines the same three columns or more."""
    lines = [line for _, line in islice(numbered_lines(path, encoding), _SAMPLE) if isinstance(line, str)]
    counts = {mark: [len(_cells(line, mark) or ()) for line in lines if line.strip()] for mark in _SEPARATORS}
    rows = {mark: max((widths.count(width), width) for width in {*widths, 0}) for mark, widths in counts.items()}
    good = [mark for mark, (_, width) in rows.items() if width >= len(("head", "relation", "tail"))]
    return max(good, key=lambda mark: (rows[mark][0], -_SEPARATORS.index(mark)), default=None)
