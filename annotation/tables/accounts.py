"""The tables of how people come in: invitations, identities elsewhere, keys of their programs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from annotation.tables.base import Base, now, one_of

if TYPE_CHECKING:
    from annotation.tables.models import User

ROLES = ("expert", "senior", "curator", "engineer", "admin")


class Identity(Base):
    """A person as an identity provider (OIDC) knows her."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Invitation(Base):
    """A link that makes one person, once, until it expires or is taken back. Only a hash of its token is kept."""

    __tablename__ = "invitations"
    __table_args__ = (
        one_of("role", ROLES),
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),
        CheckConstraint("(used_at IS NULL) = (user_id IS NULL)", name="used"),
        CheckConstraint("used_at IS NULL OR revoked_at IS NULL", name="revoked"),
    )

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(20))
    invited_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class ApiKey(Base):
    """A program's way in, for some scopes of what its owner may. Only a hash of the key is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    user: Mapped[User] = relationship(lazy="raise")
