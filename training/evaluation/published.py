"""Win/tie/loss tables that somebody published, entered as CSV or YAML: read, and their faults pointed out."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import yaml

from foundation.errors import ZhongjingError
from foundation.text import numbered_lines

COLUMNS = {
    "win": ("win", "wins", "胜", "赢"),
    "tie": ("tie", "ties", "draw", "平", "平局"),
    "loss": ("loss", "lose", "losses", "负", "输"),
    "one": ("one", "model", "模型"),
    "other": ("other", "against", "baseline", "对手", "基线"),
    "axis": ("axis", "ability", "dimension", "能力", "维度"),
    "test": ("test", "data", "dataset", "数据集"),
}
NUMBERS = ("win", "tie", "loss")


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A cell of a published table, in %, and what is wrong with it: nothing where `fault` is None."""

    line: int
    one: str
    other: str
    axis: str
    test: str
    win: float | None
    tie: float | None
    loss: float | None
    total: float | None
    fault: str | None


def read_published(path: Path) -> list[Published]:
    """The cells of a table. CSV or TSV under a header with win, tie and loss; or YAML, a list of such mappings.

    Faults: a number that is none, is negative or over 100, and three that do not sum to 100 exactly as they stand.
    A cell entered twice with other numbers is a fault of the later one.
    """
    rows = _yaml_rows(path) if path.suffix in (".yaml", ".yml") else _csv_rows(path)
    seen: dict[tuple[str, ...], tuple[Any, ...]] = {}
    cells = []
    for line, row in rows:
        cell = _cell(line, row)
        key, numbers = (cell.one, cell.other, cell.axis, cell.test), (cell.win, cell.tie, cell.loss)
        if cell.fault is None and seen.setdefault(key, numbers) != numbers:
            cell = msgspec.structs.replace(cell, fault="the same cell stands above with other numbers")
        cells.append(cell)
    if not cells:
        raise ZhongjingError("no row in this table", where=path)
    return cells


def lines_of(cells: Sequence[Published], path: Path) -> Iterator[str]:
    """One line for each fault, with file and line, and one that sums up."""
    faulty = [cell for cell in cells if cell.fault]
    for cell in faulty:
        who = " ".join(filter(None, (cell.test, cell.one, cell.other and f"against {cell.other}", cell.axis)))
        yield f"{path}:{cell.line}: {who}: {cell.fault}"
    yield f"{path}: {len(cells)} cells, {len(faulty)} with a fault"


def _cell(line: int, row: Mapping[str, Any]) -> Published:
    numbers = {name: _number(row.get(name)) for name in NUMBERS}
    exact = [number for number in numbers.values() if number is not None]
    total = sum(exact, Fraction(0)) if len(exact) == len(NUMBERS) else None
    one, other, axis, test = (str(row.get(name) or "") for name in ("one", "other", "axis", "test"))
    win, tie, loss = (float(number) if number is not None else None for number in numbers.values())
    return Published(
        line=line,
        one=one,
        other=other,
        axis=axis,
        test=test,
        win=win,
        tie=tie,
        loss=loss,
        total=float(total) if total is not None else None,
        fault=_fault(numbers, total),
    )


def _fault(numbers: Mapping[str, Fraction | None], total: Fraction | None) -> str | None:
    if total is None:
        return f"no number: {', '.join(name for name, number in numbers.items() if number is None)}"
    outside = [name for name, number in numbers.items() if number is not None and not 0 <= number <= 100]
    if outside:
        return f"not between 0 and 100: {', '.join(outside)}"
    if total != 100:
        told = " + ".join(f"{float(number):g}" for number in numbers.values() if number is not None)
        return f"{told} = {float(total):g}, not 100"
    return None


def _number(value: Any) -> Fraction | None:
    """A percentage as it stands: 33.4, "33.4" or "33.4%"."""
    if isinstance(value, bool):
        return None
    try:
        return Fraction(str(value).strip().removesuffix("%").strip())
    except (ValueError, ZeroDivisionError):
        return None


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    lines = [(number, line) for number, line in numbered_lines(path) if isinstance(line, str) and line.strip()]
    if not lines:
        return
    head = lines[0][1]
    delimiter = "\t" if "\t" in head else ","
    names = _named(next(csv.reader([head], delimiter=delimiter)), path)
    for number, line in lines[1:]:
        yield number, dict(zip(names, next(csv.reader([line], delimiter=delimiter)), strict=False))


def _yaml_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    text = "\n".join(line for _, line in numbered_lines(path) if isinstance(line, str))
    try:
        node, content = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ZhongjingError("not valid YAML", where=path) from error
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise ZhongjingError("a list of rows with win, tie and loss was expected", where=path)
    assert isinstance(node, yaml.SequenceNode)
    for part, row in zip(node.value, content, strict=True):
        names = _named([str(key) for key in row], path)
        yield part.start_mark.line + 1, dict(zip(names, row.values(), strict=True))


def _named(heads: Sequence[str], path: Path) -> list[str]:
    """Our names for the columns of a table; what we have none for keeps its own."""
    ours = {word: name for name, words in COLUMNS.items() for word in words}
    names = [ours.get(head.strip().lower().removesuffix("%").strip(), head.strip()) for head in heads]
    missing = [name for name in NUMBERS if name not in names]
    if missing:
        raise ZhongjingError(
            f"this table has no column for {', '.join(missing)}", where=path, hint=f"known: {', '.join(COLUMNS)}"
        )
    return names
