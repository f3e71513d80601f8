"""How people arrive: by an invitation's link, or through an identity provider."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from annotation.errors import InvalidError, NotFoundError, RefusedError
from annotation.identity.invitations import accept, open_invitation
from annotation.identity.oidc import Flow, Provider, begin, finish, join_identity, user_with
from annotation.identity.people import checked_hash
from annotation.web.pages import base_url, logged_in, own_path, set_cookie
from annotation.web.view import page
from annotation.web.visitor import FORM_COOKIE, Guest, check_form, database_of, form_secret

router = APIRouter(default_response_class=HTMLResponse)
FLOW_COOKIE = "zhongjing_oidc"
FLOW_LASTS = 600
Field = Annotated[str, Form(max_length=500)]
Token = Annotated[str, Path(min_length=1, max_length=100)]
Words = Annotated[str, Query(max_length=2000)]


@router.get("/invitation/{token}")
def invitation(request: Request, token: Token) -> Response:
    """Where an invited person chooses her password."""
    return _invitation(request, token)


@router.post("/invitation/{token}")
def accept_invitation(request: Request, token: Token, password: Field, again: Field, form: Field) -> Response:
    """Make the invited person and log her in."""
    check_form(request, form)
    database = database_of(request)
    try:
        if password != again:
            raise InvalidError("passwords_differ", "the two passwords differ")
        checked_hash(password)
    except InvalidError as error:
        problem = error.reason if error.reason == "passwords_differ" else "bad_password"
        return _invitation(request, token, status=error.status, problem=problem)
    with database.write() as session:
        user_id = accept(session, token, password=password).id
    return logged_in(request, database, user_id, "/", "logged_in")


@router.get("/login/oidc")
def to_provider(request: Request, next: Words = "/", invitation: Words = "", join: bool = False) -> Response:  # noqa: A002
    """Send the browser to the identity provider; what it must bring back waits in a closed cookie."""
    url, flow = begin(_provider(request), _back(request), next_path=own_path(next), invitation=invitation, join=join)
    response = RedirectResponse(url, status_code=303)
    set_cookie(request, response, FLOW_COOKIE, flow.packed(), FLOW_LASTS, "/login/oidc")
    return response


@router.get("/login/oidc/back")
def from_provider(request: Request, visitor: Guest) -> Response:
    """Log in whom the provider has sent back: one who has joined this identity, is invited, or joins it now."""
    flow = Flow.unpacked(request.cookies.get(FLOW_COOKIE, ""))
    identity = finish(_provider(request), _back(request), flow, request.query_params)
    database = database_of(request)
    with database.write() as session:
        if flow.invitation:
            user_id = accept(session, flow.invitation, identity=identity).id
        elif flow.join and visitor is not None:
            user_id = visitor.id
            join_identity(session, user_id, identity)
        else:
            user_id = user_with(session, identity).id
    response = logged_in(request, database, user_id, "/" if flow.invitation else flow.next, "logged_in_oidc")
    response.delete_cookie(FLOW_COOKIE, path="/login/oidc")
    return response


def _provider(request: Request) -> Provider:
    provider: Provider | None = request.app.state.settings.provider
    if provider is None:
        raise NotFoundError("no_provider", "there is no identity provider here")
    return provider


def _back(request: Request) -> str:
    return f"{base_url(request)}/login/oidc/back"


def _invitation(request: Request, token: str, *, status: int = 200, problem: str | None = None) -> Response:
    try:
        with database_of(request).read() as session:
            open_one = open_invitation(session, token)
    except RefusedError as error:
        return page(
            request, "error.html", visitor=None, status=error.status, words="invitation_over", code=error.status
        )
    secret = form_secret(request)
    oidc = request.app.state.settings.provider is not None
    values: dict[str, Any] = {"invitation": open_one, "token": token, "form": secret, "problem": problem, "oidc": oidc}
    response = page(request, "invitation.html", visitor=None, status=status, **values)
    set_cookie(request, response, FORM_COOKIE, secret, None)
    return response
