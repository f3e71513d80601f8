"""Measures of agreement between rankings with ties. Each returns None where the data cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import sqrt

import numpy as np

from annotation.consensus import level_of
from corpus.records import Tiers


def mid_ranks(tiers: Tiers) -> dict[str, float]:
    """Ranks from 1; tied ids share the mean of the ranks they take up."""
    ranks: dict[str, float] = {}
    for tier in tiers:
        ranks.update(dict.fromkeys(tier, len(ranks) + (len(tier) + 1) / 2))
    return ranks


def pair_counts(one: Tiers, other: Tiers) -> tuple[int, int, int, int]:
    """Over all pairs of ids: ordered alike, ordered oppositely, tied in `one` at least, tied in `other` at least."""
    first, second = level_of(one), level_of(other)
    alike = opposite = tied_one = tied_other = 0
    for a, b in combinations(sorted(first), 2):
        by_one, by_other = first[a] - first[b], second[a] - second[b]
        alike += by_one * by_other > 0
        opposite += by_one * by_other < 0
        tied_one += by_one == 0
        tied_other += by_other == 0
    return alike, opposite, tied_one, tied_other


def tau_b(one: Tiers, other: Tiers) -> float | None:
    """Kendall's tau-b of two rankings of the same ids; None where either ties everything."""
    alike, opposite, tied_one, tied_other = pair_counts(one, other)
    size = sum(map(len, one))
    pairs = size * (size - 1) // 2
    scale = sqrt((pairs - tied_one) * (pairs - tied_other))
    return (alike - opposite) / scale if scale else None


def kendall_w(rankings: Sequence[Tiers]) -> float | None:
    """Kendall's coefficient of concordance with the correction for ties (Kendall & Gibbons 1990, ch. 6).

    0 to 1; None for fewer than two rankings or where every ranking ties everything.
    """
    judges, size = len(rankings), sum(map(len, rankings[0])) if rankings else 0
    if judges < 2 or size < 2:
        return None
    sums: dict[str, float] = {}
    for tiers in rankings:
        for output_id, rank in mid_ranks(tiers).items():
            sums[output_id] = sums.get(output_id, 0.0) + rank
    mean = judges * (size + 1) / 2
    spread = sum((total - mean) ** 2 for total in sums.values())
    ties = sum(len(tier) ** 3 - len(tier) for tiers in rankings for tier in tiers)
    scale = judges**2 * (size**3 - size) - judges * ties
    return 12 * spread / scale if scale else None


def krippendorff_alpha(judged: Iterable[Mapping[str, Tiers]]) -> float | None:
    """Krippendorff's alpha, ordinal, over the ranks within each prompt: units are answers, coders are experts.

    `judged` holds one mapping of expert to tiers per prompt. None where no answer was ranked twice or all ranks
    are equal.
    """
    import krippendorff

    prompts = list(judged)
    experts = sorted({expert for prompt in prompts for expert in prompt})
    columns = [
        [ranks[expert].get(output_id, np.nan) if expert in ranks else np.nan for expert in experts]
        for prompt in prompts
        if len(prompt) > 1
        for ranks in [{expert: mid_ranks(tiers) for expert, tiers in prompt.items()}]
        for output_id in sorted(next(iter(ranks.values())))
    ]
    table = np.array(columns, dtype=float).T
    if not columns or len(np.unique(table[~np.isnan(table)])) < 2:
        return None
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement="ordinal"))


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
