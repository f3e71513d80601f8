"""The lease table: jobs are claimed for a time, kept by heartbeats, and finished only by who holds the lease.

Every function works inside its caller's transaction, so that a job's result and its completion are one change.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from annotation.base import now
from annotation.models import Job
from annotation.people import record
from annotation.recipes import recipe_path

EXPORT, BUILD = "export", "build"
LEASE = timedelta(seconds=60)
MOST_ATTEMPTS = 3
FIRST_WAIT = timedelta(seconds=10)


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to do a job. It ends when `fence` is no longer the job's."""

    job_id: int
    kind: str
    payload: dict[str, Any]
    attempt: int
    fence: int


def submit_export(session: Session, *, campaign: str, seed: int, by: int | None) -> Job:
    """Queue the export of a campaign."""
    return _submit(session, EXPORT, {"campaign": campaign, "seed": seed}, by)


def submit_build(session: Session, *, data: Path, recipe: str, by: int | None) -> Job:
    """Queue the build of a corpus from a recipe of the data folder."""
    recipe_path(data, recipe)
    return _submit(session, BUILD, {"recipe": recipe}, by)


def newest_jobs(session: Session, count: int = 50) -> Sequence[Job]:
    """The newest jobs first."""
    return session.scalars(select(Job).order_by(Job.id.desc()).limit(count)).all()


def claim(session: Session, owner: str, lease: timedelta = LEASE) -> Lease | None:
    """Take the job that has waited longest, or one whose worker died; None where nothing waits.

    A job whose worker died in its last attempt becomes `failed` here.
    """
    _bury(session)
    waiting = and_(Job.state == "queued", Job.run_after <= now())
    abandoned = and_(Job.state == "running", Job.lease_until < now())
    query = select(Job).where(or_(waiting, abandoned)).order_by(Job.run_after, Job.id).limit(1)
    job = session.scalar(query.with_for_update(skip_locked=True))
    if job is None:
        return None
    job.state, job.lease_owner, job.lease_until = "running", owner, now() + lease
    job.attempts += 1
    job.fence += 1
    session.flush()
    return Lease(job_id=job.id, kind=job.kind, payload=job.payload, attempt=job.attempts, fence=job.fence)


def heartbeat(session: Session, lease: Lease, length: timedelta = LEASE) -> bool:
    """Prolong a lease; false where it was lost."""
    return _change(session, lease, lease_until=now() + length)


def finish(session: Session, lease: Lease, result: dict[str, Any]) -> bool:
    """Store a result and end the job; false, and nothing changed, where the lease was lost."""
    return _change(session, lease, state="done", result=result, error=None, lease_owner=None, lease_until=None)


def give_up(session: Session, lease: Lease, error: str, *, for_good: bool) -> bool:
    """End an attempt that failed: the job waits for the next one, twice as long each time, or has failed."""
    over = for_good or lease.attempt >= MOST_ATTEMPTS
    return _change(
        session,
        lease,
        state="failed" if over else "queued",
        run_after=now() + FIRST_WAIT * 2 ** (lease.attempt - 1),
        error=error,
        lease_owner=None,
        lease_until=None,
    )


def _submit(session: Session, kind: str, payload: dict[str, Any], by: int | None) -> Job:
    job = Job(kind=kind, payload=payload, submitted_by=by)
    session.add(job)
    session.flush()
    record(session, by, f"job_{kind}", f"job:{job.id}")
    return job


def _change(session: Session, lease: Lease, **values: Any) -> bool:
    held = and_(Job.id == lease.job_id, Job.fence == lease.fence, Job.state == "running")
    changed = session.execute(update(Job).where(held).values(**values).returning(Job.id))
    return changed.first() is not None


def _bury(session: Session) -> None:
    dead = and_(Job.state == "running", Job.lease_until < now(), Job.attempts >= MOST_ATTEMPTS)
    session.execute(
        update(Job).where(dead).values(state="failed", error="the worker died", lease_owner=None, lease_until=None)
    )
