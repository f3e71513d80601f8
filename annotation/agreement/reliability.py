"""How far each expert can be relied on: against the others, against gold, against herself."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from annotation.agreement.ballots import Ballots
from annotation.agreement.gaps import Gap, gap_in
from annotation.agreement.intervals import FEWEST_CLUSTERS, Share, clustered_share
from annotation.agreement.measures import Levels, alike_and_opposite, signs
from annotation.agreement.panels import Panel, known_levels, own_tasks, panel
from corpus.records import Dimension

Counted = NDArray[np.int64]


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """Of one expert, shares of the pairs of answers that she and the other side both order: ordered as most of the
    other experts do (`others`), as gold has them (`gold`), as she herself did the other time (`herself`)."""

    expert: int
    others: Share | Gap
    gold: Share | Gap
    herself: Share | Gap


def reliabilities(ballots: Ballots, laid: Panel, dimension: Dimension, rule: str) -> list[Reliability]:
    """For every expert of the panel `laid`."""
    gold_tasks = {task: sheet for task, sheet in ballots.sheets.items() if sheet.gold}
    gold = panel(ballots, dimension, gold_tasks, rule)
    again_tasks = {task: sheet for task, sheet in ballots.sheets.items() if sheet.original is not None}
    again = panel(ballots, dimension, again_tasks, rule)
    others, known = against_others(laid.levels), against_gold(gold.levels, known_levels(ballots, gold.tasks))
    return [
        Reliability(
            expert=expert,
            others=_share(others[:, place], gap_in(laid.levels) or Gap(reason="all_tied")),
            gold=_share(_of(expert, gold, known), Gap(reason="no_gold")),
            herself=_share(_against_herself(ballots, laid, again, expert), Gap(reason="no_repeats")),
        )
        for place, expert in enumerate(laid.experts.tolist())
    ]


def against_others(levels: Levels) -> Counted:
    """(2, experts, prompts): the pairs that an expert orders as most of the others do, and all that both order."""
    ordered = signs(levels)
    votes = ordered.sum(axis=0, dtype=np.int16)
    return _hits(ordered, np.sign(votes[None] - ordered).astype(np.int8))


def against_gold(levels: Levels, known: Levels) -> Counted:
    """(2, experts, prompts): the pairs that an expert orders as gold does, and all that both order."""
    return _hits(signs(levels), signs(known)[None])


def overall(counted: Counted, missing: Gap) -> Share | Gap:
    """All experts together, clustered by prompt."""
    return _share(counted.sum(axis=1), missing)


def on_gold(ballots: Ballots, dimension: Dimension, rule: str) -> Share | Gap:
    """How often the experts order gold's pairs as gold does."""
    tasks = {task: sheet for task, sheet in ballots.sheets.items() if sheet.gold}
    gold = panel(ballots, dimension, tasks, rule)
    return overall(against_gold(gold.levels, known_levels(ballots, gold.tasks)), Gap(reason="no_gold"))


def on_repeats(ballots: Ballots, dimension: Dimension, rule: str) -> Share | Gap:
    """How often the experts order a pair as they did the other time."""
    laid = panel(ballots, dimension, own_tasks(ballots), rule)
    tasks = {task: sheet for task, sheet in ballots.sheets.items() if sheet.original is not None}
    again = panel(ballots, dimension, tasks, rule)
    counted = [_against_herself(ballots, laid, again, expert) for expert in again.experts.tolist()]
    empty = np.zeros((2, 0, len(again.tasks)), np.int64)
    return overall(np.stack(counted, axis=1) if counted else empty, Gap(reason="no_repeats"))


def _hits(ordered: Levels, reference: Levels) -> Counted:
    alike, opposite = alike_and_opposite(ordered, reference)
    return np.stack([alike, alike + opposite])


def _against_herself(ballots: Ballots, laid: Panel, again: Panel, expert: int) -> Counted:
    """(2, repeated prompts): pairs ordered alike both times, and all that were ordered both times."""
    none = np.zeros((2, len(again.tasks)), np.int64)
    if expert not in again.experts or expert not in laid.experts or not len(again.tasks):
        return none
    originals = np.array([ballots.sheets[task].original for task in again.tasks.tolist()])
    place = np.minimum(np.searchsorted(laid.tasks, originals), len(laid.tasks) - 1)
    first = signs(laid.levels[laid.experts == expert][0][place])
    second = signs(again.levels[again.experts == expert][0])
    found = _hits(first, second)
    return np.where(laid.tasks[place] == originals, found, none)


def _of(expert: int, gold: Panel, known: Counted) -> Counted:
    if expert in gold.experts:
        found: Counted = known[:, gold.experts == expert][:, 0]
        return found
    return np.zeros((2, 0), np.int64)


def _share(counted: Counted, missing: Gap) -> Share | Gap:
    hits, totals = counted
    clusters = int((totals > 0).sum())
    if not clusters:
        return missing
    return clustered_share(hits, totals) or Gap(reason="few_prompts", have=clusters, need=FEWEST_CLUSTERS)
