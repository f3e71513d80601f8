"""Which prompts need a senior expert, and why."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import numpy as np
from numpy.typing import NDArray

from annotation.agreement.ballots import Ballots
from annotation.agreement.measures import Levels, kendall_w, ranked, signs
from annotation.agreement.panels import own_tasks, panel

REASONS = ("danger_flag", "low_agreement", "majority_tie")


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that the experts' rankings do not settle. `reasons` are of `REASONS`, the gravest first; `w` is
    Kendall's, None where a single ranking or all ties leave it open."""

    task_id: int
    prompt_id: str
    reasons: list[str]
    w: float | None
    rankings: int


def disputes(ballots: Ballots, settled: Collection[int] = (), *, lowest_w: float) -> list[Dispute]:
    """The prompts of a campaign with a danger that an expert flagged, with a W under `lowest_w`, or where as many
    prefer one answer to another as the other way round; those `settled` (task ids) are none. The gravest come first.
    """
    laid = panel(ballots, "overall", own_tasks(ballots))
    concordance = kendall_w(laid.levels)
    counts = ranked(laid.levels).sum(axis=0)
    found_in = grounds(laid.levels, _flagged(ballots, laid.rows), lowest_w=lowest_w)
    found = [
        Dispute(
            task_id=int(laid.tasks[place]),
            prompt_id=ballots.sheets[int(laid.tasks[place])].prompt_id,
            reasons=[reason for reason, holds in zip(REASONS, found_in[:, place], strict=True) if holds],
            w=None if np.isnan(concordance[place]) else float(concordance[place]),
            rankings=int(counts[place]),
        )
        for place in np.flatnonzero(found_in.any(axis=0))
        if int(laid.tasks[place]) not in settled
    ]
    return sorted(found, key=lambda one: (REASONS.index(one.reasons[0]), one.w or 0.0, one.prompt_id))


def grounds(levels: Levels, flagged: NDArray[np.bool_], *, lowest_w: float) -> NDArray[np.bool_]:
    """Which of `REASONS` hold: (reasons, prompts); `flagged` are the prompts in which an expert saw a danger."""
    return np.stack([flagged, kendall_w(levels) < lowest_w, tied_majorities(levels)])


def tied_majorities(levels: Levels) -> NDArray[np.bool_]:
    """Prompts with a pair of answers that as many experts order one way as the other: a preference there would be
    invented."""
    ordered = signs(levels)
    ahead, behind = (ordered > 0).sum(axis=0), (ordered < 0).sum(axis=0)
    tied: NDArray[np.bool_] = ((ahead == behind) & (ahead > 0)).any(axis=-1)
    return tied


def _flagged(ballots: Ballots, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    flagged: NDArray[np.bool_] = np.any(ballots.column("flagged")[rows] & (rows >= 0), axis=0)
    return flagged
