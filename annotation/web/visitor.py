"""The person behind a request, and proof that the request is theirs."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from annotation.auth import csrf_token, same_secret, user_of
from annotation.database import Database
from annotation.errors import ForbiddenError, RefusedError
from annotation.web.texts import LANGUAGES

LOGIN_COOKIE = "zhongjing_login"
FORM_COOKIE = "zhongjing_form"
LANGUAGE_COOKIE = "zhongjing_language"


class LoginNeededError(RefusedError):
    """Nobody is logged in."""

    status = 401


@dataclass(frozen=True)
class Visitor:
    """Who is logged in. `csrf` must come back with every change."""

    id: int
    name: str
    role: str
    token: str
    csrf: str


def database_of(request: Request) -> Database:
    """The database of the running application."""
    database: Database = request.app.state.database
    return database


def visitor_of(request: Request) -> Visitor | None:
    """Who is logged in, None where nobody is."""
    token = request.cookies.get(LOGIN_COOKIE)
    if not token:
        return None
    with database_of(request).read() as session:
        user = user_of(session, token)
        return Visitor(user.id, user.name, user.role, token, csrf_token(token)) if user else None


def required_visitor(request: Request) -> Visitor:
    """Who is logged in; an error where nobody is."""
    visitor = visitor_of(request)
    if visitor is None:
        raise LoginNeededError("login", "log in first")
    return visitor


def changing_visitor(request: Request, visitor: Annotated[Visitor, Depends(required_visitor)]) -> Visitor:
    """Who is logged in, where the request carries their CSRF token in its header."""
    refuse_foreign(request)
    check_csrf(visitor, request.headers.get("x-csrf-token", ""))
    return visitor


def check_csrf(visitor: Visitor, token: str) -> None:
    """Raise unless `token` is the one this visitor's pages hold."""
    if not same_secret(visitor.csrf, token):
        raise ForbiddenError("csrf", "this page has expired")


def refuse_foreign(request: Request) -> None:
    """Raise where the browser says that another site's page sent this."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForbiddenError("csrf", "this came from another site")


def language_of(request: Request) -> str:
    """Chinese unless the visitor chose otherwise."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else LANGUAGES[0]


def form_secret(request: Request) -> str:
    """What ties a login form to this browser before anyone is logged in."""
    return request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)


Person = Annotated[Visitor, Depends(required_visitor)]
Changer = Annotated[Visitor, Depends(changing_visitor)]
