"""Steps that look at one dialogue at a time: what they are, and how they run over a set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec

from corpus.records import Dialogue
from corpus.sets import Drop, Plan, SetWriter, StageResult, read_row_groups, row_group_sizes
from corpus.shards import Part, run_in_shards

SHARD = 10_000

Change = Callable[[Dialogue, SetWriter], Dialogue | Drop]


class Step(Protocol):
    """A step is sent to every process, where `start` opens what it needs and gives the function to apply."""

    def start(self) -> Change:
        """The change to each dialogue."""


class _OverRows(msgspec.Struct, frozen=True):
    """A step's work on the row groups of its source."""

    source: Path
    step: Any

    def start(self) -> Callable[[Part, SetWriter], None]:
        """Ready the step."""
        change: Change = self.step.start()

        def do(part: Part, writer: SetWriter) -> None:
            for dialogue in read_row_groups(self.source, part.places):
                changed = change(dialogue, writer)
                if isinstance(changed, Drop):
                    writer.drop(dialogue, changed.reason, changed.detail)
                else:
                    writer.keep(changed)

        return do


def map_step(plan: Plan, out: Path, step: Step, *, processes: int | None = None, reuse: bool = False) -> StageResult:
    """Write the set `out`: every dialogue of the plan's source as `step` changes it, or its reason to be left out."""
    assert plan.source is not None
    parts = list(_parts(row_group_sizes(plan.source)))
    return run_in_shards(plan, out, parts, _OverRows(plan.source, step), processes=processes, reuse=reuse)


def _parts(sizes: list[int]) -> Iterator[Part]:
    """Neighbouring row groups put together until a shard is full; one empty part where there is nothing."""
    places: list[int] = []
    held = 0
    for place, size in enumerate(sizes):
        places.append(place)
        held += size
        if held >= SHARD or place == len(sizes) - 1:
            yield Part(places=places, size=held)
            places, held = [], 0
    if not sizes:
        yield Part(places=[], size=0)
