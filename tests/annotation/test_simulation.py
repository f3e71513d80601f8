from __future__ import annotations

import random

import pytest
from sqlalchemy import select

from annotation.agreement.agreement import agreement
from annotation.agreement.ballots import followed
from annotation.agreement.disputes import disputes
from annotation.agreement.measures import alike_and_opposite, panel_of, signs
from annotation.errors import InvalidError
from annotation.judgements import judged_tasks
from annotation.simulation.experts import (
    RELIABILITIES,
    add_simulated_experts,
    experts_chosen,
    noise_for,
    noisy_tiers,
    simulate,
)
from annotation.simulation.quality import apparent_quality
from annotation.simulation.senior import settle_disputes
from annotation.tables.models import User


def run(database, made, *, prompts=40, seed=3, name="试验", truth=True):
    with database.write() as session:
        campaign = made.campaign(session, prompts=prompts, name=name)
        known = made.truth(made.outputs(made.prompts(prompts))) if truth else None
        return simulate(session, campaign, seed=seed, truth=known), campaign


def test_simulated_experts_say_so_and_have_no_password(database):
    with database.write() as session:
        add_simulated_experts(session)
        add_simulated_experts(session)
    with database.read() as session:
        users = session.scalars(select(User)).all()
        assert len(users) == 6
        assert all(user.simulated and user.password_hash is None and "模拟" in user.name for user in users)
        assert {user.reliability for user in users} == set(RELIABILITIES)


def test_experts_agree_as_real_ones_do(database, made):
    done, campaign = run(database, made)
    assert (done.rankings, done.waiting) == (240, 0)
    with database.read() as session:
        summary = agreement(session, campaign)
    assert summary.simulated
    assert 0.68 < summary.pair_agreement < 0.87
    assert all(row.simulated and row.ranked == 40 for row in summary.experts)
    assert len({row.agreement for row in summary.experts}) == 6
    by_reliability = sorted(summary.experts, key=lambda row: row.stated_reliability)
    assert by_reliability[0].agreement < by_reliability[-1].agreement


def test_the_stated_reliability_is_the_chance_to_order_a_pair_rightly():
    quality = {"a": 0.0, "b": 1.0, "c": 1.5, "d": 4.0}
    differences = [1.0, 1.5, 4.0, 0.5, 3.0, 2.5]
    rng = random.Random(1)
    for stated in (0.7, 0.85, 0.95):
        noise = noise_for(stated, differences)
        prompts = []
        for _ in range(4000):
            seen = {name: value + rng.gauss(0, noise) for name, value in quality.items()}
            order = [[name] for name in sorted(seen, key=seen.get, reverse=True)]
            prompts.append({"seen": order, "true": [["d"], ["c"], ["b"], ["a"]]})
        right, wrong = (count.sum() for count in alike_and_opposite(*signs(panel_of(prompts)[1])))
        assert right / (right + wrong) == pytest.approx(stated, abs=0.01)


def test_ties_occur_but_seldom(database, made):
    _, campaign = run(database, made)
    with database.read() as session:
        tiers = [tiers for task in judged_tasks(session, campaign) for tiers in task.tiers()]
    tied = sum(any(len(tier) > 1 for tier in order) for order in tiers)
    assert 0.02 < tied / len(tiers) < 0.6


def test_the_same_seed_gives_the_same_rankings_on_any_database(sqlite_url, postgres_url, made):
    from annotation.database import Database

    results = []
    for url in (sqlite_url, postgres_url):
        database = Database(url)
        _, campaign = run(database, made, prompts=8, truth=False)
        with database.read() as session:
            results.append([task.judgements for task in judged_tasks(session, campaign)])
        database.close()
    assert results[0] == results[1]


def test_running_again_changes_nothing(database, made):
    _, campaign = run(database, made, prompts=3)
    with database.write() as session:
        assert simulate(session, campaign, seed=99).rankings == 0


def test_real_experts_are_left_alone(database, made):
    with database.write() as session:
        made.person(session)
        names = [*experts_chosen(session, "simulated"), *experts_chosen(session, "all")]
        campaign = made.campaign(session, experts=names, overlap=7, prompts=2)
        done = simulate(session, campaign, seed=1)
    assert (done.rankings, done.waiting) == (12, 2)


def test_a_truth_with_gaps_is_refused(database, made):
    with database.write() as session, pytest.raises(InvalidError, match="nothing about"):
        simulate(session, made.campaign(session), seed=1, truth={})


def test_a_real_person_of_that_name_is_not_taken_over(database, made):
    with database.write() as session:
        made.person(session, "模拟专家3")
    with pytest.raises(InvalidError), database.write() as session:
        add_simulated_experts(session)


def test_no_real_expert_is_said(database):
    with database.read() as session, pytest.raises(InvalidError, match="no expert yet"):
        experts_chosen(session, "all")


def test_better_answers_look_better(made):
    prompt = made.prompts(1)[0]
    good = "建议做血常规和胸片检查。请问咳嗽有没有痰，有没有发热、胸痛？多喝水，注意休息。"
    for bad in ("好", "建议" * 60, "qzx##@@ 咳 \ufffd\ufffd lorem ipsum dolor", good * 20):
        assert apparent_quality(prompt, bad) < apparent_quality(prompt, good)


def test_equal_answers_are_ordered_by_chance_alone():
    assert noise_for(0.9, [0.0, 0.0]) == 1.0
    rng = random.Random(2)
    firsts = [noisy_tiers({"a": 0.0, "b": 0.0}, 1.0, rng)[0] for _ in range(2000)]
    assert firsts.count(["a"]) == pytest.approx(firsts.count(["b"]), rel=0.15)


def test_a_simulated_senior_settles_what_simulated_experts_dispute_and_nothing_of_people(database, made):
    with database.write() as session:
        campaign = made.campaign(session, name="simulated", prompts=20)
        simulate(session, campaign, seed=3)
        disputed = {
            one.prompt_id for one in disputes(followed(session, campaign.id), lowest_w=campaign.adjudicate_below)
        }
        assert len(disputed) == settle_disputes(session, campaign, seed=3) > 0
        assert settle_disputes(session, campaign, seed=3) == 0
        decided = {task.prompt.prompt_id for task in judged_tasks(session, campaign) if task.decided is not None}
        assert decided == disputed
        person = made.person(session)
        real = made.campaign(session, name="real", experts=["模拟专家1", person.name], overlap=2)
        with pytest.raises(InvalidError, match="real senior expert"):
            settle_disputes(session, real, seed=3)
