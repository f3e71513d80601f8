"""Adaptive campaigns: more opinions where the votes leave a prompt open, none where it is settled."""

from __future__ import annotations

import threading
from itertools import product

import pytest
from sqlalchemy import func, select

from annotation.campaigns.campaigns import create_campaign
from annotation.campaigns.gold import Gold
from annotation.campaigns.settling import PRIOR, UNSETTLED, change, uncertainty
from annotation.database import Database
from annotation.errors import InvalidError
from annotation.identity.people import alter_user
from annotation.judgements import judged_tasks
from annotation.queue import next_assignment, progress_of
from annotation.ranking import Decision, submit
from annotation.simulation.experts import simulate
from annotation.tables.decisions import GoldOrder, Queue, Repeat
from annotation.tables.models import Answer, Assignment, User

A, B = "ab"
FIRST, TIE, SECOND = [[A], [B]], [[A, B]], [[B], [A]]


@pytest.mark.parametrize(("wins", "losses", "opinions"), [(3, 0, 3), (2, 1, 3), (1, 1, 3), (2, 2, 4), (0, 0, 3)])
def test_the_chance_of_a_change_is_that_of_all_ways_to_go_on(wins, losses, opinions):
    """Polya's urn, drawn vote by vote, through every way the remaining experts can vote."""
    sign = (wins > losses) - (wins < losses)
    total = 0.0
    for way in product(range(3), repeat=6 - opinions):
        urn = [PRIOR[0] + wins, PRIOR[1] + losses, PRIOR[2] + opinions - wins - losses]
        chance = 1.0
        for vote in way:
            chance *= urn[vote] / sum(urn)
            urn[vote] += 1
        first, second = wins + way.count(0), losses + way.count(1)
        if (first > second) - (first < second) != sign:
            total += chance
    assert change(wins, losses, opinions, 6) == pytest.approx(total)


def test_what_cannot_change_is_settled():
    assert change(4, 0, 4, 6) == pytest.approx(change(0, 4, 4, 6))
    assert change(4, 1, 5, 6) == 0.0
    assert uncertainty([FIRST] * 6, 6) == 0.0
    assert uncertainty([], 6) == 1.0
    assert uncertainty([FIRST] * 3, 6) < uncertainty([FIRST, FIRST, SECOND], 6)
    assert uncertainty([FIRST, SECOND, TIE], 6) > UNSETTLED


def decide(session, assignment_id, worst_first=False):
    """Rank by the number in the answer's id, the highest first."""
    assignment = session.get(Assignment, assignment_id)
    shown = sorted(assignment.shown, key=lambda pair: pair[1], reverse=not worst_first)
    return submit(
        session,
        assignment_id=assignment.id,
        expert_id=assignment.expert_id,
        decision=Decision(orders={"overall": [[label] for label, _ in shown]}),
        key=f"key-{assignment.id}",
        seconds=1.0,
    )


def staffed(session, made, prompts=1, experts=6, **options):
    names = [made.person(session, f"专家{number}").name for number in range(experts)]
    return made.campaign(session, experts=names, overlap=experts, min_overlap=3, prompts=prompts, **options)


def waiting(session):
    query = select(Assignment.id).where(Assignment.completed_at.is_(None)).order_by(Assignment.id)
    return session.scalars(query).all()


def test_three_who_agree_are_followed_by_few_and_three_who_differ_by_all(database, made):
    with database.write() as session:
        staffed(session, made, prompts=2, repeats=0.0)
        for number, assignment_id in enumerate(waiting(session)):
            task_id = session.get(Assignment, assignment_id).task_id
            decide(session, assignment_id, worst_first=number % 2 == 1 and task_id == 2)
        while left := waiting(session):
            for number, assignment_id in enumerate(left):
                task_id = session.get(Assignment, assignment_id).task_id
                decide(session, assignment_id, worst_first=number % 2 == 1 and task_id == 2)
        opinions = dict(session.execute(select(Assignment.task_id, func.count()).group_by(Assignment.task_id)).all())
        assert 3 <= opinions[1] < 6
        assert opinions[2] == 6
        asked = session.execute(select(Assignment.task_id, Assignment.expert_id)).all()
        assert len(set(asked)) == len(asked)


