"""The tables of what experts are asked and decide: the written rule, queues, gold, repeats, submissions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from annotation.tables.base import Base, now, one_of
from corpus.records import Dimension, Tiers

DIMENSIONS = ("overall", "safety", "professionalism", "fluency")
VERDICTS = ("ranked", "cannot_judge", "withdrawn")
REASONS = ("not_my_field", "unclear_question", "facts_missing", "other")
DANGERS = ("harm", "dose", "missed_emergency", "privacy")


class GuidelineText(Base):
    """A version of the written rule, never changed: experts ranked by these very words."""

    __tablename__ = "guidelines"

    version: Mapped[str] = mapped_column(String(50), unique=True)
    content: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Queue(Base):
    """How far an expert is in a campaign, counted as it happens so that a long queue opens as fast as a short one."""

    __tablename__ = "queues"
    __table_args__ = (
        UniqueConstraint("expert_id", "campaign_id"),
        CheckConstraint("done BETWEEN 0 AND total", name="done"),
    )

    expert_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)


class GoldOrder(Base):
    """The known order of a task that tests its experts."""

    __tablename__ = "gold_orders"

    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"), unique=True)
    tiers: Mapped[Tiers]


class Repeat(Base):
    """A task that shows an earlier one once more, to see whether its experts agree with themselves."""

    __tablename__ = "repeats"
    __table_args__ = (CheckConstraint("task_id <> original_id", name="original"),)

    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"), unique=True)
    original_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"), index=True)


class Submission(Base):
    """What an expert sent for a task, never changed: an edit or a withdrawal is a new version.

    `seconds` is time on task as the page measured it, `elapsed` the time our own clock saw pass, None where the
    opening was not seen. `worst` is the output id marked for rewriting, `rewrite` the expert's better answer. `origin`
    says where it was made if not here, as "format file:line".
    """

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("assignment_id", "version"),
        one_of("verdict", VERDICTS),
        one_of("reason", REASONS),
        CheckConstraint("(verdict = 'cannot_judge') = (reason IS NOT NULL)", name="cannot_judge"),
        CheckConstraint("verdict = 'ranked' OR NOT none_acceptable", name="none_acceptable"),
        CheckConstraint("worst IS NULL OR verdict = 'ranked'", name="worst"),
        CheckConstraint("rewrite IS NULL OR worst IS NOT NULL", name="rewrite"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("seconds BETWEEN 0 AND 1000000", name="seconds"),
        CheckConstraint("elapsed IS NULL OR elapsed >= 0", name="elapsed"),
    )

    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignments.id"))
    version: Mapped[int]
    key: Mapped[str] = mapped_column(String(100), unique=True)
    verdict: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(20))
    note: Mapped[str | None]
    none_acceptable: Mapped[bool] = mapped_column(default=False)
    worst: Mapped[str | None] = mapped_column(String(100))
    rewrite: Mapped[str | None]
    seconds: Mapped[float]
    elapsed: Mapped[float | None]
    guideline_version: Mapped[str] = mapped_column(String(50))
    origin: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(default=now)
    flags: Mapped[list[Flag]] = relationship(lazy="raise", order_by="Flag.id")


class Flag(Base):
    """A danger that an expert saw in an answer."""

    __tablename__ = "flags"
    __table_args__ = (UniqueConstraint("submission_id", "output_id", "kind"), one_of("kind", DANGERS))

    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"))
    output_id: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(20))


class Ranking(Base):
    """The order of a submission in one dimension, never changed. `tiers` holds output ids, best first; `version` is
    the submission's."""

    __tablename__ = "rankings"
    __table_args__ = (
        UniqueConstraint("assignment_id", "dimension", "version"),
        one_of("dimension", DIMENSIONS),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("seconds BETWEEN 0 AND 1000000", name="seconds"),
    )

    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignments.id"))
    dimension: Mapped[Dimension] = mapped_column(String(20))
    version: Mapped[int]
    tiers: Mapped[Tiers]
    key: Mapped[str] = mapped_column(String(100), unique=True)
    seconds: Mapped[float]
    guideline_version: Mapped[str] = mapped_column(String(50))
    created_at: Mapped[datetime] = mapped_column(default=now)
