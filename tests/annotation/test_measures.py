"""Measures of agreement beside the `krippendorff` package and scipy, on made rankings with ties and gaps."""

from __future__ import annotations

import math

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from annotation.agreement.agreement import compare_experts
from annotation.agreement.certainty import certainty, chance_of_majority
from annotation.agreement.disputes import tied_majorities
from annotation.agreement.gaps import SENTENCES, Gap, gap_in
from annotation.agreement.measures import (
    MISSING,
    alike_and_opposite,
    kendall_w,
    known_mean,
    krippendorff_alpha,
    mid_ranks,
    panel_of,
    ranked,
    signs,
    tau_b,
)


@st.composite
def panels(draw, experts=(1, 5)):
    """Experts x prompts x answers: any order with ties, of 2 to 6 answers a prompt, some rankings missing."""
    count, sizes = draw(st.integers(*experts)), draw(st.lists(st.integers(2, 6), min_size=1, max_size=5))
    levels = np.full((count, len(sizes), max(sizes)), MISSING, np.int8)
    for expert in range(count):
        for prompt, size in enumerate(sizes):
            if draw(st.integers(0, 4)):
                scores = draw(st.lists(st.integers(0, size - 1), min_size=size, max_size=size))
                levels[expert, prompt, :size] = stats.rankdata(scores, method="dense") - 1
    return levels


def rows_of(levels, prompt):
    """Rank vectors of the experts who ranked a prompt."""
    rows = mid_ranks(levels)[:, prompt]
    return rows[ranked(levels)[:, prompt]][:, (levels[:, prompt] >= 0).any(axis=0)]


@settings(deadline=None)
@given(panels())
def test_ranks_are_scipys(levels):
    found = mid_ranks(levels)
    for expert, prompt in np.argwhere(ranked(levels)):
        known = levels[expert, prompt] >= 0
        assert list(found[expert, prompt, known]) == list(stats.rankdata(levels[expert, prompt, known]))
        assert np.isnan(found[expert, prompt, ~known]).all()


@settings(deadline=None)
@given(panels(experts=(2, 2)))
def test_tau_b_is_scipys(levels):
    found = tau_b(*signs(levels))
    for prompt in range(levels.shape[1]):
        rows = rows_of(levels, prompt)
        expected = stats.kendalltau(*rows).statistic if len(rows) == 2 else math.nan
        assert found[prompt] == pytest.approx(expected, nan_ok=True)


@settings(deadline=None)
@given(panels(experts=(3, 6)))
def test_w_is_friedmans(levels):
    found = kendall_w(levels)
    for prompt in range(levels.shape[1]):
        rows = rows_of(levels, prompt)
        judges, size = rows.shape
        if judges < 2 or (rows == rows[:, :1]).all():
            assert math.isnan(found[prompt])
        elif judges > 2 and size > 2:
            expected = stats.friedmanchisquare(*rows.T).statistic / (judges * (size - 1))
            assert found[prompt] == pytest.approx(expected)


@settings(deadline=None)
@given(panels())
def test_alpha_is_krippendorffs_over_ranks_within_prompts(levels):
    table = mid_ranks(levels).reshape(len(levels), -1)
    found = krippendorff_alpha(levels)
    coded = table[:, (~np.isnan(table)).sum(axis=0) > 1]
    if len(np.unique(coded[~np.isnan(coded)])) < 2:
        assert found is None
    else:
        expected = krippendorff.alpha(reliability_data=table, level_of_measurement="ordinal")
        assert found.value == pytest.approx(expected)


def test_w_of_a_textbook_example():
    """Six judges alike: 1. Two judges opposite: 0. Three judges 123, 132, 213: S = 6.0 of 18, W = 4/9."""
    for orders, expected in (
        ([[0, 1, 2]] * 6, 1.0),
        ([[0, 1], [1, 0]], 0.0),
        ([[0, 1, 2], [0, 2, 1], [1, 0, 2]], 4 / 9),
    ):
        assert kendall_w(np.array(orders, np.int8)[:, None]) == pytest.approx(expected)


def test_the_interval_of_alpha_is_the_jackknifes():
    rng = np.random.default_rng(1)
    levels = np.argsort(rng.normal(size=(4, 12, 3)) + np.arange(3), axis=-1).argsort(axis=-1).astype(np.int8)

    def value(prompts):
        table = mid_ranks(levels[:, prompts]).reshape(4, -1)
        return krippendorff.alpha(reliability_data=table, level_of_measurement="ordinal")

    without = np.array([value([other for other in range(12) if other != prompt]) for prompt in range(12)])
    error = math.sqrt(11 / 12 * ((without - without.mean()) ** 2).sum())
    half = stats.t.ppf(0.975, 11) * error
    found = krippendorff_alpha(levels)
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), abs=1e-4)
    few = krippendorff_alpha(levels[:, :9])
    assert (few.low, few.high) == (None, None)


