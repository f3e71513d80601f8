"""One's own account: the password, API keys, and how else one may log in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from annotation.identity.auth import ThrottledError, WrongPasswordError, begin_attempt, check_password, forgive
from annotation.identity.keys import keys_of, make_key, revoke_key
from annotation.identity.people import change_password, checked_hash
from annotation.web.access import SCOPES, may_use
from annotation.web.pages import address_of, logged_in
from annotation.web.view import page
from annotation.web.visitor import Person, Visitor, database_of

router = APIRouter(default_response_class=HTMLResponse)
Field = Annotated[str, Form(max_length=500)]
KeyId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/account")
def account(request: Request, visitor: Person) -> Response:
    """What one may change of oneself."""
    return _account(request, visitor)


@router.post("/account/password")
def password(request: Request, visitor: Person, old: Field, new: Field) -> Response:
    """Another password; every login but this browser's new one ends."""
    database = database_of(request)
    hashed = checked_hash(new)
    try:
        with database.write() as session:
            begin_attempt(session, visitor.name, address_of(request))
        with database.read() as session:
            check_password(session, visitor.name, old)
    except (WrongPasswordError, ThrottledError) as error:
        problem = "error_429" if isinstance(error, ThrottledError) else "wrong_old_password"
        return _account(request, visitor, status=error.status, problem=problem)
    with database.write() as session:
        forgive(session, visitor.name)
        change_password(session, visitor.id, hashed)
    return logged_in(request, database, visitor.id, "/account", "logged_in")


@router.post("/account/keys")
def new_key(
    request: Request,
    visitor: Person,
    name: Field,
    scopes: Annotated[list[str] | None, Form(max_length=50)] = None,
    days: Annotated[int, Form(ge=1, le=365)] = 90,
) -> Response:
    """A new API key; its secret is on the page that answers and nowhere else."""
    known = [scope for scope in SCOPES if may_use(visitor.role, scope)]
    with database_of(request).write() as session:
        _, secret = make_key(session, visitor.id, name=name, scopes=scopes or (), known=known, days=days)
    return _account(request, visitor, secret=secret)


@router.post("/account/keys/{key_id}/revoke")
def end_key(request: Request, visitor: Person, key_id: KeyId) -> Response:
    """End one of one's own keys."""
    with database_of(request).write() as session:
        revoke_key(session, key_id, visitor.id)
    return RedirectResponse("/account", status_code=303)


def _account(
    request: Request, visitor: Visitor, *, status: int = 200, problem: str | None = None, secret: str | None = None
) -> Response:
    with database_of(request).read() as session:
        keys = keys_of(session, visitor.id)
    values: dict[str, Any] = {
        "keys": keys,
        "scopes": [scope for scope in SCOPES if may_use(visitor.role, scope)],
        "problem": problem,
        "secret": secret,
        "oidc": request.app.state.settings.provider is not None,
    }
    return page(request, "account.html", visitor=visitor, status=status, **values)
