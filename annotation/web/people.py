"""The administrator's pages: people, invitations, and the log of who did what."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from annotation.identity.invitations import invitations, invite, revoke_invitation
from annotation.identity.people import alter_user, audit_log, people
from annotation.tables.accounts import ROLES
from annotation.web.pages import base_url
from annotation.web.view import page
from annotation.web.visitor import Person, Visitor, database_of

router = APIRouter(default_response_class=HTMLResponse)
Field = Annotated[str, Form(max_length=100)]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
AUDIT_PAGE = 100


@router.get("/people")
def everyone(request: Request, visitor: Person) -> Response:
    """Who works here, and who is invited."""
    return _everyone(request, visitor)


@router.post("/people/invitations")
def new_invitation(request: Request, visitor: Person, name: Field, role: Field) -> Response:
    """Invite someone; the link is on the page that answers and nowhere else."""
    with database_of(request).write() as session:
        _, token = invite(session, name=name, role=role, by=visitor.id)
    return _everyone(request, visitor, link=f"{base_url(request)}/invitation/{token}", invited=name)


@router.post("/people/invitations/{number}/revoke")
def take_back(request: Request, visitor: Person, number: Number) -> Response:
    """Take an invitation back."""
    with database_of(request).write() as session:
        revoke_invitation(session, number, visitor.id)
    return RedirectResponse("/people", status_code=303)


@router.post("/people/{person_id}")
def alter(
    request: Request,
    visitor: Person,
    person_id: Number,
    role: Annotated[str | None, Form(max_length=20)] = None,
    active: Annotated[Literal["yes", "no"] | None, Form()] = None,
) -> Response:
    """Give someone another role, or let her leave or come back."""
    present = None if active is None else active == "yes"
    with database_of(request).write() as session:
        alter_user(session, person_id, role=role, active=present, by=visitor.id)
    return RedirectResponse("/people", status_code=303)


@router.get("/audit")
def audit(
    request: Request, visitor: Person, before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None
) -> Response:
    """The log of who did what, the newest first."""
    with database_of(request).read() as session:
        entries = audit_log(session, before=before, count=AUDIT_PAGE)
    older = entries[-1][0].id if len(entries) == AUDIT_PAGE else None
    return page(request, "audit.html", visitor=visitor, entries=entries, older=older)


def _everyone(request: Request, visitor: Visitor, *, link: str | None = None, invited: str | None = None) -> Response:
    with database_of(request).read() as session:
        values: dict[str, Any] = {"people": people(session), "invitations": invitations(session)}
        return page(request, "people.html", visitor=visitor, roles=ROLES, link=link, invited=invited, **values)
