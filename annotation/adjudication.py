"""A senior expert's decision where the experts differ. Their rankings stay as they are, and so does every earlier
decision: another one, or its withdrawal, is a new version."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from annotation.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from annotation.identity.people import record
from annotation.judgements import counts
from annotation.tables.models import Adjudication, Assignment, Campaign, Task, User
from corpus.records import Tiers

LONGEST_REASON = 2_000


def adjudicate(
    session: Session,
    *,
    task_id: int,
    senior_id: int,
    tiers: Tiers,
    reason: str,
    none_acceptable: bool = False,
    key: str | None = None,
    seen: int | None = None,
) -> Adjudication:
    """Store a decision; `tiers` holds all output ids of the task, best first.

    `seen` is the newest version that the senior knew of (0 for none): where there is another by now, it is a conflict.
    The same `key` with the same content returns what is stored.
    """
    task = _task_for(session, task_id, senior_id)
    if not all(tiers) or sorted(name for tier in tiers for name in tier) != sorted(a.output_id for a in task.responses):
        raise InvalidError("not_a_ranking", "a decision names every answer exactly once")
    decision = Adjudication(tiers=[sorted(tier) for tier in tiers], none_acceptable=none_acceptable, withdrawn=False)
    return _store(session, task, senior_id, decision, reason=reason, key=key, seen=seen)


def take_back(
    session: Session, *, task_id: int, senior_id: int, reason: str, key: str | None = None, seen: int | None = None
) -> Adjudication:
    """Withdraw the decision that stands, so that the prompt is undecided again; `key` and `seen` as for a decision."""
    task = _task_for(session, task_id, senior_id)
    decision = Adjudication(tiers=[], none_acceptable=False, withdrawn=True)
    return _store(session, task, senior_id, decision, reason=reason, key=key, seen=seen)


def was_asked(session: Session, task_id: int, person_id: int) -> bool:
    """Whether a task was given to this person to rank: then she is no judge of it, and must not see what others say."""
    own = (Assignment.task_id == task_id) & (Assignment.expert_id == person_id)
    return session.scalar(select(Assignment.id).where(own)) is not None


def versions_of(session: Session, task_id: int) -> Sequence[Adjudication]:
    """All decisions on a task, the oldest first."""
    query = select(Adjudication).where(Adjudication.task_id == task_id).order_by(Adjudication.version)
    return session.scalars(query).all()


def _task_for(session: Session, task_id: int, senior_id: int) -> Task:
    senior = session.get(User, senior_id)
    if senior is None or senior.role != "senior":
        raise ForbiddenError("forbidden", "only a senior expert decides")
    query = select(Task).where(Task.id == task_id, counts()).options(selectinload(Task.responses))
    task = session.scalar(query.with_for_update(of=Task))
    if task is None:
        raise NotFoundError("no_task", "there is no such task")
    if was_asked(session, task_id, senior_id):
        raise ForbiddenError("own_task", "who was asked to rank a prompt does not decide it")
    return task


def _store(
    session: Session,
    task: Task,
    senior_id: int,
    decision: Adjudication,
    *,
    reason: str,
    key: str | None,
    seen: int | None,
) -> Adjudication:
    decision.task_id, decision.senior_id, decision.key = task.id, senior_id, key
    decision.reason = _checked(reason)
    stored = session.scalar(select(Adjudication).where(Adjudication.key == key)) if key is not None else None
    if stored is not None:
        return _same(stored, decision)
    earlier = session.scalar(select(func.max(Adjudication.version)).where(Adjudication.task_id == task.id)) or 0
    if seen not in (None, earlier):
        raise ConflictError("decided_meanwhile", "someone has decided this meanwhile", hint="look at it again")
    if decision.withdrawn and not _stands(session, task.id, earlier):
        raise ConflictError("nothing_to_withdraw", "no decision stands here")
    decision.version = earlier + 1
    decision.guideline_version = session.scalars(
        select(Campaign.guideline_version).where(Campaign.id == task.campaign_id)
    ).one()
    session.add(decision)
    session.flush()
    record(session, senior_id, "decision_withdrawn" if decision.withdrawn else "adjudicated", f"task:{task.id}")
    return decision


def _checked(reason: str) -> str:
    trimmed = reason.strip()
    if not 1 <= len(trimmed) <= LONGEST_REASON or any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in trimmed):
        raise InvalidError("reason", f"a decision has a reason of at most {LONGEST_REASON} characters")
    return trimmed


def _same(stored: Adjudication, asked: Adjudication) -> Adjudication:
    fields = ("task_id", "senior_id", "tiers", "none_acceptable", "withdrawn", "reason")
    if any(getattr(stored, name) != getattr(asked, name) for name in fields):
        raise ConflictError("key_used", "this key was used for another decision")
    return stored


def _stands(session: Session, task_id: int, version: int) -> bool:
    newest = (Adjudication.task_id == task_id) & (Adjudication.version == version)
    return session.scalar(select(Adjudication.withdrawn).where(newest)) is False
