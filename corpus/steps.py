"""Steps from batches of dialogues to batches of outcomes: what they are, and how they run over a set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from corpus.parts import DoPart, Part, parts_of
from corpus.records import Dialogue
from corpus.sets import Drop, Plan, SetWriter, StageResult, read_row_groups, row_group_sizes
from corpus.shards import run_in_shards

SHARD = 10_000

Outcome = Dialogue | Drop
ChangeOne = Callable[[Dialogue, SetWriter], Outcome]
Change = Callable[[Sequence[Dialogue], SetWriter], Iterable[Outcome]]
"""Gives an outcome for each dialogue of a batch, in order; it depends on nothing outside the batch."""


class Step(Protocol):
    """A step is sent to every process, where `start` opens what it needs and gives the function to apply."""

    def start(self) -> Change:
        """The change to each batch of dialogues."""


def one_by_one(change: ChangeOne) -> Change:
    """A change that looks at one dialogue at a time."""

    def change_all(dialogues: Sequence[Dialogue], writer: SetWriter) -> Iterator[Outcome]:
        return (change(dialogue, writer) for dialogue in dialogues)

    return change_all


class _OverRows(msgspec.Struct, frozen=True):
    """A step's work on the row groups of its source."""

    source: Path
    step: Any

    def start(self) -> DoPart:
        """Ready the step."""
        change: Change = self.step.start()

        def do(part: Part, writer: SetWriter) -> None:
            for dialogues in read_row_groups(self.source, part.places):
                for dialogue, changed in zip(dialogues, change(dialogues, writer), strict=True):
                    if isinstance(changed, Drop):
                        writer.drop(dialogue, changed.reason, changed.detail)
                    else:
                        writer.keep(changed)

        return do


def map_step(plan: Plan, out: Path, step: Step, *, processes: int | None = None, reuse: bool = False) -> StageResult:
    """Write the set `out`: every dialogue of the plan's source as `step` changes it, or its reason to be left out."""
    assert plan.source is not None
    parts = list(parts_of(row_group_sizes(plan.source), SHARD))
    return run_in_shards(plan, out, parts, _OverRows(plan.source, step), processes=processes, reuse=reuse)
