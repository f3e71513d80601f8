"""Measures of agreement between rankings with ties and gaps, over a whole panel at once.

A panel is an array (experts, prompts, answers) of levels: the tier that an expert put an answer into, 0 the best,
`MISSING` where she has not ranked the prompt or it has fewer answers. Where the rankings cannot tell, a value is NaN
in an array and None alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from annotation.agreement.intervals import FEWEST_CLUSTERS, jackknife
from annotation.tiers import level_of
from corpus.records import Tiers

MISSING = -1

Levels = NDArray[np.int8]
Floats = NDArray[np.float64]


class Alpha(msgspec.Struct, frozen=True, kw_only=True):
    """Krippendorff's alpha with its 95 % interval, None where there are too few prompts for one."""

    value: float
    low: float | None
    high: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both bounds, or neither."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def panel_of(prompts: Sequence[Mapping[str, Tiers]]) -> tuple[list[str], Levels]:
    """The experts, sorted, and the panel of their rankings; `prompts` maps expert to tiers, one mapping a prompt."""
    experts = sorted({expert for prompt in prompts for expert in prompt})
    widest = max((sum(map(len, tiers)) for prompt in prompts for tiers in prompt.values()), default=0)
    levels = np.full((len(experts), len(prompts), widest), MISSING, np.int8)
    for place, prompt in enumerate(prompts):
        for expert, tiers in prompt.items():
            found = level_of(tiers)
            levels[experts.index(expert), place, : len(found)] = [found[name] for name in sorted(found)]
    return experts, levels


def ranked(levels: Levels) -> NDArray[np.bool_]:
    """Which experts have ranked which prompts: (experts, prompts)."""
    found: NDArray[np.bool_] = np.any(levels >= 0, axis=-1)
    return found


def signs(levels: Levels) -> Levels:
    """For every pair of answers (the last axis): 1 where the first is better, -1 where the second is, 0 where they
    are tied or missing."""
    first, second = np.triu_indices(levels.shape[-1], 1)
    here, there = levels[..., first], levels[..., second]
    found: Levels = np.sign(there - here, dtype=np.int8) * ((here >= 0) & (there >= 0))
    return found


def mid_ranks(levels: Levels) -> Floats:
    """Ranks from 1; tied answers share the mean of the ranks that they take up, what is missing is NaN."""
    known = levels >= 0
    both = known[..., :, None] & known[..., None, :]
    beaten = np.where(both, np.sign(levels[..., :, None] - levels[..., None, :]), 0).sum(axis=-1)
    size = known.sum(axis=-1, keepdims=True)
    return np.where(known, (size + 1 + beaten) / 2, np.nan)


def tau_b(one: Levels, other: Levels) -> Floats:
    """Kendall's tau-b of `signs` against `signs`, prompt by prompt; NaN where either ties everything or is missing."""
    product = (one * other).sum(axis=-1, dtype=np.int64)
    scale = np.sqrt(_size(one) * _size(other))
    found: Floats = np.divide(product, scale, out=np.full(product.shape, np.nan), where=scale > 0)
    return found


def alike_and_opposite(one: Levels, other: Levels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Prompt by prompt: the pairs that both `signs` order, ordered alike and ordered oppositely."""
    product = one * other
    return (product > 0).sum(axis=-1), (product < 0).sum(axis=-1)


def kendall_w(levels: Levels) -> Floats:
    """Kendall's coefficient of concordance of every prompt, with the correction for ties (Kendall & Gibbons 1990,
    ch. 6): 0 to 1; NaN for fewer than two rankings, or where every ranking ties everything."""
    judges = ranked(levels).sum(axis=0)
    known = (levels >= 0).any(axis=0)
    size = known.sum(axis=-1)
    sums = np.nan_to_num(mid_ranks(levels)).sum(axis=0)
    mean = judges * (size + 1) / 2
    spread = np.where(known, (sums - mean[:, None]) ** 2, 0).sum(axis=-1)
    scale = judges**2 * (size**3 - size) - judges * _ties(levels).sum(axis=0)
    told = (judges >= 2) & (scale > 0)
    found: Floats = np.divide(12 * spread, scale, out=np.full(len(size), np.nan), where=told)
    return found


def krippendorff_alpha(levels: Levels) -> Alpha | None:
    """Krippendorff's alpha, ordinal, over the ranks within each prompt: units are answers, coders are experts.

    None where no answer was ranked twice, or all ranks are equal. The interval is the delete-one-prompt jackknife's.
    """
    together = _coincidences(levels)
    together = together[together.any(axis=(1, 2))]
    total = together.sum(axis=0)
    value = float(_alpha(total))
    if np.isnan(value):
        return None
    if len(together) < FEWEST_CLUSTERS:
        return Alpha(value=value, low=None, high=None)
    low, high = jackknife(value, np.nan_to_num(_alpha(total - together), nan=value))
    return Alpha(value=value, low=max(-1.0, low), high=min(1.0, high))


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def known_mean(values: Floats) -> float | None:
    """The mean of what is no NaN; None where nothing is."""
    found = values[~np.isnan(values)]
    return float(found.mean()) if len(found) else None


def _size(ordered: Levels) -> NDArray[np.int64]:
    size: NDArray[np.int64] = np.abs(ordered).sum(axis=-1, dtype=np.int64)
    return size


def _ties(levels: Levels) -> NDArray[np.int64]:
    """The sum of t^3 - t over the tiers of each ranking: t^2 - 1 for each answer in a tier of t."""
    known = levels >= 0
    equal = (levels[..., :, None] == levels[..., None, :]) & known[..., :, None]
    tier: NDArray[np.int64] = equal.sum(axis=-1)
    ties: NDArray[np.int64] = np.where(known, tier**2 - 1, 0).sum(axis=-1)
    return ties


def _coincidences(levels: Levels) -> Floats:
    """How often two experts gave an answer the one rank and the other: (prompts, ranks, ranks), ranks by halves.

    Each answer counts for as many as ranked it (Krippendorff 2004, ch. 11.3).
    """
    _, prompts, answers = levels.shape
    ranks = mid_ranks(levels)
    expert, prompt, answer = np.nonzero(~np.isnan(ranks))
    width = 2 * answers - 1
    place = (prompt * answers + answer) * width + (2 * ranks[expert, prompt, answer] - 2).astype(np.int64)
    counts = np.bincount(place, minlength=prompts * answers * width).reshape(prompts, answers, width).astype(float)
    coders = counts.sum(axis=-1, keepdims=True)
    weighed = np.divide(counts, coders - 1, out=np.zeros_like(counts), where=coders > 1)
    found: Floats = np.einsum("tkv,tkw->tvw", weighed, counts)
    found[:, range(width), range(width)] -= weighed.sum(axis=1)
    return found


def _alpha(together: Floats) -> Floats:
    """Alpha of coincidences (…, ranks, ranks) by the ordinal metric; NaN where it is not defined."""
    counts = together.sum(axis=-1)
    total = counts.sum(axis=-1)
    centre = counts.cumsum(axis=-1) - counts / 2
    distance = (centre[..., :, None] - centre[..., None, :]) ** 2
    observed = (together * distance).sum(axis=(-1, -2))
    expected = (counts[..., :, None] * counts[..., None, :] * distance).sum(axis=(-1, -2))
    disagreement = np.divide(
        observed * (total - 1), expected, out=np.full(np.shape(expected), np.nan), where=expected > 0
    )
    return np.asarray(1 - disagreement)
