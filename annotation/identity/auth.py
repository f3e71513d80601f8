"""Passwords, logins and their throttle. Tokens are random; the database keeps only their hashes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from functools import cache

from pwdlib import PasswordHash
from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.orm import Session

from annotation.errors import RefusedError
from annotation.tables.base import now
from annotation.tables.models import Login, LoginFailure, User

LOGIN_LASTS = timedelta(hours=12)
HOLDER = (
    select(User)
    .join(Login, Login.user_id == User.id)
    .where(Login.token_hash == bindparam("hash"), Login.expires_at > bindparam("moment"), User.left_at.is_(None))
)
FAILURES, FAILURES_OF_ADDRESS, WINDOW = 5, 50, timedelta(minutes=15)


class ThrottledError(RefusedError):
    """Too many wrong passwords for a name or from an address."""

    status = 429


class WrongPasswordError(RefusedError):
    """Name and password do not belong together; which of them is wrong is not said."""

    status = 401


def hash_password(password: str) -> str:
    """Argon2id with its salt and costs."""
    return _hasher().hash(password)


def begin_attempt(session: Session, name: str, address: str) -> None:
    """Count an attempt to log in as a failure until `forgive` takes it back, so that attempts at once count too.

    Raises `ThrottledError` after 5 failures for this name or 50 from this address within 15 minutes.
    """
    session.execute(delete(LoginFailure).where(LoginFailure.at < now() - WINDOW))
    attempt = LoginFailure(name_hash=digest(name), address_hash=digest(address))
    of_name = select(func.count()).where(LoginFailure.name_hash == attempt.name_hash)
    of_address = select(func.count()).where(LoginFailure.address_hash == attempt.address_hash)
    if (session.scalar(of_name) or 0) >= FAILURES or (session.scalar(of_address) or 0) >= FAILURES_OF_ADDRESS:
        raise ThrottledError("throttled", "too many wrong passwords; wait 15 minutes")
    session.add(attempt)
    session.flush()


def forgive(session: Session, name: str) -> None:
    """Forget the failures of a name whose password was right."""
    session.execute(delete(LoginFailure).where(LoginFailure.name_hash == digest(name)))


def check_password(session: Session, name: str, password: str) -> int:
    """The id of the person these belong to. An unknown name costs the same time as a wrong password.

    Raises `WrongPasswordError`.
    """
    user = session.scalar(select(User).where(User.name == name)) if name.isprintable() else None
    stored = user.password_hash if user and user.password_hash else _unusable()
    known = _hasher().verify(password, stored)
    if not known or user is None or user.password_hash is None or user.left_at is not None:
        raise WrongPasswordError("wrong_password", "name and password do not belong together")
    return user.id


def log_in(session: Session, user_id: int) -> str:
    """A new login's secret token."""
    session.execute(delete(Login).where(Login.expires_at < now()))
    token = secrets.token_urlsafe(32)
    session.add(Login(token_hash=digest(token), user_id=user_id, expires_at=now() + LOGIN_LASTS))
    return token


def user_of(session: Session, token: str | None) -> User | None:
    """Who holds this token, None where it is unknown or has expired."""
    if not token:
        return None
    return session.scalar(HOLDER, {"hash": digest(token), "moment": now()})


def log_out(session: Session, token: str) -> None:
    """Forget a login."""
    session.execute(delete(Login).where(Login.token_hash == digest(token)))


def log_out_everywhere(session: Session, user_id: int) -> None:
    """Forget all logins of a person."""
    session.execute(delete(Login).where(Login.user_id == user_id))


def csrf_token(token: str) -> str:
    """What a page must send back with every change: only who knows the login token can derive it."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def same_secret(one: str, other: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def digest(text: str) -> str:
    """SHA-256 in hex: what the database keeps of a random token."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _unusable() -> str:
    return hash_password(secrets.token_urlsafe(32))
