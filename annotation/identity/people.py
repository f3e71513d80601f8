"""Who works here, known by name and role, and the log of who did what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from annotation.campaigns.settling import ask_others
from annotation.errors import ConflictError, InvalidError, NotFoundError
from annotation.identity.auth import hash_password, log_out_everywhere
from annotation.tables.accounts import ROLES
from annotation.tables.base import now
from annotation.tables.models import ApiKey, AuditEntry, User

SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 500


def add_user(session: Session, *, name: str, role: str, password: str | None, by: int | None = None) -> User:
    """A new person. Names are unique and printable; a password has at least ten characters.

    Without a password she logs in through an identity provider alone.
    """
    check_role(role)
    check_name(name)
    password_hash = None if password is None else checked_hash(password)
    if session.scalar(select(User.id).where(User.name == name)):
        raise ConflictError("user_exists", f"there is a user {name} already", hint="choose another name")
    user = User(name=name, role=role, password_hash=password_hash, simulated=False)
    session.add(user)
    session.flush()
    record(session, by, "user_added", f"user:{user.id}", {"role": role})
    return user


def check_role(role: str) -> None:
    """Raise unless there is such a role."""
    if role not in ROLES:
        raise InvalidError("role", f"there is no role {role}", hint=f"one of: {', '.join(ROLES)}")


def check_name(name: str) -> None:
    """Raise unless this can be a name."""
    if not 1 <= len(name) <= 100 or not name.isprintable() or name != name.strip():
        raise InvalidError("name", "a name has 1 to 100 printable characters and no space at its ends")


def checked_hash(password: str) -> str:
    """The hash of a password that is good enough to be one."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidError("password", f"a password has at least {SHORTEST_PASSWORD} characters")
    if not password.isprintable():
        raise InvalidError("password", "a password has printable characters only, in UTF-8")
    return hash_password(password)


def change_password(session: Session, user_id: int, password_hash: str) -> None:
    """Give a person another password; all her logins end."""
    find_user(session, user_id).password_hash = password_hash
    log_out_everywhere(session, user_id)
    record(session, user_id, "password_changed", f"user:{user_id}")


def people(session: Session) -> Sequence[User]:
    """Everyone who is no program, by name."""
    return session.scalars(select(User).where(User.simulated.is_(False)).order_by(User.name)).all()


def find_user(session: Session, user_id: int) -> User:
    """A person by number; simulated experts are none."""
    user = session.get(User, user_id)
    if user is None or user.simulated:
        raise NotFoundError("no_user", "there is no such person")
    return user


def alter_user(
    session: Session, user_id: int, *, role: str | None = None, active: bool | None = None, by: int | None
) -> User:
    """Give a person another role, or let her leave or come back. Who leaves is logged out and her keys end.

    Nobody changes herself: the last administrator cannot lock everyone out.
    """
    user = find_user(session, user_id)
    if user_id == by:
        raise ConflictError("yourself", "nobody changes her own role or leaves by herself")
    if role is not None and role != user.role:
        check_role(role)
        record(session, by, "role_changed", f"user:{user_id}", {"from": user.role, "to": role})
        user.role = role
    if active is not None and active != (user.left_at is None):
        user.left_at = None if active else now()
        record(session, by, "user_back" if active else "user_left", f"user:{user_id}")
    if user.left_at is not None:
        log_out_everywhere(session, user_id)
        ask_others(session, user_id)
        session.execute(update(ApiKey).where(ApiKey.user_id == user_id).values(revoked_at=now()))
    session.flush()
    return user


def named_user(session: Session, name: str) -> User:
    """A person by name."""
    user = session.scalar(select(User).where(User.name == name, User.simulated.is_(False)))
    if user is None:
        raise NotFoundError("no_user", f"there is no {name}", hint="see: zhongjing user list")
    return user


def real_experts(session: Session) -> list[str]:
    """All people who rank, by name; an error where there is none."""
    query = select(User.name).where(
        User.role.in_(("expert", "senior")), User.simulated.is_(False), User.left_at.is_(None)
    )
    names: Sequence[str] = session.scalars(query.order_by(User.name)).all()
    if not names:
        raise InvalidError(
            "no_experts",
            "there is no expert yet",
            hint="add each with: zhongjing user add NAME --role expert; or try it out with: --experts simulated",
        )
    return list(names)


def record(
    session: Session, actor_id: int | None, action: str, subject: str, detail: dict[str, Any] | None = None
) -> None:
    """Add a line to the audit log: who (None for the command line) did what to what."""
    session.add(AuditEntry(actor_id=actor_id, action=action, subject=subject, detail=detail))


def audit_log(session: Session, *, before: int | None = None, count: int = 100) -> list[tuple[AuditEntry, str | None]]:
    """The newest entries of the audit log with their actors' names, those with smaller numbers than `before`."""
    query = select(AuditEntry, User.name).outerjoin(User, User.id == AuditEntry.actor_id)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return [(entry, name) for entry, name in session.execute(query.order_by(AuditEntry.id.desc()).limit(count))]
