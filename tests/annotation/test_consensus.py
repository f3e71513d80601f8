from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.consensus.ranked_pairs import consensus, count_votes
from annotation.tiers import level_of
from corpus.records import Tiers

A, B, C, D = "abcd"


@st.composite
def profiles(draw, most: int = 6) -> list[Tiers]:
    size = draw(st.integers(2, 5))
    ids = [f"o{number}" for number in range(size)]
    orders = []
    for _ in range(draw(st.integers(1, most))):
        levels = draw(st.lists(st.integers(0, size - 1), min_size=size, max_size=size))
        orders.append([[ids[at] for at in range(size) if levels[at] == level] for level in sorted(set(levels))])
    return orders


def relabelled(tiers: Tiers, names: dict[str, str]) -> Tiers:
    return [sorted(names[name] for name in tier) for tier in tiers]


@given(profiles(), st.randoms(use_true_random=False))
def test_names_do_not_matter(orders, rng):
    ids = sorted(chain(*orders[0]))
    names = dict(zip(ids, rng.sample([f"n{number}" for number in range(9)], len(ids)), strict=True))
    renamed = consensus([relabelled(tiers, names) for tiers in orders])
    assert renamed.tiers == relabelled(consensus(orders).tiers, names)


@given(profiles(), st.randoms(use_true_random=False))
def test_the_order_of_the_judgements_does_not_matter(orders, rng):
    assert consensus(rng.sample(orders, len(orders))) == consensus(orders)


@given(profiles(most=1), st.integers(1, 6))
def test_a_unanimous_order_is_returned(orders, times):
    assert consensus(orders * times).tiers == [sorted(tier) for tier in orders[0]]


@given(profiles())
def test_what_all_prefer_is_preferred(orders):
    level = level_of(consensus(orders).tiers)
    for (one, other), wins in count_votes(orders).items():
        if wins == len(orders):
            assert level[one] < level[other]


@given(profiles())
def test_a_majority_is_only_overruled_by_a_cycle(orders):
    votes = count_votes(orders)
    majority = {(a, b): votes[a, b] - votes[b, a] for a, b in votes if votes[a, b] > votes[b, a]}
    level = level_of(consensus(orders).tiers)

    def path(start, goal, strength, seen=()):
        return any(
            b == goal or (b not in seen and path(b, goal, strength, (*seen, b)))
            for (a, b), margin in majority.items()
            if a == start and margin >= strength
        )

    for (a, b), margin in majority.items():
        if level[a] >= level[b]:
            assert path(b, a, margin)


@given(profiles())
def test_margins_are_the_strict_majorities(orders):
    votes = count_votes(orders)
    expected = {f"{a}>{b}": (votes[a, b] - votes[b, a]) / len(orders) for a, b in votes if votes[a, b] > votes[b, a]}
    margins = consensus(orders).margins
    assert margins == expected
    assert all(0 < margin <= 1 for margin in margins.values())


@given(profiles())
def test_two_answers_with_equal_votes_are_parted_only_through_others(orders):
    """With two answers, or where all majorities tie, nothing is preferred."""
    ids = sorted(chain(*orders[0]))
    for a, b in combinations(ids, 2):
        pair = [[tier for tier in ([x for x in tier if x in (a, b)] for tier in tiers) if tier] for tiers in orders]
        votes = count_votes(pair)
        if votes[a, b] == votes[b, a]:
            assert consensus(pair).tiers == [[a, b]]


def test_three_to_three_is_a_tie():
    result = consensus([[[A], [B]]] * 3 + [[[B], [A]]] * 3)
    assert result.tiers == [[A, B]]
    assert result.margins == {}


def test_the_paradox_of_three_is_a_tie_of_three():
    result = consensus([[[A], [B], [C]], [[B], [C], [A]], [[C], [A], [B]]])
    assert result.tiers == [[A, B, C]]


def test_the_weakest_majority_of_a_cycle_gives_way():
    """Tideman: a>b by 5, b>c by 3, c>a by 1 of 9; the last is left out."""
    orders = [[[A], [B], [C]]] * 4 + [[[B], [C], [A]]] * 2 + [[[C], [A], [B]]] * 3
    votes = count_votes(orders)
    assert (votes[A, B] - votes[B, A], votes[B, C] - votes[C, B], votes[C, A] - votes[A, C]) == (5, 3, 1)
    assert consensus(orders).tiers == [[A], [B], [C]]


def test_the_example_of_the_rule():
    """D > B = A > C."""
    assert consensus([[[D], [B, A], [C]]] * 6).tiers == [[D], [A, B], [C]]


def test_a_senior_expert_overrides():
    result = consensus([[[A], [B]]] * 6, decided=[[B], [A]])
    assert result.tiers == [[B], [A]]
    assert result.method == "adjudication"
    assert result.margins == {"b>a": 1.0}


def test_judgements_must_rank_the_same_answers():
    with pytest.raises(ValueError, match="same ids"):
        consensus([[[A], [B]], [[A], [C]]])
    with pytest.raises(ValueError, match="at least one"):
        consensus([])
