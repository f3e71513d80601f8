"""The lease table: jobs are claimed for a time, kept by heartbeats, and finished only by who holds the lease.

Every function works inside its caller's transaction, so that a job's report, cursor and completion are one change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from annotation.errors import ConflictError, NotFoundError
from annotation.identity.people import record
from annotation.jobs.data_folder import DataFolder
from annotation.jobs.orders import Order
from annotation.tables.base import now
from annotation.tables.models import Job, JobLine

LEASE = timedelta(seconds=60)
MOST_ATTEMPTS = 3
FIRST_WAIT = timedelta(seconds=10)
OVER = ("done", "failed", "dead", "cancelled")


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to do a job. It ends when `fence` is no longer the job's."""

    job_id: int
    kind: str
    payload: dict[str, Any]
    attempt: int
    fence: int


def submit(session: Session, order: Order, data: DataFolder, *, by: int | None) -> Job:
    """Queue a job. Two jobs that would write to the same place do not wait or run at once."""
    order.check(session, data)
    job = Job(kind=order.kind, payload=order.model_dump(), submitted_by=by)
    session.add(job)
    session.flush()
    _take_place(session, job, order.target(job.id))
    record(session, by, f"job_{order.kind}", f"job:{job.id}")
    return job


def find_job(session: Session, job_id: int, owner: int | None = None) -> Job:
    """A job; with `owner`, one of this person's."""
    job = session.get(Job, job_id)
    if job is None or (owner is not None and job.submitted_by != owner):
        raise NotFoundError("no_job", "there is no such job")
    return job


def newest_jobs(session: Session, count: int = 50, before: int | None = None) -> Sequence[Job]:
    """The newest jobs first, those with smaller numbers than `before`."""
    query = select(Job).order_by(Job.id.desc()).limit(count)
    return session.scalars(query if before is None else query.where(Job.id < before)).all()


def lines_of(session: Session, job_id: int, after: int = 0, count: int = 500) -> Sequence[JobLine]:
    """A job's log, from the line that follows number `after`."""
    query = select(JobLine).where(JobLine.job_id == job_id, JobLine.id > after)
    return session.scalars(query.order_by(JobLine.id).limit(count)).all()


def cancel(session: Session, job_id: int, *, owner: int | None, by: int | None) -> Job:
    """End a job: at once where it waits; where it runs, its worker stops it within seconds."""
    job = find_job(session, job_id, owner)
    waiting = and_(Job.id == job_id, Job.state == "queued")
    ended = session.execute(update(Job).where(waiting).values(state="cancelled", ended_at=now()).returning(Job.id))
    if ended.first() is None:
        running = update(Job).where(Job.id == job_id, Job.state == "running").values(cancel=True)
        if session.execute(running.returning(Job.id)).first() is None:
            raise ConflictError("job_over", "this job is over already")
    record(session, by, "job_cancelled", f"job:{job_id}")
    session.refresh(job)
    return job


def retry(session: Session, job_id: int, *, owner: int | None, by: int | None) -> Job:
    """Let a job that failed or was cancelled wait again, with all its attempts before it."""
    job = find_job(session, job_id, owner)
    again = {"state": "queued", "attempts": 0, "run_after": now(), "cancel": False, "error": None, "ended_at": None}
    over = and_(Job.id == job_id, Job.state.in_(("failed", "dead", "cancelled")))
    with _one_job_a_place():
        if session.execute(update(Job).where(over).values(**again).returning(Job.id)).first() is None:
            raise ConflictError("job_not_over", "only a job that failed or was cancelled is tried again")
    record(session, by, "job_retried", f"job:{job_id}")
    session.refresh(job)
    return job