def test_queues_stay_whole_and_shuffles_stay_as_they_were(database, made):
    with database.write() as session:
        campaign = staffed(session, made, prompts=6)
        before = {row.id: row.shown for row in session.scalars(select(Assignment))}
        while left := waiting(session):
            decide(session, left[0], worst_first=left[0] % 3 == 0)
        rows = session.scalars(select(Assignment)).all()
        assert {row.id: row.shown for row in rows if row.id in before} == before
        assert len(rows) > len(before)
        for queue in session.scalars(select(Queue)):
            own = [row for row in rows if row.expert_id == queue.expert_id]
            assert queue.done == queue.total == len(own)
            assert sorted(row.position for row in own) == list(range(len(own)))
        assert all(3 <= len(task.judgements) <= 6 for task in judged_tasks(session, campaign))
        labels = [label for row in rows for label, _ in row.shown]
        assert len(set(labels)) == len(labels)


def test_the_next_one_is_who_has_least_to_do_and_gets_it_at_the_end(database, made):
    with database.write() as session:
        staffed(session, made, experts=4, repeats=0.0)
        idle = session.scalar(select(Queue.expert_id).where(Queue.total == 0))
        for number, assignment_id in enumerate(waiting(session)):
            decide(session, assignment_id, worst_first=number == 0)
        (last,) = waiting(session)
        assert session.get(Assignment, last).expert_id == idle
        assert next_assignment(session, idle) == last
        (progress,) = progress_of(session, idle)
        assert (progress.done, progress.total, progress.next_id) == (0, 1, last)


def test_the_same_submission_again_asks_nobody_twice(database, made):
    with database.write() as session:
        staffed(session, made, repeats=0.0)
        first = waiting(session)
        for _ in range(2):
            for number, assignment_id in enumerate(first):
                decide(session, assignment_id, worst_first=number == 0)
            assert session.scalar(select(func.count()).select_from(Assignment)) == 4


def test_who_cannot_judge_is_no_opinion_and_who_takes_back_is_waited_for(database, made):
    with database.write() as session:
        staffed(session, made, repeats=0.0)
        one, two, three = waiting(session)
        decide(session, one)
        decide(session, two)
        expert = session.get(Assignment, three).expert_id
        refused = Decision(verdict="cannot_judge", reason="not_my_field")
        submit(session, assignment_id=three, expert_id=expert, decision=refused, key="no", seconds=1.0)
        (four,) = waiting(session)
        back = Decision(verdict="withdrawn")
        owner = session.get(Assignment, one).expert_id
        submit(session, assignment_id=one, expert_id=owner, decision=back, key="back", seconds=1.0)
        decide(session, four)
        assert waiting(session) == [one]


def test_who_has_left_is_neither_asked_nor_waited_for(database, made):
    with database.write() as session:
        staffed(session, made, experts=5, repeats=0.0)
        one, two, three = waiting(session)
        gone = session.get(Assignment, three).expert_id
        asked = select(Assignment.expert_id)
        away = session.scalars(select(User.id).where(User.id.not_in(asked)).order_by(User.id)).first()
        for person in (gone, away):
            alter_user(session, person, active=False, by=None)
        decide(session, one)
        decide(session, two)
        (four,) = [row for row in waiting(session) if row != three]
        assert session.get(Assignment, four).expert_id not in (gone, away)
        decide(session, four, worst_first=True)
        assert waiting(session) == [three]


