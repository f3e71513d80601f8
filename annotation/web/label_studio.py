"""Label Studio's side of the service: webhooks come in, and who leads sees what was not used."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Header, Path, Request
from fastapi.responses import HTMLResponse, Response
from starlette.status import HTTP_204_NO_CONTENT

from annotation.database import Database
from annotation.label_studio.connection import HOOK, HOOK_HEADER
from annotation.label_studio.hooks import check_secret, hint
from annotation.label_studio.overview import projects_of
from annotation.label_studio.quarantine import quarantined
from annotation.web.view import page
from annotation.web.visitor import Person, database_of

router = APIRouter(default_response_class=HTMLResponse)
Secret = Annotated[str, Header(alias=HOOK_HEADER, max_length=200)]


@router.post(f"{HOOK}/{{project_id}}", status_code=HTTP_204_NO_CONTENT, response_class=Response)
def hook(
    request: Request,
    later: BackgroundTasks,
    project_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
    secret: Secret = "",
) -> None:
    """Something happened in a project. What it was is never read: `label-studio pull` looks for itself.

    Label Studio waits a second and never asks again, so the answer comes before the hint is stored.
    """
    database = database_of(request)
    with database.read() as session:
        check_secret(session, project_id, secret)
    later.add_task(_store, database, project_id)


@router.get("/label-studio")
def label_studio(request: Request, visitor: Person) -> Response:
    """What is there, and what was seen there and not used."""
    with database_of(request).read() as session:
        projects, held = projects_of(session), quarantined(session)
    return page(request, "label_studio.html", visitor=visitor, projects=projects, held=held)


def _store(database: Database, project_id: int) -> None:
    with database.write() as session:
        hint(session, project_id)
