"""Shares that add up to 100, exact tests by prompt, and their correction where many are made."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Correction = Literal["holm", "bh"]

RESAMPLES = 1_000


def percentages(counts: Sequence[int]) -> list[int]:
    """Whole percentages that sum to 100 exactly, by largest remainder; the larger count first where remainders tie.

    All 0 where nothing was counted.
    """
    total = sum(counts)
    if not total:
        return [0] * len(counts)
    shares = [100 * count // total for count in counts]
    places = sorted(range(len(counts)), key=lambda place: (-(100 * counts[place] % total), -counts[place], place))
    for place in places[: 100 - sum(shares)]:
        shares[place] += 1
    return shares


def flip_test(nets: Sequence[int]) -> float:
    """Two-sided exact p of the sum of `nets`, were the sign of each decided by a coin.

    `nets` are wins minus losses of each prompt. With one verdict a prompt this is McNemar's exact test, which is the
    sign test; with several it keeps those of one prompt together.
    """
    likely = np.ones(1)
    for net in nets:
        likely = _flipped(likely, abs(net))
    reach = len(likely) // 2
    far = np.abs(np.arange(-reach, reach + 1)) >= abs(sum(nets))
    return min(1.0, float(likely[far].sum()))


def _flipped(likely: Floats, step: int) -> Floats:
    """The distribution of a sum (probabilities of -reach to reach) with one more step either way."""
    longer = np.zeros(len(likely) + 2 * step)
    longer[: len(likely)] += likely / 2
    longer[2 * step :] += likely / 2
    return longer


def corrected(values: Sequence[float], method: Correction) -> list[float]:
    """p values of a family of tests, adjusted: `holm` (1979) keeps the chance of any false finding, `bh` (Benjamini
    and Hochberg 1995) the share of false ones among the findings."""
    sorted_, order, size = np.sort(values), np.argsort(values, kind="stable"), len(values)
    if method == "holm":
        adjusted = np.maximum.accumulate(sorted_ * np.arange(size, 0, -1))
    else:
        adjusted = np.minimum.accumulate((sorted_ * size / np.arange(1, size + 1))[::-1])[::-1]
    result = np.empty(size)
    result[order] = np.minimum(adjusted, 1.0)
    return [float(value) for value in result]


@lru_cache(maxsize=4)
def redraws(prompts: int, seed: int) -> Floats:
    """How often each prompt is drawn in each of `RESAMPLES` bootstrap samples: (resamples, prompts), rows sum to
    `prompts`."""
    draws = np.random.default_rng(seed).multinomial(prompts, np.full(prompts, 1 / prompts), size=RESAMPLES)
    return draws.astype(np.float64)


def interval(values: npt.NDArray[Any]) -> tuple[float, float]:
    """The middle 95 % of bootstrap values."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def interval_of_share(drawn: Floats, value: float, prompts: int) -> tuple[float, float]:
    """The interval of a share in %, from bootstrap values. Where every prompt says the same these have no spread, and
    the bound of Clopper and Pearson (1934) is taken: what up to so many unlike prompts would make of it."""
    if np.ptp(drawn) > 0:
        return interval(drawn)
    unlike = 1 - 0.025 ** (1 / prompts)
    return value - value * unlike, value + (100 - value) * unlike


def by_prompt(values: Floats, prompts: npt.NDArray[np.int64]) -> Floats:
    """Rows of `values` (n, k) added up over those of one prompt; `prompts` numbers them from 0: (prompts, k)."""
    sums = np.zeros((int(prompts.max(initial=-1)) + 1, values.shape[1]))
    np.add.at(sums, prompts, values)
    return sums


def numbered(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """The names as numbers from 0, in the order in which they first come."""
    places: dict[str, int] = {}
    return np.array([places.setdefault(name, len(places)) for name in names], dtype=np.int64)


def kappa(table: npt.NDArray[Any]) -> float | None:
    """Cohen's kappa of a square table of counts; None where chance alone would always agree."""
    value = kappas(np.asarray(table, dtype=np.float64)[None])[0]
    return None if np.isnan(value) else float(value)


def kappas(tables: Floats) -> Floats:
    """Cohen's kappa (1960) of each of (r, k, k) tables: (observed - chance) / (1 - chance); NaN where undefined."""
    totals = tables.sum((1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.trace(tables, axis1=1, axis2=2) / totals
        chance = (tables.sum(1) * tables.sum(2)).sum(1) / totals**2
        return np.where(chance < 1, (observed - chance) / (1 - chance), np.nan)
