"""Who works here: made by an administrator, known by name and role."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation.auth import hash_password
from annotation.errors import ConflictError, InvalidError
from annotation.models import ROLES, AuditEntry, User

SHORTEST_PASSWORD = 10


def add_user(session: Session, *, name: str, role: str, password: str) -> User:
    """A new person. Names are unique and printable; a password has at least ten characters."""
    if role not in ROLES:
        raise InvalidError("role", f"there is no role {role}", hint=f"one of: {', '.join(ROLES)}")
    if not 1 <= len(name) <= 100 or not name.isprintable() or name != name.strip():
        raise InvalidError("name", "a name has 1 to 100 printable characters and no space at its ends")
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidError("password", f"a password has at least {SHORTEST_PASSWORD} characters")
    if not password.isprintable():
        raise InvalidError("password", "a password has printable characters only, in UTF-8")
    if session.scalar(select(User.id).where(User.name == name)):
        raise ConflictError("user_exists", f"there is a user {name} already", hint="choose another name")
    user = User(name=name, role=role, password_hash=hash_password(password), simulated=False)
    session.add(user)
    session.flush()
    record(session, None, "user_added", f"user:{user.id}")
    return user


def real_experts(session: Session) -> list[str]:
    """All people who rank, by name; an error where there is none."""
    query = select(User.name).where(User.role.in_(("expert", "senior")), User.simulated.is_(False))
    names: Sequence[str] = session.scalars(query.order_by(User.name)).all()
    if not names:
        raise InvalidError(
            "no_experts",
            "there is no expert yet",
            hint="add each with: zhongjing user add NAME --role expert; or try it out with: --experts simulated",
        )
    return list(names)


def record(session: Session, actor_id: int | None, action: str, subject: str) -> None:
    """Add a line to the audit log: who (None for the command line) did what to what."""
    session.add(AuditEntry(actor_id=actor_id, action=action, subject=subject))
