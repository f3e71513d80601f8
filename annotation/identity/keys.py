"""API keys: a program's way in, for some of what its owner may, until it ends."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session, joinedload

from annotation.errors import InvalidError, NotFoundError
from annotation.identity.auth import digest
from annotation.identity.people import check_name, record
from annotation.tables.base import now
from annotation.tables.models import ApiKey

PREFIX = "zj_"
LONGEST_DAYS = 365


def make_key(
    session: Session, user_id: int, *, name: str, scopes: Iterable[str], known: Iterable[str], days: int = 90
) -> tuple[ApiKey, str]:
    """A new key for some of the `known` scopes, and its secret, which is shown once."""
    chosen = sorted(set(scopes))
    check_name(name)
    if not chosen or not set(chosen) <= set(known):
        raise InvalidError("scopes", "a key has at least one scope", hint=f"any of: {', '.join(sorted(known))}")
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidError("days", f"a key lasts 1 to {LONGEST_DAYS} days")
    secret = PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        user_id=user_id, name=name, key_hash=digest(secret), scopes=chosen, expires_at=now() + timedelta(days=days)
    )
    session.add(key)
    session.flush()
    record(session, user_id, "key_made", f"key:{key.id}", {"scopes": chosen})
    return key, secret


def key_of(session: Session, secret: str) -> ApiKey | None:
    """The key with this secret and its owner, None where it is unknown or has ended."""
    if not secret.startswith(PREFIX):
        return None
    query = select(ApiKey).where(ApiKey.key_hash == digest(secret), *_alive())
    key = session.scalar(query.options(joinedload(ApiKey.user)))
    return key if key and key.user.left_at is None else None


def keys_of(session: Session, user_id: int) -> Sequence[ApiKey]:
    """A person's keys that still work, the newest first."""
    query = select(ApiKey).where(ApiKey.user_id == user_id, *_alive()).order_by(ApiKey.id.desc())
    return session.scalars(query).all()


def revoke_key(session: Session, key_id: int, user_id: int) -> None:
    """End a key of this person."""
    own = update(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user_id, *_alive())
    if session.execute(own.values(revoked_at=now()).returning(ApiKey.id)).first() is None:
        raise NotFoundError("no_key", "there is no such key")
    record(session, user_id, "key_revoked", f"key:{key_id}")


def _alive() -> tuple[ColumnElement[bool], ...]:
    return ApiKey.revoked_at.is_(None), ApiKey.expires_at > now()
