"""Intervals and p-values beside scipy, and what they promise, kept on made data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from annotation.agreement.intervals import chi2_tail, clustered_share, holm, normal_tail, t_quantile, wilson


@settings(deadline=None)
@given(st.floats(0, 200), st.integers(1, 40))
def test_the_chi_square_tail_is_scipys(statistic, freedom):
    assert chi2_tail(statistic, freedom) == pytest.approx(stats.chi2.sf(statistic, freedom), rel=1e-9, abs=1e-300)


@settings(deadline=None)
@given(st.integers(9, 5000))
def test_students_quantile_is_scipys(freedom):
    assert t_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), abs=2e-5)


@settings(deadline=None)
@given(st.integers(1, 500).flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size))))
def test_wilsons_interval_is_scipys(counts):
    hits, size = counts
    expected = stats.binomtest(hits, size).proportion_ci(0.95, method="wilson")
    assert wilson(hits / size, size, stats.norm.ppf(0.975)) == pytest.approx(tuple(expected), abs=1e-12)


@settings(deadline=None)
@given(st.floats(-8, 8))
def test_the_normal_tail_is_scipys(z):
    assert normal_tail(z) == pytest.approx(2 * stats.norm.sf(abs(z)))


def test_holms_values_are_those_of_a_worked_example():
    """Holm (1979): 4 x 0.01, 3 x 0.02, then never less than the one before, never more than 1."""
    assert holm([0.02, 0.9, 0.01, 0.021]) == pytest.approx([0.06, 0.9, 0.04, 0.06])
    assert holm([]) == []


def test_independent_pairs_give_about_wilsons_interval():
    rng = np.random.default_rng(3)
    hits = rng.random(400) < 0.8
    found = clustered_share(hits, np.ones(400))
    assert (found.low, found.high) == pytest.approx(wilson(found.value, 400, stats.norm.ppf(0.975)), abs=0.002)


def test_pairs_that_come_together_widen_the_interval():
    """Six copies of each trial tell no more than one."""
    rng = np.random.default_rng(3)
    hits = rng.random(200) < 0.8
    once, sixfold = clustered_share(hits, np.ones(200)), clustered_share(6 * hits, np.full(200, 6))
    assert (sixfold.low, sixfold.high) == pytest.approx((once.low, once.high), abs=1e-3)


def test_the_interval_holds_what_it_promises():
    """95 % of 95 % intervals hold the true share, with prompts of their own difficulty and pairs that depend on it."""
    rng = np.random.default_rng(7)
    held, rounds = 0, 600
    for _ in range(rounds):
        difficulty = rng.beta(8, 2, size=30)
        found = clustered_share(rng.binomial(6, difficulty), np.full(30, 6))
        held += found.low <= 0.8 <= found.high
    assert 0.93 <= held / rounds <= 0.985


def test_all_hits_are_no_certainty():
    found = clustered_share(np.full(20, 6), np.full(20, 6))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low < 0.85


def test_a_few_prompts_give_no_interval():
    assert clustered_share(np.full(9, 6), np.full(9, 6)) is None
    assert clustered_share([], []) is None
    assert not math.isnan(clustered_share(np.zeros(10), np.full(10, 6)).value)
