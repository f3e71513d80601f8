"""Tests of single experts beside scipy: position, length, pace; what is planted is found, and no more than that."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from annotation.agreement.biases import (
    FEWEST_RANKINGS,
    PositionBias,
    by_place,
    friedman,
    logistic,
    longer_preferred,
    modified_z,
    position_bias,
)
from annotation.agreement.gaps import Gap
from annotation.agreement.measures import MISSING
from annotation.agreement.reliability import against_gold, against_others


def rankings(rng, count, answers=4, pull=0.0):
    """Rankings of answers shown in an order of chance; `pull` draws what stands first to the top."""
    order = rng.permuted(np.tile(np.arange(answers), (count, 1)), axis=1)
    score = rng.normal(size=(count, answers)) + np.arange(answers) - pull * order
    levels = (-score).argsort(axis=1).argsort(axis=1)
    return levels.astype(np.int8), order.astype(np.int8)


@settings(deadline=None)
@given(st.integers(3, 6), st.integers(3, 12), st.integers(0, 2**32 - 1))
def test_the_statistic_is_scipys_friedman(places, blocks, seed):
    ranks = stats.rankdata(np.random.default_rng(seed).integers(0, places, (blocks, places)), axis=1)
    statistic, freedom = friedman(ranks)
    if (ranks == ranks[:, :1]).all():
        assert (statistic, freedom) == (0.0, 0)
    else:
        assert statistic == pytest.approx(stats.friedmanchisquare(*ranks.T).statistic)
        assert freedom == places - 1


def test_position_bias_is_friedmans_test_over_shown_places():
    levels, order = rankings(np.random.default_rng(1), 60, pull=0.4)
    found = position_bias(levels, order)
    ranks = np.take_along_axis(levels + 1, order.argsort(axis=1), axis=1)
    expected = stats.friedmanchisquare(*ranks.T)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.places == pytest.approx(list((ranks.mean(axis=0) - 1) / 3))
    assert (by_place(levels, order) == ranks).all()


def test_sizes_are_tested_apart_and_added_up():
    rng = np.random.default_rng(2)
    wide, wide_order = rankings(rng, 30, answers=4)
    narrow, narrow_order = rankings(rng, 20, answers=3)
    pad = np.full((20, 1), MISSING, np.int8)
    found = position_bias(
        np.vstack([wide, np.hstack([narrow, pad])]), np.vstack([wide_order, np.hstack([narrow_order, pad])])
    )
    parts = [position_bias(wide, wide_order), position_bias(narrow, narrow_order)]
    assert found.statistic == pytest.approx(sum(part.statistic for part in parts))
    assert (found.freedom, len(found.places)) == (5, 4)
    assert found.p == pytest.approx(stats.chi2.sf(found.statistic, 5))


def test_a_planted_bias_is_found_and_false_alarms_are_as_rare_as_promised():
    rng = np.random.default_rng(3)
    assert position_bias(*rankings(rng, 100, pull=0.7)).p < 0.001
    alarms = sum(position_bias(*rankings(rng, 40)).p < 0.05 for _ in range(400))
    assert 0.02 < alarms / 400 < 0.08


def test_what_cannot_be_tested_says_so():
    few = position_bias(*rankings(np.random.default_rng(4), FEWEST_RANKINGS - 1))
    assert few == Gap(reason="few_rankings", have=19, need=20)
    tied = position_bias(np.zeros((30, 4), np.int8), np.tile(np.arange(4, dtype=np.int8), (30, 1)))
    assert tied == Gap(reason="all_tied")
    assert isinstance(position_bias(*rankings(np.random.default_rng(4), FEWEST_RANKINGS)), PositionBias)


def test_longer_answers_are_counted_pair_by_pair():
    levels = np.array([[[0, 1, 2]], [[0, 0, 1]]], np.int8)
    hits, totals = longer_preferred(levels, np.array([[30.0, 10.0, 10.0]]))
    assert (hits.tolist(), totals.tolist()) == ([[2], [1]], [[2], [1]])


def test_the_logistic_fit_is_the_maximum_and_its_error_knows_clusters():
    rng = np.random.default_rng(5)
    at = np.repeat(rng.uniform(-1, 1, 80), 3)
    chosen = np.repeat(rng.random(80) < 1 / (1 + np.exp(-(0.4 + 2 * at[::3]))), 3)

    def minus(weights):
        logits = weights[0] + weights[1] * at
        return np.logaddexp(0, logits).sum() - (logits * chosen).sum() + (weights**2).sum() / 50

    value, error = logistic(chosen, at, np.repeat(np.arange(80), 3))
    assert value == pytest.approx(optimize.minimize(minus, [0, 0]).x[0], abs=1e-4)
    _, alone = logistic(chosen, at, np.arange(240))
    assert error == pytest.approx(math.sqrt(3) * alone, rel=0.03)


def test_the_logistic_fit_ends_where_the_others_tell_all():
    at = np.repeat([-1.0, 1.0], 30)
    value, error = logistic(at > 0, at, np.arange(60))
    assert abs(value) < 1e-6
    assert math.isfinite(error)


def test_outliers_are_those_of_the_modified_z_score():
    values = np.array([[3.0, 3.1, 2.9, 3.2, np.nan], [3.0, 2.8, 3.3, 9.0, -4.0]])
    known = values[~np.isnan(values)]
    expected = 0.6745 * (values - np.median(known)) / stats.median_abs_deviation(known)
    assert modified_z(values) == pytest.approx(expected, nan_ok=True)
    assert (modified_z(np.full((1, 4), 2.0)) == 0).all()


def test_an_expert_is_compared_with_the_others_and_not_with_herself():
    levels = np.array([[[0, 1]], [[0, 1]], [[1, 0]]], np.int8)
    hits, totals = against_others(levels)
    assert (hits.tolist(), totals.tolist()) == ([[0], [0], [0]], [[0], [0], [1]])
    hits, totals = against_gold(levels, np.array([[0, 1]], np.int8))
    assert (hits.tolist(), totals.tolist()) == ([[1], [1], [0]], [[1], [1], [1]])
