"""The person or program behind a request, and proof that it may come here: the door of every route."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from annotation.agreement.live import Live
from annotation.database import Database
from annotation.errors import ForbiddenError, RefusedError
from annotation.identity.auth import csrf_token, same_secret, user_of
from annotation.identity.keys import key_of
from annotation.web.access import Reach, Rule, rule_for
from annotation.web.texts import LANGUAGES

LOGIN_COOKIE = "zhongjing_login"
FORM_COOKIE = "zhongjing_form"
LANGUAGE_COOKIE = "zhongjing_language"
READING = ("GET", "HEAD", "OPTIONS")


class LoginNeededError(RefusedError):
    """Nobody is logged in."""

    status = 401


@dataclass(frozen=True)
class Visitor:
    """Who is here: in a browser, where `csrf` must come back with every change, or by an API key with `scopes`.

    `reach` is how far the present route lets this role reach.
    """

    id: int
    name: str
    role: str
    token: str = ""
    csrf: str = ""
    scopes: frozenset[str] | None = None
    reach: Reach = "own"

    @property
    def owner(self) -> int | None:
        """Whose objects are open here: this person's own, or None for anyone's."""
        return self.id if self.reach == "own" else None


def database_of(request: Request) -> Database:
    """The database of the running application."""
    database: Database = request.app.state.database
    return database


def live_of(request: Request) -> Live:
    """The figures that the running application keeps."""
    live: Live = request.app.state.live
    return live


def visitor_of(request: Request) -> Visitor | None:
    """Who sent this request, None where nobody is known; a wrong or ended API key is an error."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind:
        return _program(request, secret.strip() if kind.lower() == "bearer" else "")
    token = request.cookies.get(LOGIN_COOKIE)
    if not token:
        return None
    with database_of(request).read() as session:
        user = user_of(session, token)
        return Visitor(user.id, user.name, user.role, token, csrf_token(token)) if user else None


async def sent_token(request: Request) -> str:
    """The CSRF token a change came with: in a header, or in a field of its form."""
    header = request.headers.get("x-csrf-token")
    if header is None and request.headers.get("content-type", "").startswith(FORMS):
        field = (await request.form()).get("csrf")
        return field if isinstance(field, str) else ""
    return header or ""


FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def door(request: Request, sent: Annotated[str, Depends(sent_token)]) -> Visitor | None:
    """Let in who the table of `access` lets in, None for a public route's unknown visitor; raise otherwise."""
    rule = rule_for(request.method, request.scope["route"].path)
    if rule is None:
        raise ForbiddenError("forbidden", "this is open to nobody")
    if request.method not in READING:
        _refuse_foreign(request)
    visitor = visitor_of(request)
    if rule.public:
        return visitor
    if visitor is None:
        raise LoginNeededError("login", "log in first")
    return _admitted(request, rule, visitor, sent)


async def person(visitor: Annotated[Visitor | None, Depends(door)]) -> Visitor:
    """Who is here, on a route that is not public."""
    if visitor is None:
        raise LoginNeededError("login", "log in first")
    return visitor


def language_of(request: Request) -> str:
    """Chinese unless the visitor chose otherwise."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else LANGUAGES[0]


def form_secret(request: Request) -> str:
    """What ties a login form to this browser before anyone is logged in."""
    return request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)


def check_form(request: Request, form: str) -> None:
    """Raise unless a public form comes from the browser that it was given to."""
    if not form or not same_secret(request.cookies.get(FORM_COOKIE, ""), form):
        raise ForbiddenError("csrf", "this form has expired")


def _program(request: Request, secret: str) -> Visitor:
    with database_of(request).read() as session:
        key = key_of(session, secret)
        if key is None:
            raise LoginNeededError("key", "this API key is unknown or has ended")
        return Visitor(key.user.id, key.user.name, key.user.role, scopes=frozenset(key.scopes))


def _admitted(request: Request, rule: Rule, visitor: Visitor, sent: str) -> Visitor:
    reach = rule.reach.get(visitor.role)
    if reach is None:
        raise ForbiddenError("forbidden", f"this is not open to the role {visitor.role}")
    if visitor.scopes is not None:
        if rule.scope is None or rule.scope not in visitor.scopes:
            needed = f"a key with the scope {rule.scope}" if rule.scope else "a browser"
            raise ForbiddenError("scope", f"this needs {needed}")
    elif request.method not in READING and not same_secret(visitor.csrf, sent):
        raise ForbiddenError("csrf", "this page has expired")
    return Visitor(visitor.id, visitor.name, visitor.role, visitor.token, visitor.csrf, visitor.scopes, reach)


def _refuse_foreign(request: Request) -> None:
    """Raise where the browser says that another site's page sent this."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForbiddenError("csrf", "this came from another site")


Person = Annotated[Visitor, Depends(person)]
Guest = Annotated[Visitor | None, Depends(door)]
