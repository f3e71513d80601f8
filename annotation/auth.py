"""Passwords, logins and their throttle. Tokens are random; the database keeps only their hashes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from functools import cache

from pwdlib import PasswordHash
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, joinedload

from annotation.base import now
from annotation.errors import RefusedError
from annotation.models import Login, LoginFailure, User

LOGIN_LASTS = timedelta(hours=12)
FAILURES, WINDOW = 5, timedelta(minutes=15)


class ThrottledError(RefusedError):
    """Too many wrong passwords."""

    status = 429


class WrongPasswordError(RefusedError):
    """Name and password do not belong together; which of them is wrong is not said."""

    status = 401


def hash_password(password: str) -> str:
    """Argon2id with its salt and costs."""
    return _hasher().hash(password)


def check_password(session: Session, name: str, password: str) -> int:
    """The id of the person these belong to. An unknown name costs the same time as a wrong password.

    Raises `WrongPasswordError`, which the caller has to count, and `ThrottledError` after 5 failures for this
    name within 15 minutes.
    """
    failures = select(func.count()).where(LoginFailure.name_hash == _digest(name), LoginFailure.at > now() - WINDOW)
    if (session.scalar(failures) or 0) >= FAILURES:
        raise ThrottledError("throttled", "too many wrong passwords for this name")
    user = session.scalar(select(User).where(User.name == name)) if name.isprintable() else None
    stored = user.password_hash if user and user.password_hash else _unusable()
    if not _hasher().verify(password, stored) or user is None or user.password_hash is None:
        raise WrongPasswordError("wrong_password", "name and password do not belong together")
    return user.id


def log_in(session: Session, user_id: int) -> str:
    """A new login's secret token."""
    session.execute(delete(Login).where(Login.expires_at < now()))
    token = secrets.token_urlsafe(32)
    session.add(Login(token_hash=_digest(token), user_id=user_id, expires_at=now() + LOGIN_LASTS))
    return token


def count_failure(session: Session, name: str) -> None:
    """Remember a wrong password, and forget those that no longer count."""
    session.execute(delete(LoginFailure).where(LoginFailure.at < now() - WINDOW))
    session.add(LoginFailure(name_hash=_digest(name)))


def user_of(session: Session, token: str | None) -> User | None:
    """Who holds this token, None where it is unknown or has expired."""
    if not token:
        return None
    query = select(Login).where(Login.token_hash == _digest(token), Login.expires_at > now())
    login = session.scalar(query.options(joinedload(Login.user)))
    return login.user if login else None


def log_out(session: Session, token: str) -> None:
    """Forget a login."""
    session.execute(delete(Login).where(Login.token_hash == _digest(token)))


def csrf_token(token: str) -> str:
    """What a page must send back with every change: only who knows the login token can derive it."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def same_secret(one: str, other: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _unusable() -> str:
    return hash_password(secrets.token_urlsafe(32))
