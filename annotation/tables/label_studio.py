"""The tables of what was sent to Label Studio and of what was seen there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from annotation.tables.base import Base, now, one_of

TOKEN_KINDS = ("personal", "legacy")
PROJECT_KINDS = ("ranking", "review")
LANGUAGES = ("zh", "en")
EVENTS = ("first", "changed", "deleted", "accepted")
OUTCOMES = ("used", "quarantined", "noted")


class Server(Base):
    """A Label Studio we are connected to. Its token and the webhooks' secret are in a file, here only a hash.

    `hook_url` is our own address as that server reaches it, None where there are no webhooks.
    """

    __tablename__ = "label_studio_servers"
    __table_args__ = (one_of("token_kind", TOKEN_KINDS),)

    url: Mapped[str] = mapped_column(String(500), unique=True)
    version: Mapped[str] = mapped_column(String(50))
    token_kind: Mapped[str] = mapped_column(String(20))
    hook_url: Mapped[str | None] = mapped_column(String(500))
    hook_hash: Mapped[str] = mapped_column(String(64))
    connected_at: Mapped[datetime] = mapped_column(default=now)


class Account(Base):
    """An expert's account there. `remote_id` is fixed when she is first seen: an address can change hands."""

    __tablename__ = "label_studio_accounts"
    __table_args__ = (
        UniqueConstraint("server_id", "expert_id"),
        UniqueConstraint("server_id", "email"),
        UniqueConstraint("server_id", "remote_id"),
    )

    server_id: Mapped[int] = mapped_column(ForeignKey("label_studio_servers.id"))
    expert_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    email: Mapped[str] = mapped_column(String(254))
    remote_id: Mapped[int | None] = mapped_column(BigInteger)


class Project(Base):
    """A project there: one expert's share of a campaign, or a review of dialogues.

    `key` is in the project's description, by which one that was made just before a crash is found again. `config` is
    the labelling interface as that server stored it. `hinted_at` is when a webhook last said that something happened.
    """

    __tablename__ = "label_studio_projects"
    __table_args__ = (
        one_of("kind", PROJECT_KINDS),
        one_of("language", LANGUAGES),
        CheckConstraint("(kind = 'ranking') = (campaign_id IS NOT NULL)", name="campaign"),
        CheckConstraint("(kind = 'ranking') = (expert_id IS NOT NULL)", name="expert"),
        CheckConstraint("(kind = 'review') = (name IS NOT NULL)", name="name"),
        UniqueConstraint("server_id", "campaign_id", "expert_id"),
        UniqueConstraint("server_id", "name"),
        UniqueConstraint("server_id", "remote_id"),
    )

    server_id: Mapped[int] = mapped_column(ForeignKey("label_studio_servers.id"))
    kind: Mapped[str] = mapped_column(String(20))
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"))
    expert_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str | None] = mapped_column(String(100))
    key: Mapped[str] = mapped_column(String(40), unique=True)
    language: Mapped[str] = mapped_column(String(2))
    remote_id: Mapped[int | None] = mapped_column(BigInteger)
    config: Mapped[str | None]
    hinted_at: Mapped[datetime | None]
    pulled_at: Mapped[datetime | None]


class PushedTask(Base):
    """A task there. `key` is part of its data; `digest` is the SHA-256 of that data as it was sent.

    `about` is what a review's task is about: ids and places, no texts.
    """

    __tablename__ = "label_studio_tasks"
    __table_args__ = (
        CheckConstraint("(assignment_id IS NULL) <> (about IS NULL)", name="about"),
        UniqueConstraint("project_id", "assignment_id"),
        UniqueConstraint("project_id", "remote_id"),
    )

    project_id: Mapped[int] = mapped_column(ForeignKey("label_studio_projects.id"))
    assignment_id: Mapped[int | None] = mapped_column(ForeignKey("assignments.id"))
    about: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    key: Mapped[str] = mapped_column(String(40), unique=True)
    digest: Mapped[str] = mapped_column(String(64))
    remote_id: Mapped[int | None] = mapped_column(BigInteger)


class Sighting(Base):
    """An annotation as it was when we saw it, never changed: `number` counts what we saw of it.

    `raw` is that server's JSON, None of one that is gone. `made_at` and `altered_at` are that server's stamps.
    `used` ones became a submission; `quarantined` ones did not, for a `reason`; `noted` ones are deletions.
    """

    __tablename__ = "label_studio_sightings"
    __table_args__ = (
        one_of("event", EVENTS),
        one_of("outcome", OUTCOMES),
        CheckConstraint("(outcome = 'quarantined') = (reason IS NOT NULL)", name="reason"),
        CheckConstraint("outcome <> 'noted' OR submission_id IS NULL", name="submission"),
        CheckConstraint("(event = 'deleted') = (raw IS NULL)", name="raw"),
        CheckConstraint("number >= 1", name="number"),
        UniqueConstraint("project_id", "annotation_id", "number"),
        Index(None, "task_id", "annotation_id"),
        Index(None, "outcome", "id"),
    )

    project_id: Mapped[int] = mapped_column(ForeignKey("label_studio_projects.id"))
    task_id: Mapped[int | None] = mapped_column(ForeignKey("label_studio_tasks.id"))
    annotation_id: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int]
    event: Mapped[str] = mapped_column(String(20))
    outcome: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(40))
    raw: Mapped[str | None]
    digest: Mapped[str | None] = mapped_column(String(64))
    made_at: Mapped[datetime | None]
    altered_at: Mapped[datetime | None]
    submission_id: Mapped[int | None] = mapped_column(ForeignKey("submissions.id"))
    seen_at: Mapped[datetime] = mapped_column(default=now)
