"""Figures of a run: rank correlation, accuracy over pairs, intervals by resampling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.examples import ordered_pairs

RESAMPLES = 2_000


def kendall_tau(values: Sequence[float], tiers: Sequence[int]) -> float:
    """Kendall's tau-b between values (more is better) and tiers (less is better).

    (concordant - discordant) / sqrt(pairs not tied in values x pairs not tied in tiers); 0 where all are tied.
    """
    left = np.subtract.outer(np.asarray(values), np.asarray(values))
    right = np.subtract.outer(np.asarray(tiers), np.asarray(tiers))
    upper = np.triu_indices(len(values), 1)
    signs = np.sign(left[upper]), -np.sign(right[upper])
    scale = np.sqrt(np.abs(signs[0]).sum() * np.abs(signs[1]).sum())
    return float((signs[0] * signs[1]).sum() / scale) if scale else 0.0


def pair_hits(values: Sequence[float], tiers: Sequence[int]) -> list[float]:
    """Per strictly ordered pair: 1 where the better has the larger value, 0.5 where both are equal, else 0."""
    return [float(np.sign(values[better] - values[worse]) + 1) / 2 for better, worse in ordered_pairs(tiers)]


def interval(groups: Sequence[Sequence[float]], seed: int) -> tuple[float, float]:
    """95 % percentile bootstrap of the mean over all values, resampled by group (a prompt)."""
    sums = np.array([sum(group) for group in groups])
    sizes = np.array([len(group) for group in groups])
    draws = np.random.default_rng(seed).integers(len(groups), size=(RESAMPLES, len(groups)))
    means = sums[draws].sum(1) / sizes[draws].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def mean(values: Sequence[float]) -> float:
    """The mean; 0 of nothing."""
    return float(np.mean(values)) if len(values) else 0.0
