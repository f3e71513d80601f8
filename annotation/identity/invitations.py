"""Invitations: links that make one person, once, within a week. The link is shown once; the database keeps a hash."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from annotation.errors import ConflictError, NotFoundError
from annotation.identity.auth import digest
from annotation.identity.people import add_user, check_name, check_role, record
from annotation.tables.base import now
from annotation.tables.models import Identity, Invitation, User

INVITATION_LASTS = timedelta(days=7)


def invite(
    session: Session, *, name: str, role: str, by: int | None, lasts: timedelta = INVITATION_LASTS
) -> tuple[Invitation, str]:
    """A new invitation, and the secret token of its link."""
    check_name(name)
    check_role(role)
    if session.scalar(select(User.id).where(User.name == name)):
        raise ConflictError("user_exists", f"there is a user {name} already", hint="choose another name")
    token = secrets.token_urlsafe(32)
    invitation = Invitation(token_hash=digest(token), name=name, role=role, invited_by=by, expires_at=now() + lasts)
    session.add(invitation)
    session.flush()
    record(session, by, "invited", f"invitation:{invitation.id}", {"role": role})
    return invitation, token


def open_invitation(session: Session, token: str) -> Invitation:
    """The invitation of a link, where it can still be used."""
    invitation = session.scalar(select(Invitation).where(Invitation.token_hash == digest(token), *_open()))
    if invitation is None:
        raise NotFoundError("no_invitation", "this invitation was used, taken back, or has expired")
    return invitation


def accept(
    session: Session, token: str, *, password: str | None = None, identity: tuple[str, str] | None = None
) -> User:
    """Make the person an invitation is for, with a password or an identity (issuer, subject). A link works once."""
    invitation = open_invitation(session, token)
    user = add_user(session, name=invitation.name, role=invitation.role, password=password, by=invitation.invited_by)
    if identity is not None:
        session.add(Identity(user_id=user.id, issuer=identity[0], subject=identity[1]))
        session.flush()
    used = update(Invitation).where(Invitation.id == invitation.id, *_open()).values(used_at=now(), user_id=user.id)
    if session.execute(used.returning(Invitation.id)).first() is None:
        raise NotFoundError("no_invitation", "this invitation was used, taken back, or has expired")
    record(session, user.id, "invitation_used", f"invitation:{invitation.id}")
    return user


def invitations(session: Session) -> Sequence[Invitation]:
    """Those that can still be used, the newest first."""
    return session.scalars(select(Invitation).where(*_open()).order_by(Invitation.id.desc())).all()


def revoke_invitation(session: Session, number: int, by: int | None) -> None:
    """Take an invitation back."""
    taken = update(Invitation).where(Invitation.id == number, *_open()).values(revoked_at=now())
    if session.execute(taken.returning(Invitation.id)).first() is None:
        raise NotFoundError("no_invitation", "there is no such open invitation")
    record(session, by, "invitation_revoked", f"invitation:{number}")


def _open() -> tuple[ColumnElement[bool], ...]:
    return Invitation.used_at.is_(None), Invitation.revoked_at.is_(None), Invitation.expires_at > now()
