from __future__ import annotations

import math
from itertools import chain

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from annotation.agreement import compare_experts, needs_adjudication
from annotation.measures import kendall_w, krippendorff_alpha, mid_ranks, pair_counts, tau_b
from corpus.records import Tiers


@st.composite
def tiers_of(draw, size: int) -> Tiers:
    ids = draw(st.permutations([f"o{number}" for number in range(size)]))
    tiers: Tiers = [[ids[0]]]
    for output_id in ids[1:]:
        if draw(st.booleans()):
            tiers.append([output_id])
        else:
            tiers[-1].append(output_id)
    return tiers


def rankings(at_least: int = 2):
    return st.integers(2, 7).flatmap(lambda size: st.lists(tiers_of(size), min_size=at_least, max_size=6))


def rank_vector(tiers: Tiers) -> list[float]:
    ranks = mid_ranks(tiers)
    return [ranks[name] for name in sorted(ranks)]


@given(rankings())
def test_ranks_are_scipys(orders):
    for tiers in orders:
        level = [next(at for at, tier in enumerate(tiers) if name in tier) for name in sorted(chain(*tiers))]
        assert rank_vector(tiers) == list(stats.rankdata(level))


@given(rankings())
def test_tau_b_is_scipys(orders):
    one, other = orders[:2]
    expected = stats.kendalltau(rank_vector(one), rank_vector(other)).statistic
    found = tau_b(one, other)
    if found is None:
        assert math.isnan(expected)
    else:
        assert found == pytest.approx(expected)


@given(rankings(at_least=3))
def test_w_is_friedmans(orders):
    table = np.array([rank_vector(tiers) for tiers in orders])
    judges, size = table.shape
    found = kendall_w(orders)
    if size < 3 or found is None:
        return
    expected = stats.friedmanchisquare(*table.T).statistic / (judges * (size - 1))
    assert found == pytest.approx(expected)


def test_w_of_a_textbook_example():
    """Six judges alike: 1. Two judges opposite: 0. Three judges 123, 132, 213: S = 6.0 of 18, W = 4/9."""
    alike = [[["a"], ["b"], ["c"]]] * 6
    assert kendall_w(alike) == 1.0
    assert kendall_w([[["a"], ["b"]], [["b"], ["a"]]]) == 0.0
    three = [[["a"], ["b"], ["c"]], [["a"], ["c"], ["b"]], [["b"], ["a"], ["c"]]]
    assert kendall_w(three) == pytest.approx(4 / 9)


def test_nothing_is_measured_where_nothing_can_be():
    tied = [["a", "b"]]
    assert tau_b(tied, [["a"], ["b"]]) is None
    assert kendall_w([[["a"], ["b"]]]) is None
    assert kendall_w([tied, tied]) is None
    assert kendall_w([]) is None
    assert krippendorff_alpha([{"x": [["a"], ["b"]]}]) is None
    assert krippendorff_alpha([]) is None
    assert krippendorff_alpha([{"x": tied, "y": tied}]) is None


def test_alpha_is_krippendorffs_over_ranks_within_prompts():
    prompts = [
        {"x": [["a"], ["b"], ["c"]], "y": [["a"], ["c"], ["b"]]},
        {"x": [["d", "e"], ["f"]], "z": [["d"], ["e"], ["f"]]},
    ]
    nan = np.nan
    table = [[1, 2, 3, 1.5, 1.5, 3], [1, 3, 2, nan, nan, nan], [nan, nan, nan, 1, 2, 3]]
    expected = krippendorff.alpha(reliability_data=table, level_of_measurement="ordinal")
    assert krippendorff_alpha(prompts) == pytest.approx(expected)


def test_alpha_of_perfect_agreement_and_of_contradiction():
    order, reverse = [["a"], ["b"], ["c"]], [["c"], ["b"], ["a"]]
    assert krippendorff_alpha([{"x": order, "y": order}] * 3) == pytest.approx(1.0)
    assert krippendorff_alpha([{"x": order, "y": reverse}] * 3) < 0


@given(rankings())
def test_pair_counts_add_up(orders):
    one, other = orders[:2]
    alike, opposite, tied_one, tied_other = pair_counts(one, other)
    size = len(list(chain(*one)))
    both = size * (size - 1) // 2 - alike - opposite
    assert max(tied_one, tied_other) <= both <= tied_one + tied_other


def test_experts_are_compared_on_what_they_share():
    prompts = [
        {"x": [["a"], ["b"]], "y": [["a"], ["b"]]},
        {"x": [["a"], ["b"]], "y": [["b"], ["a"]], "z": [["a"], ["b"]]},
        {"y": [["a", "b"]], "z": [["a"], ["b"]]},
    ]
    found = {(pair.one, pair.other): (pair.prompts, pair.agreement, pair.tau_b) for pair in compare_experts(prompts)}
    assert found == {("x", "y"): (2, 0.5, 0.0), ("x", "z"): (1, 1.0, 1.0), ("y", "z"): (2, 0.0, -1.0)}


def test_when_a_senior_expert_is_needed():
    order, reverse = [["a"], ["b"], ["c"]], [["c"], ["b"], ["a"]]
    assert needs_adjudication([order] * 6) is None
    assert needs_adjudication([order]) is None
    assert needs_adjudication([order] * 3 + [reverse] * 3) == "low_agreement"
    assert needs_adjudication([order] * 3 + [[["a"], ["c"], ["b"]]] * 3) == "majority_tie"
