"""What moves an expert's order besides the answers' worth: where they stood, how long they are, how fast she was.

Every expert is tested, so the p-values of a table are Holm's: they hold for all its experts together.
"""

from __future__ import annotations

from math import sqrt

import msgspec
import numpy as np
from numpy.typing import NDArray

from annotation.ballots import Ballots
from annotation.gaps import Gap
from annotation.intervals import FEWEST_CLUSTERS, Share, chi2_tail, clustered_share, holm, normal_tail
from annotation.measures import Floats, Levels, mid_ranks, ranked, signs
from annotation.panels import NO_ROW, Panel, answer_lengths

FEWEST_RANKINGS = 20
OUTLYING = 3.5
READABLE = 30.0

Flags = NDArray[np.bool_]


class PositionBias(msgspec.Struct, frozen=True, kw_only=True):
    """Friedman's test with the shown places as treatments and rankings as blocks: as each ranking's order was drawn
    by itself, no place should fare better. `places` are the mean places given to what stood first, second, …, from 0
    (always best) to 1 (always worst), in rankings of the commonest size; `p` holds for the family."""

    rankings: int
    places: list[float]
    statistic: float
    freedom: int
    p: float


class LengthBias(msgspec.Struct, frozen=True, kw_only=True):
    """How often the longer of two answers is preferred, where their lengths differ; `others` is the same share among
    the other experts on the same prompts, None where there are none. `p` tests the difference, for the family."""

    longer: Share
    others: float | None
    p: float | None


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Time on task: the median, and rankings far faster or slower than the campaign's (modified z-score of the log
    beyond 3.5), or faster than `READABLE` characters a second, which nobody reads."""

    rankings: int
    median: float
    fast: int
    slow: int
    unreadable: int


def position_biases(ballots: Ballots, laid: Panel) -> list[PositionBias | Gap]:
    """For every expert of the panel."""
    tested = [position_bias(*_shown(ballots, laid, place)) for place in range(len(laid.experts))]
    adjusted = iter(holm([one.p for one in tested if isinstance(one, PositionBias)]))
    return [msgspec.structs.replace(one, p=next(adjusted)) if isinstance(one, PositionBias) else one for one in tested]


def position_bias(levels: Levels, order: Levels) -> PositionBias | Gap:
    """Of rankings (rankings, answers), with the place at which each answer was shown beside them."""
    if len(levels) < FEWEST_RANKINGS:
        return Gap(reason="few_rankings", have=len(levels), need=FEWEST_RANKINGS)
    sizes = (levels >= 0).sum(axis=1)
    by_size = {size: by_place(levels[sizes == size, :], order[sizes == size, :]) for size in np.unique(sizes).tolist()}
    tests = [friedman(ranks) for ranks in by_size.values()]
    freedom = sum(degrees for _, degrees in tests)
    if not freedom:
        return Gap(reason="all_tied")
    statistic = sum(value for value, _ in tests)
    commonest = max(by_size, key=lambda size: len(by_size[size]))
    return PositionBias(
        rankings=len(levels),
        places=((by_size[commonest].mean(axis=0) - 1) / (commonest - 1)).tolist(),
        statistic=statistic,
        freedom=freedom,
        p=chi2_tail(statistic, freedom),
    )


def by_place(levels: Levels, order: Levels) -> Floats:
    """Ranks by shown place: (rankings, places), all of one size."""
    ranks = mid_ranks(levels)
    row, answer = np.nonzero(levels >= 0)
    found = np.empty((len(levels), len(answer) // max(1, len(levels))))
    found[row, order[row, answer]] = ranks[row, answer]
    return found


def friedman(ranks: Floats) -> tuple[float, int]:
    """Friedman's statistic with the correction for ties, and its degrees of freedom; (0, 0) where all are tied."""
    blocks, places = ranks.shape
    sums = ranks.sum(axis=0)
    within = (ranks**2).sum() - blocks * places * (places + 1) ** 2 / 4
    if within <= 0:
        return 0.0, 0
    between = float(((sums - blocks * (places + 1) / 2) ** 2).sum())
    return between * (places - 1) / float(within), places - 1


