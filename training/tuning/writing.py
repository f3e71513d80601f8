"""The folder that a run of TRL's trainers leaves: a model that `transformers` loads, figures, a page, a manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from foundation.files import new_folder
from foundation.jsonl import write_records
from foundation.manifest import FileEntry, write_manifest
from foundation.rejects import Reject, write_rejects
from foundation.report import Section, Tile
from training.logs import HISTORY
from training.models import save
from training.recipes import Tuning, parameters
from training.run_report import Curve, write_run_report
from training.runtime import machine
from training.tuning.running import TuneStep

REJECTS = "rejects.jsonl"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What `report.html` shows before recipe and data."""

    title: str
    tiles: list[Tile]
    sections: list[Section]
    curves: Sequence[Curve]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is over. `counts` are for the manifest of this `kind`."""

    kind: str
    inputs: Mapping[str, FileEntry]
    metrics: msgspec.Struct
    history: Sequence[TuneStep]
    rejects: Sequence[Reject]
    counts: Mapping[str, int]


def write_run(recipe: Tuning, model: Any, tokenizer: Any, outcome: Outcome, page: Page) -> None:
    """Write the folder whole, in the first of several processes alone."""
    if not machine().is_main_process:
        return
    with new_folder(recipe.output) as folder:
        save(model, tokenizer, folder)
        figures = msgspec.json.format(msgspec.json.encode(outcome.metrics), indent=2)
        (folder / "metrics.json").write_bytes(figures + b"\n")
        write_records(folder / HISTORY, outcome.history)
        write_rejects(folder / REJECTS, outcome.rejects)
        write_run_report(
            folder / "report.html",
            title=page.title,
            tiles=page.tiles,
            sections=page.sections,
            curves=page.curves,
            history=outcome.history,
            recipe=recipe,
            inputs=outcome.inputs,
        )
        write_manifest(
            folder,
            kind=outcome.kind,
            name=recipe.output.name,
            inputs=outcome.inputs.values(),
            parameters=parameters(recipe),
            counts=outcome.counts,
        )