def claim(session: Session, owner: str, lease: timedelta = LEASE) -> Lease | None:
    """Take the job that has waited longest, or one whose worker died; None where nothing waits.

    A job whose worker died in its last attempt becomes `dead` here, one that was to be cancelled `cancelled`.
    """
    _bury(session)
    waiting = and_(Job.state == "queued", Job.run_after <= now())
    abandoned = and_(Job.state == "running", Job.lease_until < now())
    query = select(Job).where(or_(waiting, abandoned)).order_by(Job.run_after, Job.id).limit(1)
    job = session.scalar(query.with_for_update(skip_locked=True))
    if job is None:
        return None
    if job.state == "running":
        _write(session, job.id, job.attempts, ["the worker died; its job begins again"])
    job.state, job.lease_owner, job.lease_until = "running", owner, now() + lease
    job.attempts += 1
    job.fence += 1
    job.progress = None
    session.flush()
    return Lease(
        job_id=job.id,
        kind=job.kind,
        payload=job.payload,
        attempt=job.attempts,
        fence=job.fence,
    )


def hold(
    session: Session, lease: Lease, length: timedelta = LEASE, *, lines: Sequence[str] = (), **values: Any
) -> bool:
    """Prolong a lease and store what is new (`progress`, `cursor`, lines of the log); false where it was lost."""
    held = _change(session, lease, lease_until=now() + length, **values)
    if held:
        _write(session, lease.job_id, lease.attempt, lines)
    return held


def is_to_stop(session: Session, lease: Lease) -> bool:
    """Whether the work of a lease has no purpose any more: it was cancelled, or another worker has it."""
    mine = session.scalar(select(Job.cancel).where(_held(lease)))
    return mine is None or mine


def finish(session: Session, lease: Lease, result: dict[str, Any]) -> bool:
    """Store a report and end the job; false, and nothing changed, where the lease was lost."""
    return _end(session, lease, "done", result=result, error=None)


def stop(session: Session, lease: Lease) -> bool:
    """End a job that was cancelled while it ran."""
    return _end(session, lease, "cancelled", error=None)


def give_up(session: Session, lease: Lease, error: str, *, for_good: bool) -> bool:
    """End an attempt that failed. What a person must mend has `failed`; anything else waits for the next attempt,
    twice as long each time, and after the last one is `dead`."""
    if for_good or lease.attempt >= MOST_ATTEMPTS:
        return _end(session, lease, "failed" if for_good else "dead", error=error)
    wait = FIRST_WAIT * 2 ** (lease.attempt - 1)
    return _let_go(session, lease, state="queued", run_after=now() + wait, error=error)


def put_back(session: Session, lease: Lease) -> bool:
    """Let a job wait for another worker, because this one is leaving; the attempt does not count."""
    return _let_go(session, lease, state="queued", attempts=lease.attempt - 1, run_after=now())


def _take_place(session: Session, job: Job, place: str) -> None:
    job.target = place
    with _one_job_a_place():
        session.flush()


@contextmanager
def _one_job_a_place() -> Iterator[None]:
    """Turn the database's refusal of a second job for one place into words."""
    try:
        yield
    except IntegrityError as error:
        raise ConflictError("place_taken", "another job is writing there; wait for it or cancel it") from error


def _held(lease: Lease) -> Any:
    return and_(Job.id == lease.job_id, Job.fence == lease.fence, Job.state == "running")


def _change(session: Session, lease: Lease, **values: Any) -> bool:
    changed = session.execute(update(Job).where(_held(lease)).values(**values).returning(Job.id))
    return changed.first() is not None


def _let_go(session: Session, lease: Lease, **values: Any) -> bool:
    return _change(session, lease, lease_owner=None, lease_until=None, progress=None, **values)


def _end(session: Session, lease: Lease, state: str, **values: Any) -> bool:
    ended = _let_go(session, lease, state=state, ended_at=now(), cancel=False, **values)
    if ended:
        _write(session, lease.job_id, lease.attempt, [state])
    return ended


def _write(session: Session, job_id: int, attempt: int, lines: Sequence[str]) -> None:
    session.add_all(JobLine(job_id=job_id, attempt=attempt, text=line) for line in lines)


def _bury(session: Session) -> None:
    silent = and_(Job.state == "running", Job.lease_until < now())
    gone = {"lease_owner": None, "lease_until": None, "progress": None, "ended_at": func.coalesce(Job.ended_at, now())}
    session.execute(update(Job).where(silent, Job.cancel).values(state="cancelled", **gone))
    dead = update(Job).where(silent, Job.attempts >= MOST_ATTEMPTS)
    session.execute(dead.values(state="dead", error="the worker died", **gone))
