from __future__ import annotations

import pytest
from sqlalchemy import select

from annotation.adjudication import adjudicate
from annotation.errors import RefusedError
from annotation.judgements import judged_tasks
from annotation.models import Task
from annotation.simulation import simulate


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
