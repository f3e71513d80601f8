from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from training.examples import Example, Opinion, Pair, ordered_pairs
from training.measures import interval, kendall_tau
from training.quality import best_of, measure, reliability


def example(number: int, tiers: list[int], answers: list[str], **changes: object) -> Example:
    pairs = [Pair(better, worse, 1.0 if worse - better > 1 else 0.2) for better, worse in ordered_pairs(tiers)]
    return Example(
        line=number,
        prompt_id=f"p-{number}",
        prompt=[],
        answers=answers,
        models=[""] * len(answers),
        pairs=pairs,
        tiers=tiers,
        **changes,
    )


@given(st.lists(st.integers(0, 3), min_size=2, max_size=7), st.data())
def test_kendall_tau_is_scipys(tiers: list[int], data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(-2, 2), min_size=len(tiers), max_size=len(tiers)))
    expected = scipy.stats.kendalltau(values, [-tier for tier in tiers]).statistic
    assert kendall_tau([float(value) for value in values], tiers) == pytest.approx(np.nan_to_num(expected))


def test_the_interval_is_scipys_bootstrap() -> None:
    groups = [[random.Random(number).gauss(1, 1)] for number in range(200)]
    low, high = interval(groups, 0)
    reference = scipy.stats.bootstrap(
        (np.array(groups)[:, 0],), np.mean, method="percentile", rng=0
    ).confidence_interval
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=0.02)


def test_accuracies_by_margin_department_dimension_and_expert() -> None:
    opinions = [Opinion("A", "overall", [0, 1, 2]), Opinion("B", "safety", [2, 1, 0])]
    examples = [
        example(1, [0, 1, 2], ["a", "bb", "ccc"], department="内科", opinions=opinions),
        example(2, [0, 1], ["aa", "b"]),
    ]
    told = measure(examples, [[3.0, 1.0, 2.0], [0.5, 0.5]], 0)
    assert told is not None
    assert (told.accuracy.accuracy, told.accuracy.pairs) == (pytest.approx((1 + 1 + 0 + 0.5) / 4), 4)
    assert {name: found.accuracy for name, found in told.by_department.items()} == {
        "unknown": 0.5,
        "内科": pytest.approx(2 / 3),
    }
    assert {name: (found.accuracy, found.pairs) for name, found in told.by_margin.items()} == {
        "0 to 1/3": (pytest.approx(0.5), 3),
        "2/3 to 1": (1.0, 1),
    }
    assert told.by_dimension["overall"].accuracy == pytest.approx(2 / 3)
    assert told.by_dimension["safety"].accuracy == pytest.approx(1 / 3)
    assert told.by_expert.keys() == {"A", "B"}
    assert told.length.accuracy_where_longer_is_better.pairs == 1
    assert told.length.accuracy_where_shorter_is_better.pairs == 3
    assert measure([], [], 0) is None


def test_length_correlation_is_within_prompts() -> None:
    examples = [example(n, [0, 1, 2], ["a" * (4 + 9 * n), "a" * (2 + 9 * n), "a" * (1 + 9 * n)]) for n in (1, 2)]
    scores = [[100.0, 99.0, 97.0], [-5.0, -5.5, -5.1]]
    told = measure(examples, scores, 0)
    assert told is not None
    lengths = np.array([[len(text) for text in each.answers] for each in examples], dtype=float)
    both = [np.array(part) - np.array(part).mean(1, keepdims=True) for part in (scores, lengths)]
    expected = scipy.stats.pearsonr(both[0].ravel(), both[1].ravel()).statistic
    assert told.length.correlation == pytest.approx(expected)


def test_calibration_of_a_model_that_states_what_it_knows() -> None:
    dice = random.Random(0)
    gaps = []
    for _ in range(20_000):
        gap = dice.uniform(0, 4)
        gaps.append(gap if dice.random() < 1 / (1 + np.exp(-gap)) else -gap)
    bins = reliability(gaps)
    assert sum(part.pairs for part in bins) == len(gaps)
    assert all(part.right == pytest.approx(part.stated, abs=0.04) for part in bins)
    overconfident = reliability([gap * 5 for gap in gaps])
    assert sum(part.pairs * abs(part.right - part.stated) for part in overconfident) / len(gaps) > 0.1


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-3, 3)), min_size=2, max_size=6, unique_by=lambda one: one[1]))
def test_best_of_k_is_the_mean_over_all_choices(answers: list[tuple[int, float]]) -> None:
    tiers, values = [tier for tier, _ in answers], [value for _, value in answers]
    quality = [
        np.mean([(other > tier) + 0.5 * (other == tier) for place, other in enumerate(tiers) if place != own])
        for own, tier in enumerate(tiers)
    ]
    for found in best_of([(tiers, values)]):
        chosen = [
            quality[max(some, key=lambda place: values[place])]
            for some in itertools.combinations(range(len(tiers)), found.k)
        ]
        assert found.chosen == pytest.approx(np.mean(chosen))
        assert found.best_possible >= found.chosen - 1e-12
