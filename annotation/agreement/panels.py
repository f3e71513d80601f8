"""Panels: the rankings of a campaign in one dimension, laid out by expert and prompt."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from annotation.agreement.ballots import Ballots, Sheet
from annotation.agreement.measures import MISSING, Floats, Levels
from annotation.tiers import level_of
from corpus.records import Dimension, Tiers

NO_ROW = -1


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """`levels` is (experts, prompts, answers) as in `measures`; `rows` are the ballots' rows at (experts, prompts),
    `NO_ROW` where nothing is ranked. `experts` and `tasks` are ids, both sorted."""

    experts: NDArray[np.int64]
    tasks: NDArray[np.int64]
    levels: Levels
    rows: NDArray[np.int64]


def panel(ballots: Ballots, dimension: Dimension, tasks: Mapping[int, Sheet], rule: str | None = None) -> Panel:
    """What is ranked of `tasks` in a dimension; only what was ranked by a version of the rule where one is given."""
    blank = np.full(ballots.order.shape, MISSING, np.int8)
    levels = ballots.levels.get(dimension, blank)[: ballots.rows]
    wanted = np.isin(ballots.column("task"), np.fromiter(tasks, np.int64, len(tasks))) & (levels >= 0).any(axis=1)
    if rule is not None:
        wanted &= ballots.column("rule") == (ballots.rules.index(rule) if rule in ballots.rules else NO_ROW - 1)
    rows = np.flatnonzero(wanted)
    experts, expert = np.unique(ballots.column("expert")[rows], return_inverse=True)
    names, task = np.unique(ballots.column("task")[rows], return_inverse=True)
    found = np.full((len(experts), len(names)), NO_ROW, np.int64)
    found[expert, task] = rows
    laid = np.full((*found.shape, levels.shape[1]), MISSING, np.int8)
    laid[expert, task] = levels[rows]
    return Panel(experts=experts, tasks=names, levels=laid, rows=found)


def own_tasks(ballots: Ballots) -> dict[int, Sheet]:
    """Tasks that are neither gold nor repeats."""
    return {task: sheet for task, sheet in ballots.sheets.items() if sheet.counts}


def known_levels(ballots: Ballots, tasks: NDArray[np.int64]) -> Levels:
    """The gold orders of tasks: (prompts, answers)."""
    width = ballots.order.shape[1]
    return np.array([_levels(ballots.sheets[int(task)], width) for task in tasks], np.int8).reshape(len(tasks), width)


def answer_lengths(ballots: Ballots, tasks: NDArray[np.int64]) -> Floats:
    """Characters of every answer: (prompts, answers), NaN where there is none."""
    found = np.full((len(tasks), ballots.order.shape[1]), np.nan)
    for place, task in enumerate(tasks):
        lengths = ballots.sheets[int(task)].lengths
        found[place, : len(lengths)] = lengths
    return found


def _levels(sheet: Sheet, width: int) -> list[int]:
    tiers: Tiers = sheet.gold or []
    level = level_of(tiers)
    known = [level.get(output_id, MISSING) for output_id in sheet.output_ids]
    return known + [MISSING] * (width - len(known))
