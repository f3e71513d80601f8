"""What moves an expert's order besides the answers' worth: where they stood, how long they are, how fast she was.

Every expert is tested, so the p-values of a table are Holm's: they hold for all its experts together.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, sqrt

import msgspec
import numpy as np
from numpy.typing import NDArray

from annotation.agreement.ballots import Ballots
from annotation.agreement.gaps import Gap
from annotation.agreement.intervals import (
    FEWEST_CLUSTERS,
    LEVEL,
    Share,
    chi2_tail,
    clustered_share,
    holm,
    normal_tail,
    t_quantile,
)
from annotation.agreement.measures import Floats, Levels, mid_ranks, ranked, signs
from annotation.agreement.panels import NO_ROW, Panel, answer_lengths

FEWEST_RANKINGS = 20
OUTLYING = 3.5
READABLE = 30.0
STEPS, PRIOR = 50, 25.0

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
    """How often the longer of two answers is preferred, where their lengths differ. `even` is that share where the
    other experts are evenly divided: the intercept of a logistic regression on their margin, with a 95 % interval and
    a p-value for the family that are robust to clusters of one prompt; None where there are too few to fit."""

    longer: Share
    even: tuple[float, float, float] | None
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
    there = ranked(laid.levels)
    own = (there & (laid.experts == expert)[:, None] for expert in laid.experts)
    tested = [position_bias(*as_shown(ballots, laid, hers)) for hers in own]
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


def as_shown(ballots: Ballots, laid: Panel, there: Flags) -> tuple[Levels, Levels]:
    """The rankings `there` (experts, prompts) and the places at which their answers stood; without those whose order
    was not kept."""
    levels, order = laid.levels[there], ballots.order[laid.rows[there]]
    whole = ((order >= 0) == (levels >= 0)).all(axis=1)
    return levels[whole], order[whole]


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
    leanings = towards_longer(laid.levels, answer_lengths(ballots, laid.tasks))
    margins = _margins_of_others(leanings, ranked(laid.levels))
    tested = [_length_bias(own, margin) for own, margin in zip(leanings, margins, strict=True)]
    adjusted = iter(holm([one.p for one in tested if isinstance(one, LengthBias) and one.p is not None]))
    return [
        msgspec.structs.replace(one, p=next(adjusted)) if isinstance(one, LengthBias) and one.p is not None else one
        for one in tested
    ]


def towards_longer(levels: Levels, lengths: Floats) -> Levels:
    """(experts, prompts, pairs): 1 where the longer answer is preferred, -1 where the shorter one is, 0 where neither
    is, or they are as long."""
    first, second = np.triu_indices(lengths.shape[-1], 1)
    longer = np.sign(np.nan_to_num(lengths[:, first] - lengths[:, second])).astype(np.int8)
    leanings: Levels = signs(levels) * longer[None]
    return leanings


def longer_preferred(levels: Levels, lengths: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(experts, prompts): the pairs in which an expert prefers the longer answer, and all of unequal length that she
    orders."""
    leanings = towards_longer(levels, lengths)
    return (leanings > 0).sum(axis=-1), (leanings != 0).sum(axis=-1)


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


def _margins_of_others(leanings: Levels, present: Flags) -> Iterator[Floats]:
    """For each expert (prompts, pairs): the others' votes for the longer answer less those for the shorter, by how many
    there are; NaN where there are none."""
    votes, judges = leanings.sum(axis=0, dtype=np.int64), present.sum(axis=0)
    for own, there in zip(leanings, present, strict=True):
        others = (judges - there)[:, None]
        yield np.divide(votes - own, others, out=np.full(votes.shape, np.nan), where=others > 0)


def _length_bias(leanings: Levels, margin: Floats) -> LengthBias | Gap:
    totals = (leanings != 0).sum(axis=-1)
    share = clustered_share((leanings > 0).sum(axis=-1), totals)
    if share is None:
        return Gap(reason="few_prompts", have=int((totals > 0).sum()), need=FEWEST_CLUSTERS)
    prompt, pair = np.nonzero((leanings != 0) & ~np.isnan(margin))
    if len(np.unique(prompt)) < FEWEST_CLUSTERS:
        return LengthBias(longer=share, even=None, p=None)
    fitted = logistic(leanings[prompt, pair] > 0, margin[prompt, pair], prompt)
    half = t_quantile((1 + LEVEL) / 2, len(np.unique(prompt)) - 1) * fitted[1]
    value, low, high = (1 / (1 + exp(-at)) for at in (fitted[0], fitted[0] - half, fitted[0] + half))
    return LengthBias(longer=share, even=(value, low, high), p=normal_tail(fitted[0] / fitted[1]))


def logistic(chosen: Flags, at: Floats, cluster: NDArray[np.int64]) -> tuple[float, float]:
    """The intercept of a logistic regression on one variable, and its cluster-robust standard error (Liang & Zeger
    1986). A normal prior of variance `PRIOR` on both coefficients keeps them finite where `at` tells all."""
    design = np.stack([np.ones_like(at), at], axis=1)
    weights = np.zeros(2)
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-design @ weights))
        bread = (design * (chance * (1 - chance))[:, None]).T @ design + np.eye(2) / PRIOR
        step = np.linalg.solve(bread, design.T @ (chosen - chance) - weights / PRIOR)
        weights += step
        if np.abs(step).max() < 1e-10:
            break
    scores = np.zeros((int(cluster.max()) + 1, 2))
    np.add.at(scores, cluster, design * (chosen - chance)[:, None])
    clusters = len(np.unique(cluster))
    meat = clusters / (clusters - 1) * scores.T @ scores
    covariance = np.linalg.solve(bread, np.linalg.solve(bread, meat).T)
    return float(weights[0]), sqrt(float(covariance[0, 0]))


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
