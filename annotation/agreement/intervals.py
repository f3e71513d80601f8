"""Intervals and tests for shares and ranks that come in clusters: several pairs of one prompt say much the same."""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, exp, gamma, sqrt
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
FEWEST_CLUSTERS = 10

Floats = NDArray[np.float64]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A share with its 95 % interval; `hits` of `total` pairs from `clusters` prompts."""

    value: float
    low: float
    high: float
    hits: int
    total: int
    clusters: int


def clustered_share(hits: ArrayLike, totals: ArrayLike) -> Share | None:
    """The share of all hits in all totals, one entry a cluster; None under `FEWEST_CLUSTERS` clusters that count.

    Wilson's interval at the effective sample size (Kott & Carr 1997; Dean & Pagano 2015): the variance of the share as
    a ratio of cluster sums gives a design effect, and Student's t at the number of clusters stands for the normal
    quantile. Where all hit or none does, the clusters themselves are the sample.
    """
    hit, total = (np.asarray(values, dtype=float) for values in (hits, totals))
    hit, total = hit[total > 0], total[total > 0]
    clusters, size = len(total), float(total.sum())
    if clusters < FEWEST_CLUSTERS:
        return None
    value = float(hit.sum() / size)
    spread = float(((hit - value * total) ** 2).sum()) * clusters / (clusters - 1) / size**2
    simple = value * (1 - value) / size
    effective = min(size, simple / spread * size) if spread > 0 and simple > 0 else float(clusters)
    low, high = wilson(value, effective, t_quantile((1 + LEVEL) / 2, clusters - 1))
    return Share(value=value, low=low, high=high, hits=round(hit.sum()), total=round(size), clusters=clusters)


def wilson(value: float, size: float, z: float) -> tuple[float, float]:
    """Wilson's (1927) interval for a share of `size` independent trials at the normal quantile `z`."""
    centre = (value + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * sqrt(value * (1 - value) / size + z * z / (4 * size * size))
    return max(0.0, centre - half), min(1.0, centre + half)


def t_quantile(chance: float, freedom: int) -> float:
    """A quantile of Student's t, by its expansion in 1 / freedom (Abramowitz & Stegun 26.7.5): from 9 degrees of
    freedom on right to three digits at the usual levels."""
    z = NormalDist().inv_cdf(chance)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    correction: float = sum(term / freedom**power for power, term in enumerate(terms, start=1))
    return z + correction


def chi2_tail(statistic: float, freedom: int) -> float:
    """The chance that chi-square with `freedom` degrees exceeds `statistic`, by its finite sum (Abramowitz & Stegun
    26.4.4 and 26.4.5)."""
    half, shape = statistic / 2, freedom % 2 / 2
    tail = erfc(sqrt(half)) if shape else 0.0
    while shape < freedom / 2:
        tail += half**shape * exp(-half) / gamma(shape + 1)
        shape += 1
    return min(1.0, tail)


def normal_tail(z: float) -> float:
    """The two-sided chance that a standard normal lies farther out than `z`."""
    return erfc(abs(z) / sqrt(2))


def holm(chances: Sequence[float]) -> list[float]:
    """p-values that hold for the whole family (Holm 1979): the chance of even one false alarm stays under each."""
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    adjusted, highest = [0.0] * len(chances), 0.0
    for step, place in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - step) * chances[place]))
        adjusted[place] = highest
    return adjusted


def jackknife(whole: float, without: Floats) -> tuple[float, float]:
    """A 95 % interval around `whole` from its values without each cluster in turn (Efron & Stein 1981)."""
    clusters = len(without)
    error = sqrt((clusters - 1) / clusters * float(((without - without.mean()) ** 2).sum()))
    half = t_quantile((1 + LEVEL) / 2, clusters - 1) * error
    return whole - half, whole + half
