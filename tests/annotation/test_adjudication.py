from __future__ import annotations

import pytest
from sqlalchemy import select

from annotation.adjudication import adjudicate, take_back, versions_of
from annotation.errors import RefusedError
from annotation.judgements import judged_tasks
from annotation.simulation.experts import simulate
from annotation.tables.models import Campaign, Task


def test_a_decision_is_versioned_and_the_rankings_stay(database, made):
    with database.write() as session:
        senior = made.person(session, "王主任", "senior")
        campaign = made.campaign(session, prompts=2)
        simulate(session, campaign, seed=1)
        before = [task.judgements for task in judged_tasks(session, campaign)]
        task = session.scalars(select(Task).order_by(Task.id)).first()
        ids = [f"o-{task.prompt_id}-{k}" for k in range(4)]
        for order in ([[ids[3]], ids[:3]], [ids]):
            adjudicate(session, task_id=task.id, senior_id=senior.id, tiers=order, reason="剂量错误")
        after = judged_tasks(session, campaign)
        assert [row.judgements for row in after] == before
        assert after[0].decided == [ids]
        assert after[1].decided is None


def test_bad_decisions_are_refused(database, made):
    with database.write() as session:
        expert, senior = made.person(session), made.person(session, "王主任", "senior")
        made.campaign(session, prompts=1)
        task = session.scalars(select(Task)).one()
        ids = [f"o-{task.prompt_id}-{k}" for k in range(4)]
        good = {"task_id": task.id, "senior_id": senior.id, "tiers": [ids], "reason": "x"}
        for bad in (
            {"senior_id": expert.id},
            {"senior_id": 999},
            {"task_id": 999},
            {"tiers": [ids[:3]]},
            {"tiers": [ids, []]},
            {"reason": "  "},
        ):
            with pytest.raises(RefusedError):
                adjudicate(session, **{**good, **bad})


@pytest.fixture
def case(database, made):
    """王主任, a task that six experts have ranked, and its answers."""
    with database.write() as session:
        senior = made.person(session, "王主任", "senior")
        simulate(session, made.campaign(session, prompts=1), seed=1)
        task = session.scalars(select(Task)).one()
        return {"task_id": task.id, "senior_id": senior.id}, [f"o-{task.prompt_id}-{k}" for k in range(4)]


def test_a_decision_is_undone_by_a_newer_version_and_none_is_lost(database, case):
    who, ids = case
    with database.write() as session:
        adjudicate(session, **who, tiers=[ids], reason="都一样", none_acceptable=True)
        take_back(session, **who, reason="看错了题")
        campaign = session.scalars(select(Campaign)).one()
        assert judged_tasks(session, campaign)[0].decided is None
        with pytest.raises(RefusedError, match="no decision stands"):
            take_back(session, **who, reason="再撤一次")
        adjudicate(session, **who, tiers=[ids[:1], ids[1:]], reason="剂量错误")
        found = versions_of(session, who["task_id"])
        assert judged_tasks(session, campaign)[0].decided == [ids[:1], ids[1:]]
    assert [(row.version, row.withdrawn, row.none_acceptable) for row in found] == [
        (1, False, True),
        (2, True, False),
        (3, False, False),
    ]
    assert {row.guideline_version for row in found} == {"safety>professionalism>fluency/1"}


def test_who_was_asked_to_rank_a_prompt_does_not_decide_it(database, made):
    with database.write() as session:
        senior = made.person(session, "王主任", "senior")
        made.campaign(session, prompts=1, experts=["王主任"], overlap=1)
        task = session.scalars(select(Task)).one()
        ids = [f"o-{task.prompt_id}-{k}" for k in range(4)]
        with pytest.raises(RefusedError, match="does not decide it"):
            adjudicate(session, task_id=task.id, senior_id=senior.id, tiers=[ids], reason="x")


def test_two_seniors_do_not_overwrite_each_other(database, case):
    who, ids = case
    with database.write() as session:
        adjudicate(session, **who, tiers=[ids], reason="一", seen=0)
        with pytest.raises(RefusedError, match="meanwhile"):
            adjudicate(session, **who, tiers=[ids], reason="二", seen=0)


def test_sending_a_decision_twice_stores_it_once(database, case):
    who, ids = case
    with database.write() as session:
        for _ in range(2):
            adjudicate(session, **who, tiers=[ids], reason=" 一 ", key="k", seen=0)
        with pytest.raises(RefusedError, match="another decision"):
            adjudicate(session, **who, tiers=[ids], reason="二", key="k", seen=0)
        assert [row.reason for row in versions_of(session, who["task_id"])] == ["一"]
