"""Methods of consensus beside independent ones: brute force, hand-worked cases, scipy's optimiser."""

from __future__ import annotations

from itertools import combinations, permutations, product

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize

from annotation.consensus.choices import choices_of
from annotation.consensus.methods import borda, chosen_method, consensuses, credible
from annotation.consensus.plackett_luce import DISCRIMINATION, Parameters, abilities, fit, reliability
from annotation.consensus.ranked_pairs import carried, combined, consensus, count_votes, ordered_by
from annotation.errors import InvalidError
from annotation.simulation.experts import noise_for, noisy_tiers
from annotation.tiers import level_of

A, B, C, D = "abcd"


@st.composite
def profiles(draw, most=5, answers=4):
    orders = []
    for _ in range(draw(st.integers(1, most))):
        levels = draw(st.lists(st.integers(0, answers - 1), min_size=answers, max_size=answers))
        orders.append([[A_TO_D[at] for at in range(answers) if levels[at] == level] for level in sorted(set(levels))])
    return orders


A_TO_D = [A, B, C, D]


@st.composite
def tournaments(draw):
    """Majorities of four answers, all of different strength; some pairs without one."""
    pairs = [draw(st.sampled_from([pair, pair[::-1], None])) for pair in combinations(A_TO_D, 2)]
    kept = [pair for pair in pairs if pair]
    return dict(zip(draw(st.permutations(kept)), range(1, len(kept) + 1), strict=True))


def locked_one_by_one(order):
    """Tideman's rule as he states it: each majority in turn, unless it closes a circle with those before it."""
    locked = nx.DiGraph()
    locked.add_nodes_from(A_TO_D)
    for pair in order:
        locked.add_edge(*pair)
        if not nx.is_directed_acyclic_graph(locked):
            locked.remove_edge(*pair)
    return locked


@given(tournaments())
def test_ranked_pairs_locks_as_tideman_does(strengths):
    locked = locked_one_by_one(sorted(strengths, key=strengths.get, reverse=True))
    expected = [sorted(tier) for tier in nx.topological_generations(locked)]
    assert ordered_by(A_TO_D, strengths) == expected


@settings(max_examples=40)
@given(profiles())
def test_equal_majorities_are_ordered_as_no_way_of_breaking_the_tie_contradicts(orders):
    votes = count_votes(orders)
    margins = {pair: votes[pair] - votes[pair[::-1]] for pair in votes if votes[pair] > votes[pair[::-1]]}
    strengths = sorted(set(margins.values()), reverse=True)
    groups = [[pair for pair in margins if margins[pair] == strength] for strength in strengths]
    assume(all(len(group) <= 4 for group in groups))
    ways = [
        set(nx.transitive_closure(locked_one_by_one(pair for group in way for pair in group)).edges)
        for way in product(*(permutations(group) for group in groups))
    ]
    level = level_of(consensus(orders).tiers)
    assert all(level[better] <= level[worse] for better, worse in set.intersection(*ways))


def test_borda_by_hand():
    """Three experts; a: 3+3+1, b: 2+2+3, c: 1+0+2, d: 0+1+0."""
    orders = [[[A], [B], [C], [D]], [[A], [B], [D], [C]], [[B], [C], [A], [D]]]
    assert borda(orders) == [[A, B], [C], [D]]


def test_borda_counts_a_tie_as_half():
    assert borda([[[A], [B, C], [D]]]) == [[A], [B, C], [D]]
    assert borda([[[A], [B]], [[B], [A]]]) == [[A, B]]


@given(profiles())
def test_whatever_the_method_no_margin_is_without_a_majority(orders):
    prompt = {f"e{number}": tiers for number, tiers in enumerate(orders)}
    for method in ("ranked_pairs", "borda"):
        (found,) = consensuses([prompt], method)
        votes = count_votes(orders)
        for pair, margin in found.margins.items():
            better, worse = pair.split(">")
            assert margin == (votes[better, worse] - votes[worse, better]) / len(orders)
            assert margin > 0


def part(*orders):
    return consensus(list(orders))


def test_safety_goes_before_everything():
    safe, fluent = part([[A], [B]], [[A], [B]]), part([[B], [A]], [[B], [A]])
    found = combined({"safety": safe, "fluency": fluent}, ["safety", "fluency"])
    assert found.tiers == [[A], [B]]
    assert found.deciding == {"a>b": "safety"}
    assert found.margins == {"a>b": 1.0}


def test_what_safety_leaves_open_the_next_dimension_decides():
    safe = part([[A, B], [C]], [[A, B], [C]])
    professional = part([[B], [A], [C]], [[B], [C], [A]])
    found = combined({"safety": safe, "professionalism": professional}, ["safety", "professionalism"])
    assert found.tiers == [[B], [A], [C]]
    assert found.deciding == {"a>c": "safety", "b>a": "professionalism", "b>c": "safety"}