def test_the_interval_of_alpha_holds_what_it_promises():
    """95 % of 95 % intervals from twenty prompts hold the alpha of a hundred thousand."""
    rng = np.random.default_rng(1)

    def rankings(prompts):
        noise = rng.normal(size=(4, prompts, 4)) * np.array([1.0, 1.0, 1.3, 1.6])[:, None, None]
        seen = rng.normal(size=(1, prompts, 4)) + noise
        return seen.argsort(axis=-1).argsort(axis=-1).astype(np.int8)

    truth = krippendorff_alpha(rankings(100_000)).value
    found = [krippendorff_alpha(rankings(20)) for _ in range(400)]
    assert 0.92 < np.mean([one.low <= truth <= one.high for one in found]) < 0.98


@settings(deadline=None)
@given(panels(experts=(2, 2)))
def test_pairs_ordered_alike_are_counted_one_by_one(levels):
    alike, opposite = alike_and_opposite(*signs(levels))
    for prompt in range(levels.shape[1]):
        rows = rows_of(levels, prompt)
        products = [
            np.sign(rows[0, a] - rows[0, b]) * np.sign(rows[1, a] - rows[1, b])
            for a in range(rows.shape[1])
            for b in range(a)
            if len(rows) == 2
        ]
        assert (alike[prompt], opposite[prompt]) == (products.count(1), products.count(-1))


def test_experts_are_compared_on_what_they_share():
    prompts = [
        {"x": [["a"], ["b"]], "y": [["a"], ["b"]]},
        {"x": [["a"], ["b"]], "y": [["b"], ["a"]], "z": [["a"], ["b"]]},
        {"y": [["a", "b"]], "z": [["a"], ["b"]]},
    ]
    experts, levels = panel_of(prompts)
    found = {
        (pair.one, pair.other): (pair.prompts, pair.agreement, pair.tau_b) for pair in compare_experts(levels, experts)
    }
    assert found == {("x", "y"): (2, 0.5, 0.0), ("x", "z"): (1, 1.0, 1.0), ("y", "z"): (2, 0.0, -1.0)}


ORDER, REVERSE, SWAPPED, TIED = ([["a"], ["b"], ["c"]], [["c"], ["b"], ["a"]], [["a"], ["c"], ["b"]], [["a", "b", "c"]])


def test_a_majority_that_ties_is_seen():
    for orders, tied in (
        ([ORDER] * 6, False),
        ([ORDER] * 3 + [SWAPPED] * 3, True),
        ([TIED] * 2, False),
        ([ORDER], False),
    ):
        _, levels = panel_of([dict(enumerate(orders))])
        assert list(tied_majorities(levels)) == [tied]


@pytest.mark.parametrize(
    ("prompts", "reason"),
    [
        ([], "no_rankings"),
        ([{}], "no_rankings"),
        ([{"x": ORDER}, {"x": REVERSE}], "one_expert"),
        ([{"x": ORDER}, {"y": REVERSE}], "no_overlap"),
        ([{"x": TIED, "y": TIED}, {"x": ORDER}], "all_tied"),
        ([{"x": ORDER, "y": TIED}], None),
    ],
)
def test_what_says_nothing_says_why(prompts, reason):
    gap = gap_in(panel_of(prompts)[1])
    assert (gap.reason if gap else None) == reason


def test_a_gap_is_a_sentence_without_a_figure_that_looks_like_a_result():
    for reason in SENTENCES:
        for language, begins in (("zh", "数据不足："), ("en", "Not enough: ")):
            sentence = Gap(reason=reason, have=3, need=10).sentence(language)
            assert sentence.startswith(begins)
            assert not any(word in sentence for word in ("nan", "None", "0.0", "{"))
    assert known_mean(np.array([math.nan])) is None


@settings(deadline=None)
@given(st.integers(0, 20), st.integers(0, 20))
def test_the_chance_of_a_majority_is_betas(more, fewer):
    assert chance_of_majority(more, fewer) == pytest.approx(stats.beta.sf(0.5, more + 1, fewer + 1))


def test_votes_on_pairs_are_sorted_by_how_sure_they_are():
    _, levels = panel_of([dict(enumerate([ORDER, ORDER, SWAPPED])), {0: TIED, 1: TIED}, {0: ORDER}])
    found = certainty(levels)
    assert (found.unanimous, found.clear, found.narrow, found.tied, found.silent) == (2, 1, 0, 0, 3)
    assert found.chances == [(0.6875, 1), (0.9375, 2)]
