"""Splits that leave one expert out: what the others prefer to train on, what she prefers to test on.

InstructGPT (arXiv 2203.02155, section 3.5) asks so whether a model learns what people prefer, or what these people do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from annotation.consensus.methods import campaign_consensus
from annotation.consensus.ranked_pairs import UNDECIDED
from annotation.judgements import JudgedTask
from annotation.releases.forms import PAIRED, pairs_of
from corpus.records import Dimension, Preference, RankedPrompt

TABLE = "leave_one_out.parquet"
COLUMNS = [("held_out", pa.string()), *PAIRED]


def leave_one_out(
    tasks: Sequence[JudgedTask],
    rows: Sequence[RankedPrompt],
    priority: Sequence[Dimension],
) -> Iterator[dict[str, Any]]:
    """Rows of `leave_one_out.parquet`, for every expert in turn as `held_out`: on training prompts the preferences of
    the others (by ranked pairs), on test prompts her own. `tasks` and `rows` are the same prompts.

    What a senior expert decided, or is to decide, is on neither side.
    """
    told = [
        place for place, task in enumerate(tasks) if task.decided is None and rows[place].consensus.method != UNDECIDED
    ]
    for expert in sorted({judgement.expert for task in tasks for judgement in task.judgements}):
        for split, own in (("train", False), ("test", True)):
            chosen = [
                (_only(tasks[place], expert, own=own), rows[place]) for place in told if rows[place].split == split
            ]
            for pair in _pairs([both for both in chosen if both[0].judgements], priority):
                yield {"held_out": expert, **msgspec.to_builtins(pair)}


def _only(task: JudgedTask, expert: str, *, own: bool) -> JudgedTask:
    kept = [judgement for judgement in task.judgements if (judgement.expert == expert) == own]
    return msgspec.structs.replace(task, judgements=kept)


def _pairs(chosen: Sequence[tuple[JudgedTask, RankedPrompt]], priority: Sequence[Dimension]) -> Iterator[Preference]:
    found = campaign_consensus([task for task, _ in chosen], priority)
    for (task, row), consensus in zip(chosen, found, strict=True):
        yield from pairs_of(msgspec.structs.replace(row, judgements=task.judgements, consensus=consensus))
