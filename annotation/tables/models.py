"""The tables of people, campaigns and jobs; what experts decide is in `decisions`. What must always hold is a
constraint here, so that no crash or race can break it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from annotation.tables.accounts import ROLES
from annotation.tables.accounts import ApiKey as ApiKey
from annotation.tables.accounts import Identity as Identity
from annotation.tables.accounts import Invitation as Invitation
from annotation.tables.base import Base as Base
from annotation.tables.base import Id, now, one_of
from annotation.tables.decisions import Ranking, Submission
from annotation.tables.label_studio import Sighting as Sighting
from corpus.records import Dimension, Tiers

WAITING = text("completed_at IS NULL")
CONSENT_KINDS = ("expert", "dialogue", "dataset")
JOB_STATES = ("queued", "running", "done", "failed", "dead", "cancelled")


class User(Base):
    """A person, or a simulated expert, who can never log in and states how reliable it is."""

    __tablename__ = "users"
    __table_args__ = (
        one_of("role", ROLES),
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),
        CheckConstraint("simulated = (reliability IS NOT NULL)", name="simulated"),
        CheckConstraint("NOT simulated OR password_hash IS NULL", name="no_simulated_login"),
        CheckConstraint("reliability IS NULL OR reliability BETWEEN 0.5 AND 1", name="reliability"),
    )

    name: Mapped[str] = mapped_column(String(100), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str | None]
    simulated: Mapped[bool] = mapped_column(default=False)
    reliability: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    left_at: Mapped[datetime | None]


class Login(Base):
    """A browser that is logged in. Only a hash of its token is kept."""

    __tablename__ = "sessions"

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime]
    user: Mapped[User] = relationship(lazy="raise")


class LoginFailure(Base):
    """A wrong password, counted against the name that was tried and the address it came from."""

    __tablename__ = "login_failures"
    __table_args__ = (Index(None, "name_hash", "at"), Index(None, "address_hash", "at"))

    name_hash: Mapped[str] = mapped_column(String(64))
    address_hash: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(default=now)


class Campaign(Base):
    """A round of ranking. `left_out` lists what was not made a task, as [id, reason]. A closed one takes nothing more.

    `overlap` experts rank a task; where `min_overlap` is given, so many do, and more, up to `overlap`, while the task
    is not settled. `daily_goal` counts tasks a day; after `break_minutes` of work the page proposes a break.
    A prompt with a Kendall's W under `adjudicate_below` is for a senior expert.
    """

    __tablename__ = "campaigns"
    __table_args__ = (
        CheckConstraint("overlap >= 1", name="overlap"),
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),
        CheckConstraint("min_overlap IS NULL OR min_overlap BETWEEN 2 AND overlap", name="min_overlap"),
        CheckConstraint("adjudicate_below BETWEEN 0 AND 1", name="adjudicate_below"),
    )

    name: Mapped[str] = mapped_column(String(100), unique=True)
    overlap: Mapped[int]
    min_overlap: Mapped[int | None]
    adjudicate_below: Mapped[float] = mapped_column(default=0.5, server_default="0.5")
    guideline_version: Mapped[str] = mapped_column(String(50))
    seed: Mapped[int] = mapped_column(BigInteger)
    dimensions: Mapped[list[Dimension]] = mapped_column(JSON)
    left_out: Mapped[list[Any]]
    daily_goal: Mapped[int] = mapped_column(default=40, server_default="40")
    break_minutes: Mapped[int] = mapped_column(default=45, server_default="45")
    closed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Task(Base):
    """One prompt of a campaign. `prompt` is a `corpus.records.Prompt`."""

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("campaign_id", "prompt_id"),
        UniqueConstraint("campaign_id", "position"),
        UniqueConstraint("id", "campaign_id"),
    )

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    position: Mapped[int]
    prompt_id: Mapped[str] = mapped_column(String(100))
    prompt: Mapped[dict[str, Any]]
    responses: Mapped[list[Answer]] = relationship(lazy="raise")
    assignments: Mapped[list[Assignment]] = relationship(lazy="raise", back_populates="task", viewonly=True)
    adjudications: Mapped[list[Adjudication]] = relationship(lazy="raise", order_by="Adjudication.version")


class Answer(Base):
    """One of the K answers of a task. `merged` names outputs that say the same; `names_model` is the name by which
    the text gives its model away."""

    __tablename__ = "responses"
    __table_args__ = (UniqueConstraint("task_id", "output_id"),)

    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"))
    output_id: Mapped[str] = mapped_column(String(100))
    text: Mapped[str]
    model: Mapped[str]
    merged: Mapped[list[str]]
    names_model: Mapped[str | None]


class Assignment(Base):
    """A task given to an expert. `shown` is her own order of the answers, as [opaque label, output_id]."""

    __tablename__ = "assignments"
    __table_args__ = (
        ForeignKeyConstraint(["task_id", "campaign_id"], ["tasks.id", "tasks.campaign_id"]),
        UniqueConstraint("task_id", "expert_id"),
        UniqueConstraint("campaign_id", "expert_id", "position"),
        Index(None, "expert_id", "completed_at", "campaign_id", "position"),
        Index(
            "ix_assignments_waiting",
            "campaign_id",
            "expert_id",
            "position",
            sqlite_where=WAITING,
            postgresql_where=WAITING,
        ),
    )

    task_id: Mapped[int] = mapped_column(Id)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    expert_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    position: Mapped[int]
    shown: Mapped[list[Any]]
    opened_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    task: Mapped[Task] = relationship(lazy="raise", back_populates="assignments")
    campaign: Mapped[Campaign] = relationship(lazy="raise", viewonly=True)
    expert: Mapped[User] = relationship(lazy="raise")
    submissions: Mapped[list[Submission]] = relationship(lazy="raise", order_by="Submission.version")
    rankings: Mapped[list[Ranking]] = relationship(lazy="raise", order_by="Ranking.version")


class Adjudication(Base):
    """A senior expert's decision on a task, with her reason, or the withdrawal of the one before, whose `tiers` are
    empty. The rankings stay as they are, and so do earlier decisions."""

    __tablename__ = "adjudications"
    __table_args__ = (
        UniqueConstraint("task_id", "version"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("length(reason) >= 1", name="reason"),
        CheckConstraint("NOT (withdrawn AND none_acceptable)", name="withdrawn"),
    )

    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"))
    senior_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    version: Mapped[int]
    tiers: Mapped[Tiers]
    reason: Mapped[str]
    withdrawn: Mapped[bool] = mapped_column(default=False, server_default=false())
    none_acceptable: Mapped[bool] = mapped_column(default=False, server_default=false())
    guideline_version: Mapped[str] = mapped_column(String(50))
    key: Mapped[str | None] = mapped_column(String(100), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Consent(Base):
    """That an expert, or those whom a dialogue or all of a data set is from, agree to the use of what is theirs, or
    no longer do. The newest row of a subject counts; without one nothing was withdrawn here."""

    __tablename__ = "consents"
    __table_args__ = (
        one_of("kind", CONSENT_KINDS),
        CheckConstraint("length(subject) BETWEEN 1 AND 200", name="subject"),
        Index(None, "kind", "subject"),
    )

    kind: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(200))
    given: Mapped[bool]
    note: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


_ACTIVE = text("state IN ('queued', 'running')")


class Job(Base):
    """Work for a worker. `fence` grows with every lease, so that a worker which lost its lease cannot finish.

    `target` is the place it writes to: one job at a time. A `dead` job has used up its attempts.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        one_of("state", JOB_STATES),
        CheckConstraint("(state = 'running') = (lease_owner IS NOT NULL)", name="lease"),
        CheckConstraint("(lease_owner IS NULL) = (lease_until IS NULL)", name="lease_until"),
        CheckConstraint("attempts >= 0", name="attempts"),
        Index(None, "state", "run_after"),
        Index(None, "target", unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE),
    )

    kind: Mapped[str] = mapped_column(String(50))
    payload: Mapped[dict[str, Any]]
    target: Mapped[str | None] = mapped_column(String(300))
    state: Mapped[str] = mapped_column(String(20), default="queued")
    attempts: Mapped[int] = mapped_column(default=0)
    run_after: Mapped[datetime] = mapped_column(default=now)
    lease_owner: Mapped[str | None] = mapped_column(String(100))
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    cursor: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    error: Mapped[str | None]
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    cancel: Mapped[bool] = mapped_column(default=False, server_default=false())
    submitted_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]


class JobLine(Base):
    """A line of a job's log."""

    __tablename__ = "job_lines"
    __table_args__ = (Index(None, "job_id", "id"),)

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    at: Mapped[datetime] = mapped_column(default=now)
    text: Mapped[str]


class AuditEntry(Base):
    """Who did what, when. `detail` says how, where the action alone does not."""

    __tablename__ = "audit_log"

    at: Mapped[datetime] = mapped_column(default=now)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    action: Mapped[str] = mapped_column(String(50))
    subject: Mapped[str] = mapped_column(String(200))
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