def test_a_lower_dimension_cannot_go_round_a_higher_one():
    """Safety says a > b alone; professionalism b > c > a would close a circle, and its weakest part gives way."""
    safe = part([[A], [B, C]], [[A, C], [B]], [[A], [B], [C]], [[A, B, C]], [[C], [A], [B]])
    professional = part([[B], [C], [A]], [[B], [C], [A]])
    found = combined({"safety": safe, "professionalism": professional}, ["safety", "professionalism"])
    level = level_of(found.tiers)
    assert level[A] < level[B]


@given(profiles(), profiles())
def test_every_margin_is_carried_by_the_order_and_overrules_no_higher_majority(safety, fluency):
    parts = {"safety": consensus(safety), "fluency": consensus(fluency)}
    for found in (carried(parts["safety"]), combined(parts, ["safety", "fluency"])):
        level = level_of(found.tiers)
        for pair, margin in found.margins.items():
            better, worse = pair.split(">")
            dimension = found.deciding.get(pair, "safety")
            assert level[better] < level[worse]
            assert margin == parts[dimension].margins[pair]
            assert f"{worse}>{better}" not in parts["safety"].margins


@given(profiles(), profiles(), profiles())
def test_the_first_dimension_alone_decides_where_it_orders_everything(first, second, third):
    top = consensus(first)
    parts = {"safety": top, "professionalism": consensus(second), "fluency": consensus(third)}
    found = combined(parts, ["safety", "professionalism", "fluency"])
    for pair in carried(top).margins:
        assert found.deciding[pair] == "safety"
    if all(len(tier) == 1 for tier in top.tiers) and len(top.margins) == 6:
        assert found.tiers == top.tiers


def test_unknown_methods_are_named():
    with pytest.raises(InvalidError, match="ranked_pairs, borda, plackett_luce"):
        chosen_method("schulze")


def experts_and_truth(prompts=60, reliabilities=(0.9, 0.8, 0.7), seed=1):
    import random

    rng = random.Random(seed)
    truth = [{name: rng.gauss(0, 1) for name in A_TO_D} for _ in range(prompts)]
    gaps = [abs(q[a] - q[b]) for q in truth for a, b in combinations(q, 2)]
    noises = [noise_for(each, gaps) for each in reliabilities]
    return truth, [{f"e{e}": noisy_tiers(q, noise, rng) for e, noise in enumerate(noises)} for q in truth]


def negative_log_posterior(theta, prompt, beta, delta):
    """The model written out by hand, subset by subset."""
    total = 0.5 * float(theta @ theta)
    for expert, tiers in prompt.items():
        left = list(range(len(theta)))
        for tier in tiers:
            if len(left) < 2:
                break
            sets = [s for size in range(1, len(left) + 1) for s in combinations(left, size)]
            score = {s: beta[int(expert[1:])] * np.mean(theta[list(s)]) + delta[len(s)] for s in sets}
            chosen = tuple(sorted(A_TO_D.index(name) for name in tier))
            total -= score[chosen] - np.logaddexp.reduce(list(score.values()))
            left = [place for place in left if place not in chosen]
    return total


def test_abilities_and_their_information_are_those_of_scipy():
    _, prompts = experts_and_truth(4)
    beta, delta = np.array([2.5, 1.0, -0.5]), np.array([0.0, 0.0, -1.0, -2.0, -3.0])
    (block,) = choices_of(prompts, ["e0", "e1", "e2"])
    modes, information = abilities(block, Parameters(beta, delta))
    for row, place in enumerate(block.prompts):
        best = optimize.minimize(
            negative_log_posterior, np.zeros(4), (prompts[place], beta, delta), method="BFGS", tol=1e-9
        )
        assert modes[row] == pytest.approx(best.x, abs=1e-4)
        curvature = optimize.approx_fprime(
            best.x,
            lambda at, place=place: optimize.approx_fprime(
                at, negative_log_posterior, 1e-5, prompts[place], beta, delta
            ),
            1e-4,
        )
        assert information[row] == pytest.approx(curvature, abs=2e-2)


def test_reliabilities_are_those_of_the_integrated_likelihood():
    """Two answers: abilities can be integrated out exactly, and scipy finds the maximum."""
    _, prompts = experts_and_truth(100, (0.9, 0.75, 0.6), seed=4)
    pairs = [{e: [[n for n in t if n in (A, B)] for t in tiers] for e, tiers in p.items()} for p in prompts]
    pairs = [{e: [tier for tier in tiers if tier] for e, tiers in p.items()} for p in pairs]
    spread = np.linspace(-5, 5, 41)
    weight = np.exp(-(spread**2) / 4)
    weight /= integrate.trapezoid(weight, spread)

    def minus_log(values):
        beta, delta = values[:3], values[3]
        total = sum((b - DISCRIMINATION[0]) ** 2 / (2 * DISCRIMINATION[1] ** 2) for b in beta) + (delta + 2) ** 2 / 8
        for prompt in pairs:
            likely = np.ones_like(spread)
            for expert, tiers in prompt.items():
                half = beta[int(expert[1:])] * spread / 2
                scores = {(A,): half, (B,): -half, (A, B): np.full_like(spread, delta)}
                likely *= np.exp(scores[tuple(sorted(tiers[0]))]) / sum(np.exp(each) for each in scores.values())
            total -= np.log(integrate.trapezoid(weight * likely, spread))
        return total

    best = optimize.minimize(minus_log, [2, 2, 2, -2], method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-4})
    found = fit(pairs)
    for (_, told), exact in zip(sorted(found.reliabilities.items()), best.x[:3], strict=True):
        assert told.value == pytest.approx(reliability(exact), abs=0.04)
        assert told.low < reliability(exact) < told.high
    assert found.parameters.delta[2] == pytest.approx(best.x[3], abs=0.2)