def length_biases(ballots: Ballots, laid: Panel) -> list[LengthBias | Gap]:
    """For every expert of the panel."""
    hits, totals = longer_preferred(laid.levels, answer_lengths(ballots, laid.tasks))
    tested = [_length_bias(hits, totals, place) for place in range(len(laid.experts))]
    adjusted = iter(holm([one.p for one in tested if isinstance(one, LengthBias) and one.p is not None]))
    return [
        msgspec.structs.replace(one, p=next(adjusted)) if isinstance(one, LengthBias) and one.p is not None else one
        for one in tested
    ]


def longer_preferred(levels: Levels, lengths: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(experts, prompts): the pairs in which an expert prefers the longer answer, and all of unequal length that she
    orders."""
    first, second = np.triu_indices(lengths.shape[-1], 1)
    longer = np.sign(np.nan_to_num(lengths[:, first] - lengths[:, second])).astype(np.int8)
    product = signs(levels) * longer[None]
    return (product > 0).sum(axis=-1), (product != 0).sum(axis=-1)


def paces(ballots: Ballots, laid: Panel) -> list[Pace | Gap]:
    """For every expert of the panel."""
    seconds = np.where(laid.rows == NO_ROW, np.nan, ballots.column("seconds")[laid.rows])
    timed = np.where(seconds > 0, seconds, np.nan)
    text = np.nansum(answer_lengths(ballots, laid.tasks), axis=1)
    unreadable = text[None] / timed > READABLE
    scores = modified_z(np.log(timed))
    return [_pace(timed[place], scores[place], unreadable[place]) for place in range(len(laid.experts))]


def modified_z(values: Floats) -> Floats:
    """Iglewicz & Hoaglin's (1993) score: 0.6745 times the distance to the median, in median absolute deviations."""
    if np.isnan(values).all():
        return values
    centre = np.nanmedian(values)
    spread = np.nanmedian(np.abs(values - centre))
    return np.zeros_like(values) if spread == 0 else 0.6745 * (values - centre) / spread


def _shown(ballots: Ballots, laid: Panel, expert: int) -> tuple[Levels, Levels]:
    """Her rankings and the places at which their answers stood; without those whose order was not kept."""
    there = ranked(laid.levels)[expert]
    levels, order = laid.levels[expert, there], ballots.order[laid.rows[expert, there]]
    whole = ((order >= 0) == (levels >= 0)).all(axis=1)
    return levels[whole], order[whole]


def _length_bias(hits: NDArray[np.int64], totals: NDArray[np.int64], expert: int) -> LengthBias | Gap:
    share = clustered_share(hits[expert], totals[expert])
    if share is None:
        return Gap(reason="few_prompts", have=int((totals[expert] > 0).sum()), need=FEWEST_CLUSTERS)
    other_hits, other_totals = hits.sum(axis=0) - hits[expert], totals.sum(axis=0) - totals[expert]
    shared = (totals[expert] > 0) & (other_totals > 0)
    if shared.sum() < FEWEST_CLUSTERS:
        return LengthBias(longer=share, others=None, p=None)
    mine = _ratio(hits[expert, shared], totals[expert, shared])
    theirs = _ratio(other_hits[shared], other_totals[shared])
    error = _error(mine[1] - theirs[1])
    p = normal_tail((mine[0] - theirs[0]) / error) if error else 1.0
    return LengthBias(longer=share, others=theirs[0], p=p)


def _ratio(hits: NDArray[np.int64], totals: NDArray[np.int64]) -> tuple[float, Floats]:
    """A share, and what each cluster adds to its error."""
    value = float(hits.sum() / totals.sum())
    return value, (hits - value * totals) / totals.sum()


def _error(influence: Floats) -> float:
    clusters = len(influence)
    return sqrt(clusters / (clusters - 1) * float((influence**2).sum()))


def _pace(timed: Floats, scores: Floats, unreadable: Flags) -> Pace | Gap:
    known = ~np.isnan(timed)
    if not known.any():
        return Gap(reason="no_times")
    return Pace(
        rankings=int(known.sum()),
        median=float(np.median(timed[known])),
        fast=int((scores[known] < -OUTLYING).sum()),
        slow=int((scores[known] > OUTLYING).sum()),
        unreadable=int(unreadable[known].sum()),
    )
