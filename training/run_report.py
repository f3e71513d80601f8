"""`report.html` of one training run: figures, curves, samples, the recipe and the hashes of its data.

It has no clock in it, so that the same run gives the same bytes, and needs nothing beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from foundation import plots
from foundation.manifest import FileEntry
from foundation.report import Section, Tile, plot, table, write_page
from training.recipes import RunOptions, flat, parameters


class Curve(msgspec.Struct, frozen=True):
    """A plot of some fields of a run's history (with dots where they are nested) over its steps."""

    heading: str
    fields: tuple[str, ...]
    unit: str


def write_run_report(
    path: Path,
    *,
    title: str,
    tiles: list[Tile],
    sections: Sequence[Section],
    curves: Sequence[Curve],
    history: Sequence[Any],
    recipe: RunOptions,
    inputs: Mapping[str, FileEntry],
    notices: Sequence[str] = (),
) -> None:
    """Write the page of a run: its own `sections`, then curves, recipe and data."""
    every = [*sections, _curves(curves, history), _recipe(recipe), _data(inputs)]
    write_page(path, title=title, subtitle=recipe.output.name, notices=list(notices), tiles=tiles, sections=every)


def _curves(curves: Sequence[Curve], history: Sequence[Any]) -> Section:
    steps = [flat(msgspec.structs.asdict(step)) for step in history]
    blocks = [
        plot(
            plots.lines({name: [step[name] for step in steps] for name in curve.fields}, "step", curve.unit),
            curve.heading,
        )
        for curve in curves
    ]
    return Section("训练过程", "Curves", "每一步一个点。One point a step.", blocks)


def _recipe(recipe: RunOptions) -> Section:
    rows: list[tuple[Any, ...]] = [(name, str(value)) for name, value in flat(parameters(recipe)).items()]
    intro = "结果由这些选项、数据与种子决定。These options, the data and the seed decide the result."
    return Section("配方", "Recipe", intro, [table(("option", "value"), rows)])


def _data(inputs: Mapping[str, FileEntry]) -> Section:
    rows: list[tuple[Any, ...]] = [
        (name, entry.name, entry.bytes, entry.sha256) for name, entry in sorted(inputs.items())
    ]
    return Section(
        "数据", "Data", "输入文件的散列值。What went in.", [table(("input", "name", "bytes", "SHA-256"), rows)]
    )