def test_an_adversary_and_a_guesser_are_found_out():
    _, prompts = experts_and_truth(150, (0.9, 0.85, 0.8, 0.8, 0.5), seed=2)
    prompts = [{**prompt, "e3": prompt["e3"][::-1]} for prompt in prompts]
    found = fit(prompts).reliabilities
    assert found["e0"].value > found["e1"].value > found["e2"].value > 0.7
    assert found["e3"].high < 0.5
    assert found["e4"].low < 0.55
    assert all(each.low < each.value < each.high for each in found.values())


def test_probabilities_keep_their_word():
    """Of the pairs said to be right with about 0.8 to 0.95, about so many are."""
    truth, prompts = experts_and_truth(300, (0.85, 0.75, 0.7), seed=3)
    said = [
        (posterior.chance(a, b), quality[a] > quality[b])
        for posterior, quality in zip(fit(prompts).posteriors, truth, strict=True)
        for a, b in permutations(A_TO_D, 2)
    ]
    sure = [(chance, right) for chance, right in said if 0.8 <= chance <= 0.95]
    assert len(sure) > 100
    assert np.mean([right for _, right in sure]) == pytest.approx(np.mean([chance for chance, _ in sure]), abs=0.06)


def test_where_nothing_can_be_learned_nothing_is():
    with pytest.raises(InvalidError, match="one expert"):
        fit([{"e0": [[A], [B]]}] * 3)
    with pytest.raises(InvalidError, match="no two experts"):
        fit([{"e0": [[A], [B]]}, {"e1": [[A], [B]]}])
    with pytest.raises(InvalidError, match="ties everything"):
        fit([{"e0": [[A, B]], "e1": [[A, B]]}])


def test_equal_votes_are_not_ordered_by_the_fit_either():
    prompts = [{"e0": [[A], [B]], "e1": [[B], [A]]}] * 10
    found = consensuses(prompts, "plackett_luce")
    assert all(each.margins == {} for each in found)
    _, mixed = experts_and_truth(40)
    for prompt, each in zip(mixed, consensuses(mixed, "plackett_luce"), strict=True):
        votes = count_votes(list(prompt.values()))
        assert all(votes[tuple(pair.split(">"))] > votes[tuple(pair.split(">"))[::-1]] for pair in each.margins)


def test_an_order_of_the_fit_that_no_majority_shares_is_none():
    """The fit sides with the two who are mostly agreed with; a reader must not take its order for a preference."""
    well, badly = [[A], [B]], [[B], [A]]
    orders = {"e0": well, "e1": well, "e2": well, "e3": badly}
    prompts = [orders] * 30 + [{**orders, "e2": badly}]
    (*_, last) = consensuses(prompts, "plackett_luce")
    assert last.chances == last.margins == {}
    assert last.tiers == [[A, B]]


def test_how_sure_the_fit_is_stands_beside_its_order():
    _, prompts = experts_and_truth(30)
    for each in consensuses(prompts, "plackett_luce"):
        level = level_of(each.tiers)
        assert set(each.chances) == {f"{a}>{b}" for a, b in permutations(level, 2) if level[a] < level[b]}
        assert all(each.chances[pair] >= 0.8 for pair in each.margins)
        assert all(0 <= chance <= 1 for chance in each.chances.values())


def test_prompts_may_have_different_numbers_of_answers():
    _, four = experts_and_truth(20)
    two = [{e: [[n for n in t if n in (A, B)] for t in tiers] for e, tiers in p.items()} for p in four]
    mixed = four + [{e: [tier for tier in tiers if tier] for e, tiers in p.items()} for p in two]
    posteriors = fit(mixed).posteriors
    assert [len(each.ids) for each in posteriors] == [4] * 20 + [2] * 20
    assert all(sorted(name for tier in credible(each) for name in tier) == each.ids for each in posteriors)


def test_reliability_is_a_half_for_a_guesser_and_falls_below_for_an_adversary():
    assert reliability(0.0) == 0.5
    assert reliability(-1.5) == pytest.approx(1 - reliability(1.5))
    draws = np.abs(np.random.default_rng(1).normal(0, np.sqrt(2), 200_000))
    assert reliability(2.0) == pytest.approx(np.mean(1 / (1 + np.exp(-2 * draws))), abs=2e-3)
