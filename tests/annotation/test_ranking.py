from __future__ import annotations

import threading
from itertools import permutations

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from annotation.campaigns.campaigns import close_campaign, find_campaign
from annotation.errors import ConflictError, InvalidError, NotFoundError
from annotation.judgements import judged_tasks
from annotation.ranking import Decision
from annotation.ranking import submit as store
from annotation.tables.decisions import Queue, Ranking, Submission
from annotation.tables.models import Assignment, Campaign, Task


def weak_orders(items):
    """All orders with ties of `items`: 75 of four."""
    found = set()
    for order in permutations(items):
        for bars in range(2 ** (len(order) - 1)):
            tiers = [[order[0]]]
            for place, item in enumerate(order[1:]):
                if bars >> place & 1:
                    tiers.append([item])
                else:
                    tiers[-1].append(item)
            found.add(tuple(tuple(sorted(tier)) for tier in tiers))
    return sorted(found)


@pytest.fixture
def task(database, made):
    """The first assignment of a real expert: its id, hers, and what she was shown."""
    with database.write() as session:
        expert = made.person(session)
        made.person(session, "王医生")
        made.campaign(session, experts=["李医生", "王医生"], overlap=2, prompts=2)
        assignment = session.scalars(select(Assignment).where(Assignment.expert_id == expert.id)).first()
        return assignment.id, expert.id, assignment.shown


def submit(database, task, tiers=None, **changes):
    assignment_id, expert_id, shown = task
    orders = {"overall": tiers if tiers is not None else [[label] for label, _ in shown]}
    values = {
        "assignment_id": assignment_id,
        "expert_id": expert_id,
        "decision": changes.pop("decision", None) or Decision(orders=orders),
        "key": "key-1",
        "seconds": 12.5,
        **changes,
    }
    with database.write() as session:
        submission = store(session, **values)
        ranking = session.scalar(
            select(Ranking).where(Ranking.assignment_id == assignment_id, Ranking.version == submission.version)
        )
        return submission.id, submission.version, ranking.tiers if ranking else None


def test_all_75_orders_of_four_come_back_exactly(database, task):
    label = {output_id: label for label, output_id in task[2]}
    orders = weak_orders(label)
    assert len(orders) == 75
    for number, order in enumerate(orders):
        stored = submit(database, task, [[label[output] for output in tier] for tier in order], key=f"key-{number}")
        with database.read() as session:
            kept = session.scalar(select(Ranking).where(Ranking.version == number + 1))
            assert kept.tiers == [list(tier) for tier in order]
            assert stored[1:] == (number + 1, kept.tiers)


def test_sending_twice_stores_once(database, task):
    assert submit(database, task) == submit(database, task)
    with database.read() as session:
        assert len(session.scalars(select(Ranking)).all()) == 1


def test_one_key_for_two_decisions_is_a_conflict(database, task):
    submit(database, task)
    with pytest.raises(ConflictError):
        submit(database, task, [[label for label, _ in task[2]]])
    with pytest.raises(ConflictError):
        submit(database, task, decision=Decision(verdict="cannot_judge", reason="other"))


def test_an_edit_is_a_new_version_and_the_old_one_stays(database, task):
    first = submit(database, task)
    second = submit(database, task, [[label for label, _ in task[2]]], key="key-2")
    assert (first[1], second[1]) == (1, 2)
    with database.read() as session:
        assert [row.tiers for row in session.scalars(select(Ranking).order_by(Ranking.version))] == [
            first[2],
            second[2],
        ]


