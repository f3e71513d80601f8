"""A senior expert's decision where the experts differ; their rankings stay as they are."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from annotation.errors import ForbiddenError, InvalidError, NotFoundError
from annotation.models import Adjudication, Task, User
from annotation.people import record
from corpus.records import Tiers


def adjudicate(session: Session, *, task_id: int, senior_id: int, tiers: Tiers, reason: str) -> Adjudication:
    """Store a decision; `tiers` holds all output ids of the task, best first. A later decision is a new version."""
    senior = session.get(User, senior_id)
    if senior is None or senior.role != "senior":
        raise ForbiddenError("forbidden", "only a senior expert decides")
    task = session.scalar(select(Task).where(Task.id == task_id).options(selectinload(Task.responses)))
    if task is None:
        raise NotFoundError("no_task", "there is no such task")
    if not all(tiers) or sorted(name for tier in tiers for name in tier) != sorted(a.output_id for a in task.responses):
        raise InvalidError("not_a_ranking", "a decision names every answer exactly once")
    if not reason.strip():
        raise InvalidError("reason", "a decision has a reason")
    earlier = session.scalar(select(func.max(Adjudication.version)).where(Adjudication.task_id == task_id)) or 0
    decision = Adjudication(
        task_id=task_id,
        senior_id=senior_id,
        version=earlier + 1,
        tiers=[sorted(tier) for tier in tiers],
        reason=reason.strip(),
    )
    session.add(decision)
    session.flush()
    record(session, senior_id, "adjudicated", f"task:{task_id}")
    return decision
