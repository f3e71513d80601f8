"""The arithmetic, held against scipy and statsmodels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa
from statsmodels.stats.multitest import multipletests

from training.evaluation.bias import fleiss
from training.evaluation.length import fit_logistic, length_controlled
from training.evaluation.shares import (
    by_prompt,
    corrected,
    flip_test,
    interval,
    interval_of_share,
    kappa,
    numbered,
    percentages,
    redraws,
)
from training.evaluation.strength import fit_strengths


@given(st.lists(st.integers(0, 10_000), min_size=3, max_size=3))
def test_shares_sum_to_100_exactly_and_stay_near_the_truth(counts: list[int]) -> None:
    shares = percentages(counts)
    if not any(counts):
        assert shares == [0, 0, 0]
        return
    assert sum(shares) == 100
    for share, count in zip(shares, counts, strict=True):
        assert abs(share - 100 * count / sum(counts)) < 1
        assert count or share == 0
    for one, other in [(0, 1), (1, 2), (0, 2)]:
        assert (counts[one] - counts[other]) * (shares[one] - shares[other]) >= 0


@pytest.mark.parametrize(("wins", "losses"), [(14, 5), (3, 3), (0, 7), (40, 61), (1, 0)])
def test_one_verdict_a_prompt_makes_the_flip_test_mcnemars(wins: int, losses: int) -> None:
    p = flip_test([1] * wins + [-1] * losses + [0] * 9)
    assert p == pytest.approx(stats.binomtest(wins, wins + losses).pvalue)
    assert p == pytest.approx(mcnemar([[4, wins], [losses, 6]], exact=True).pvalue)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(-4, 4), min_size=2, max_size=9))
def test_the_flip_test_is_scipys_exact_permutation_test(nets: list[int]) -> None:
    found = stats.permutation_test(
        (nets,), lambda x, axis: np.sum(x, axis=axis), permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    two_sided = np.mean(np.abs(found.null_distribution) >= abs(sum(nets)) - 1e-9)
    assert flip_test(nets) == pytest.approx(two_sided)


@pytest.mark.parametrize(("method", "theirs"), [("holm", "holm"), ("bh", "fdr_bh")])
def test_corrections_are_statsmodels(method: Any, theirs: str) -> None:
    values = [*np.random.default_rng(2).random(30) ** 3, 0.0, 1.0, 0.25, 0.25, 0.25]
    assert corrected(values, method) == pytest.approx(multipletests(values, method=theirs)[1])


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 40), min_size=9, max_size=9))
def test_kappa_is_statsmodels(counts: list[int]) -> None:
    table = np.array(counts).reshape(3, 3)
    both_vary = (table.sum(0) > 0).sum() > 1 or (table.sum(1) > 0).sum() > 1
    if table.sum() and both_vary:
        assert kappa(table) == pytest.approx(cohens_kappa(table).kappa)
    else:
        assert kappa(table) is None


def test_fleiss_kappa_is_statsmodels() -> None:
    votes = np.random.default_rng(1).multinomial(6, [0.5, 0.2, 0.3], size=40)
    assert fleiss(votes) == pytest.approx(fleiss_kappa(votes))
    assert fleiss(np.array([[3, 0, 0], [3, 0, 0]])) is None


def test_the_interval_by_prompt_is_scipys_bootstrap_of_prompts() -> None:
    dice = np.random.default_rng(3)
    prompts = np.repeat(np.arange(60), 3)
    values = (dice.normal(size=60)[prompts] + dice.normal(size=180) / 4)[:, None]
    sums = by_prompt(np.concatenate([values, np.ones_like(values)], axis=1), prompts)
    drawn = redraws(60, 0) @ sums
    ours = interval(drawn[:, 0] / drawn[:, 1])
    means = sums[:, 0] / sums[:, 1]
    theirs = stats.bootstrap((means,), np.mean, method="percentile", n_resamples=4_000, rng=0).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.04)
    naive = stats.bootstrap((values[:, 0],), np.mean, method="percentile", rng=0).confidence_interval
    assert ours[1] - ours[0] > 1.4 * (naive.high - naive.low)  # turns of one dialogue are no independent evidence


@pytest.mark.parametrize("prompts", [1, 5, 40])
def test_an_interval_without_spread_is_clopper_and_pearsons(prompts: int) -> None:
    same = np.full(100, 100.0)
    exact = stats.binomtest(prompts, prompts).proportion_ci(0.95, method="exact")
    assert interval_of_share(same, 100.0, prompts)[0] == pytest.approx(100 * exact.low)
    assert interval_of_share(same, 0.0, prompts)[1] == pytest.approx(100 * (1 - exact.low))


def test_names_are_numbered_in_their_order() -> None:
    assert numbered(["b", "a", "b", "c"]).tolist() == [0, 1, 0, 2]


def test_strengths_without_ties_are_a_logistic_regression() -> None:
    pairs = [(0, 1), (1, 2), (0, 2)]
    wins, losses = np.array([12, 9, 17]), np.array([8, 11, 3])
    counts = np.stack([wins, 0 * wins, losses], axis=1)[None].astype(float)
    ours = fit_strengths(3, pairs, counts, prior=0.0)[0]
    design = np.zeros((3, 2))
    for row, (one, other) in enumerate(pairs):
        design[row, [place - 1 for place in (one,) if place]] += 1
        design[row, [place - 1 for place in (other,) if place]] -= 1
    theirs = sm.GLM(np.stack([wins, losses], axis=1), design, family=sm.families.Binomial()).fit().params
    assert ours[1:3] - ours[0] == pytest.approx(theirs, abs=1e-4)
    assert sum(ours[:3]) == pytest.approx(0, abs=1e-9)


def test_strengths_with_ties_are_davidsons_most_likely() -> None:
    from scipy.optimize import minimize

    pairs = [(0, 1), (1, 2), (0, 2)]
    counts = np.array([[10, 5, 5], [8, 2, 10], [14, 3, 3]], dtype=float)

    def unlikely(parameters: np.ndarray) -> float:
        strength, nu = np.exp([*parameters[:2], -parameters[:2].sum()]), np.exp(parameters[2])
        total = 0.0
        for (one, other), (win, tie, loss) in zip(pairs, counts, strict=True):
            even = nu * np.sqrt(strength[one] * strength[other])
            chances = np.array([strength[one], even, strength[other]]) / (strength[one] + strength[other] + even)
            total -= np.array([win, tie, loss]) @ np.log(chances)
        return total

    best = minimize(unlikely, np.zeros(3), tol=1e-12).x
    ours = fit_strengths(3, pairs, counts[None], prior=0.0)[0]
    assert ours[[0, 1, 3]] == pytest.approx(best, abs=1e-4)


def test_a_model_that_never_lost_has_a_finite_strength() -> None:
    [fitted] = fit_strengths(2, [(0, 1)], np.array([[[500.0, 0.0, 0.0]]]))
    assert 4 < fitted[0] - fitted[1] < 20


def test_logistic_regression_is_statsmodels() -> None:
    dice = np.random.default_rng(0)
    design = np.stack([np.ones(300), dice.normal(size=300)], axis=1)
    outcomes = dice.choice([0, 0.5, 1], size=300, p=[0.3, 0.2, 0.5])
    weights = dice.integers(0, 3, size=(2, 300)).astype(float)
    ours = fit_logistic(design, outcomes, weights, prior=0.0)
    for row, weight in zip(ours, weights, strict=True):
        model = sm.GLM(outcomes, design, family=sm.families.Binomial(), freq_weights=weight)
        assert row == pytest.approx(model.fit().params, abs=1e-5)


def test_length_control_takes_out_what_length_alone_brings() -> None:
    dice = np.random.default_rng(5)
    longer = dice.normal(60, 40, size=800)  # one model writes more
    prefers_length = 1 / (1 + np.exp(-2 * np.tanh(longer / longer.std())))
    outcomes = (dice.random(800) < prefers_length).astype(float)
    control = length_controlled(outcomes, longer, redraws(800, 0))
    assert outcomes.mean() > 0.7
    assert control.interval[0] < 50 < control.interval[1]
    assert control.effect_interval[0] > 1