@pytest.mark.parametrize("table", ["rankings", "submissions"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET seconds = 1", "DELETE FROM {}"])
def test_a_ranking_never_changes(database, task, table, statement):
    submit(database, task)
    with pytest.raises(DBAPIError), database.write() as session:
        session.execute(text(statement.format(table)))


def test_only_a_permutation_of_what_was_shown_is_a_ranking(database, task):
    labels = [label for label, _ in task[2]]
    wrong = [
        [],
        [labels[:3]],
        [[*labels, labels[0]]],
        [[*labels[:3], "other"]],
        [labels, []],
        [[output] for _, output in task[2]],
    ]
    for tiers in wrong:
        with pytest.raises(InvalidError):
            submit(database, task, tiers)


@pytest.mark.parametrize(
    "changes",
    [
        {"seconds": float("nan")},
        {"seconds": -1.0},
        {"seconds": float("inf")},
        {"key": ""},
        {"key": "x" * 85},
        {"key": "a\x00b"},
        {"decision": Decision(orders={})},
    ],
)
def test_bad_values_are_refused(database, task, changes):
    with pytest.raises(InvalidError):
        submit(database, task, **changes)


def test_another_experts_task_does_not_exist(database, task):
    with pytest.raises(NotFoundError):
        submit(database, task, expert_id=task[1] + 1)
    with pytest.raises(NotFoundError):
        submit(database, task, assignment_id=10**15)


def test_two_at_once_with_one_key_store_one_ranking(database, task):
    results: list[object] = []
    barrier = threading.Barrier(4)

    def run():
        barrier.wait()
        results.append(submit(database, task))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len({str(result) for result in results}) == 1


def test_at_once_with_different_keys_versions_never_collide(database, task):
    barrier = threading.Barrier(4)
    versions: list[int] = []

    def run(number):
        barrier.wait()
        versions.append(submit(database, task, key=f"key-{number}")[1])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(versions) == [1, 2, 3, 4]


def test_judgements_are_the_newest_version(database, task):
    submit(database, task)
    together = [[label for label, _ in task[2]]]
    submit(database, task, together, key="key-2")
    with database.read() as session:
        assignment = session.get(Assignment, task[0])
        campaign = session.get(Campaign, assignment.campaign_id)
        prompt_id = session.get(Task, assignment.task_id).prompt_id
        judged = {row.prompt.prompt_id: row for row in judged_tasks(session, campaign)}[prompt_id]
    assert judged.tiers() == [[sorted(output for _, output in task[2])]]
    assert judged.tiers("safety") == []


def test_what_does_not_belong_together_is_refused(database, task):
    labels = [label for label, _ in task[2]]
    orders = {"overall": [[label] for label in labels]}
    wrong = [
        {"verdict": "perfect"},
        {"verdict": "cannot_judge"},
        {"verdict": "cannot_judge", "reason": "bored"},
        {"verdict": "cannot_judge", "reason": "other", "orders": orders},
        {"verdict": "cannot_judge", "reason": "other", "none_acceptable": True},
        {"verdict": "cannot_judge", "reason": "other", "note": "x" * 501},
        {"orders": orders, "reason": "other"},
        {"orders": orders, "worst": labels[0]},
        {"orders": orders, "worst": "unknown"},
        {"orders": orders, "rewrite": "better"},
        {"orders": orders, "worst": labels[3], "rewrite": "a\ud800"},
        {"orders": orders, "flags": [("unknown", "harm")]},
        {"orders": orders, "flags": [(labels[0], "ugly")]},
    ]
    for values in wrong:
        with pytest.raises(InvalidError):
            submit(database, task, decision=Decision(**values))
    with pytest.raises(ConflictError, match="nothing to take back"):
        submit(database, task, decision=Decision(verdict="withdrawn"))
    with database.read() as session:
        assert session.scalars(select(Submission)).all() == []


def test_sending_everything_twice_stores_it_once(database, task):
    labels = [label for label, _ in task[2]]
    decision = Decision(
        orders={"overall": [[label] for label in labels]},
        none_acceptable=True,
        note=" note ",
        worst=labels[3],
        rewrite="better",
        flags=[(labels[1], "harm"), (labels[0], "dose"), (labels[1], "harm")],
    )
    assert submit(database, task, decision=decision) == submit(database, task, decision=decision)
    with database.read() as session:
        stored = session.scalars(select(Submission)).one()
        assert (stored.note, stored.worst, stored.rewrite) == ("note", task[2][3][1], "better")
        assert session.scalar(select(Queue.done).where(Queue.expert_id == task[1])) == 1


def test_taken_back_and_unjudged_tasks_hold_no_judgement(database, task):
    def judged():
        with database.read() as session:
            campaign = session.get(Campaign, session.get(Assignment, task[0]).campaign_id)
            return sum(len(row.judgements) for row in judged_tasks(session, campaign))

    def done():
        with database.read() as session:
            return session.scalar(select(Queue.done).where(Queue.expert_id == task[1]))

    steps = [
        (Decision(verdict="cannot_judge", reason="other"), 0, 1),
        (None, 1, 1),
        (Decision(verdict="withdrawn"), 0, 0),
        (None, 1, 1),
        (Decision(verdict="cannot_judge", reason="unclear_question"), 0, 1),
    ]
    for number, (decision, judgements, finished) in enumerate(steps):
        submit(database, task, decision=decision, key=f"key-{number}")
        assert (judged(), done()) == (judgements, finished)


def test_a_closed_campaign_takes_nothing_but_what_it_has(database, task):
    stored = submit(database, task)
    with database.write() as session:
        close_campaign(session, find_campaign(session))
    assert submit(database, task) == stored
    with pytest.raises(ConflictError, match="closed"):
        submit(database, task, key="key-2")