def test_who_leaves_last_is_replaced_at_once(database, made):
    with database.write() as session:
        staffed(session, made, repeats=0.0)
        one, two, three = waiting(session)
        decide(session, one)
        decide(session, two)
        assert waiting(session) == [three]
        alter_user(session, session.get(Assignment, three).expert_id, active=False, by=None)
        (four,) = [row for row in waiting(session) if row != three]
        alter_user(session, session.get(Assignment, four).expert_id, active=False, by=None)
        assert len(waiting(session)) == 3


def test_gold_and_repeats_are_asked_as_before(database, made):
    prompts = made.prompts(4)
    tiers = [[f"o-p-03-{k}"] for k in (3, 2, 1, 0)]
    outputs = [output for output in made.outputs(prompts) if output.prompt_id == "p-03"]
    gold = [Gold(prompt=prompts[3], outputs=outputs, tiers=tiers)]
    with database.write() as session:
        staffed(session, made, prompts=3, gold=gold, repeats=0.5)
        while left := waiting(session):
            decide(session, left[0], worst_first=left[0] % 2 == 0)
        counted = dict(session.execute(select(Assignment.task_id, func.count()).group_by(Assignment.task_id)).all())
        assert counted[session.scalar(select(GoldOrder.task_id))] == 6
        assert counted[session.scalar(select(Repeat.task_id))] == 3


def test_simulated_experts_go_on_until_all_is_settled(database, made):
    with database.write() as session:
        campaign = made.campaign(session, prompts=20, min_overlap=3, repeats=0.0)
        done = simulate(session, campaign, seed=2)
        assert done.waiting == 0
        assert done.rankings == session.scalar(select(func.count()).select_from(Assignment))
        assert 60 < done.rankings < 120
        for task in judged_tasks(session, campaign):
            opinions = task.tiers()
            assert len(opinions) == 6 or uncertainty(opinions, 6) <= UNSETTLED


def test_orders_of_other_answers_are_no_opinions(database, made):
    """A task that got another answer half-way is still ranked, by as many as must."""
    with database.write() as session:
        staffed(session, made, repeats=0.0)
        one, *others = waiting(session)
        decide(session, one)
        session.add(Answer(task_id=1, output_id="o-p-00-9", text="另一个回答", model="m", merged=[]))
        session.flush()
        for assignment_id in others:
            assignment = session.get(Assignment, assignment_id)
            assignment.shown = [*assignment.shown, ["a-new", "o-p-00-9"]]
            decide(session, assignment_id)
        assert len(waiting(session)) == 1


@pytest.mark.parametrize(("fewest", "most"), [(1, 6), (6, 6), (7, 6)])
def test_impossible_bounds_are_refused(database, made, fewest, most):
    with database.write() as session, pytest.raises(InvalidError, match="adaptive"):
        made.campaign(session, overlap=most, min_overlap=fewest)


def test_two_who_finish_at_the_same_moment_are_followed_by_one(postgres_url, made):
    """Each submission waits for its turn, so that neither overlooks the other."""
    database = Database(postgres_url)
    with database.write() as session:
        staffed(session, made, prompts=4, repeats=0.0)
        left = waiting(session)
    failures = []

    def work(assignment_id):
        try:
            with database.write() as session:
                decide(session, assignment_id, worst_first=assignment_id % 3 == 0)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(assignment_id,)) for assignment_id in left]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.read() as session:
        assert sorted(session.get(Assignment, number).task_id for number in waiting(session)) == [1, 2, 3, 4]
    database.close()


def test_a_fixed_overlap_asks_nobody_else(database, made):
    with database.write() as session:
        prompts = made.prompts(2)
        names = [made.person(session, f"专家{number}").name for number in range(4)]
        create_campaign(
            session, name="固定", prompts=prompts, outputs=made.outputs(prompts), experts=names, overlap=2, seed=1
        )
        for number, assignment_id in enumerate(waiting(session)):
            decide(session, assignment_id, worst_first=number % 2 == 1)
        assert waiting(session) == []
