"""Runs side by side: what they measured, and in which options and data they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from foundation import plots
from foundation.errors import ZhongjingError
from foundation.files import existing_file
from foundation.jsonl import BadJsonError, parse_json
from foundation.manifest import read_manifest
from foundation.report import Section, plot, table, write_page
from training.recipes import flat

MISSING = "–"
KINDS = ("language-model", "reward-model", "policy")
Rows = list[tuple[Any, ...]]


class Run(msgspec.Struct, frozen=True):
    """A finished run. `options` and `metrics` are flat; `history` holds one line a step."""

    name: str
    kind: str
    options: dict[str, Any]
    inputs: dict[str, str]
    metrics: dict[str, Any]
    history: list[dict[str, Any]]


class Comparison(msgspec.Struct, frozen=True):
    """Tables with one column per run: every figure, and only those options and inputs that differ."""

    runs: list[str]
    figures: Rows
    options: Rows
    inputs: Rows


def compare_runs(folders: Sequence[Path], page: Path | None = None) -> Comparison:
    """Compare the folders of two or more runs of one kind; write a page with their curves where asked for."""
    if len(folders) < 2:
        raise ZhongjingError("two runs at least are compared", hint="zhongjing train compare first second")
    runs = [_read(folder) for folder in folders]
    if len({run.kind for run in runs}) > 1:
        raise ZhongjingError(
            "these runs are of different kinds: " + ", ".join(f"{run.name} {run.kind}" for run in runs)
        )
    comparison = Comparison(
        runs=_names(folders),
        figures=_rows([run.metrics for run in runs]),
        options=_differences([run.options for run in runs]),
        inputs=_differences([run.inputs for run in runs]),
    )
    if page is not None:
        _write_page(page, comparison, runs)
    return comparison


def lines_of(comparison: Comparison) -> Iterator[str]:
    """The comparison as text, in columns."""
    for title, rows in _parts(comparison):
        yield title if rows else f"{title}: none"
        cells = [[str(cell) for cell in row] for row in (("", *comparison.runs), *rows)] if rows else []
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _parts(comparison: Comparison) -> list[tuple[str, Rows]]:
    return [
        ("figures", comparison.figures),
        ("options that differ", comparison.options),
        ("inputs that differ (SHA-256)", comparison.inputs),
    ]


def _read(folder: Path) -> Run:
    manifest = read_manifest(folder)
    if manifest.kind not in KINDS:
        raise ZhongjingError(f"this folder holds a {manifest.kind}, no training run", where=folder)
    metrics = _json(folder / "metrics.json")
    lines = existing_file(folder / "history.jsonl").read_bytes().splitlines()
    return Run(
        name=folder.name,
        kind=manifest.kind,
        options=flat(manifest.parameters),
        inputs={entry.name: entry.sha256[:12] for entry in manifest.inputs},
        metrics=flat(metrics),
        history=[msgspec.json.decode(line) for line in lines],
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(existing_file(path).read_bytes())
    except BadJsonError as error:
        raise ZhongjingError(f"this file cannot be read: {error}", where=path) from error
    return content if isinstance(content, dict) else {}


def _names(folders: Sequence[Path]) -> list[str]:
    """Folder names, with as many parents as it takes to tell them apart."""
    depth = 1
    while len({folder.resolve().parts[-depth:] for folder in folders}) < len(folders) and depth < 9:
        depth += 1
    return ["/".join(folder.resolve().parts[-depth:]) for folder in folders]


def _rows(columns: Sequence[Mapping[str, Any]]) -> Rows:
    names = dict.fromkeys(name for column in columns for name in column)
    return [(name, *(_told(column.get(name)) for column in columns)) for name in names]


def _differences(columns: Sequence[Mapping[str, Any]]) -> Rows:
    return [row for row in _rows(columns) if len({str(cell) for cell in row[1:]}) > 1]


def _told(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return " to ".join(map(_told, value)) if len(value) == 2 else ", ".join(map(_told, value))
    return MISSING if value is None else str(value)


def _write_page(path: Path, comparison: Comparison, runs: Sequence[Run]) -> None:
    heads = ("", *comparison.runs)
    blocks = [table(heads, rows, title) for title, rows in _parts(comparison) if rows]
    fields = [name for name, value in runs[0].history[0].items() if isinstance(value, int | float)][1:]
    curves = [plot(plots.lines(_series(comparison.runs, runs, name), "step", name), name) for name in fields]
    write_page(
        path,
        title="训练对照  Runs side by side",
        subtitle=" · ".join(comparison.runs),
        notices=[],
        tiles=[],
        sections=[
            Section("指标与差异", "Figures and differences", "只列出不同的选项。Options that differ.", blocks),
            Section("训练过程", "Curves", "每个训练一条线。One line a run.", curves),
        ],
    )


def _series(names: Sequence[str], runs: Sequence[Run], field: str) -> dict[str, list[float]]:
    return {name: [step.get(field, 0.0) for step in run.history] for name, run in zip(names, runs, strict=True)}
