"""The pages of jobs: forms for new ones, and each one's progress, log and report."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any, TypeVar, get_origin

from fastapi import APIRouter, Depends, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup
from pydantic import ValidationError
from sqlalchemy import select

from annotation.jobs.data_folder import DataFolder
from annotation.jobs.leases import OVER, cancel, find_job, lines_of, newest_jobs, retry, submit
from annotation.jobs.orders import GRAPH, RELEASED, SETS, Build, Deduplicate, Export, Import, Match, Order
from annotation.tables.models import Campaign, Job, User
from annotation.web import charts
from annotation.web.access import may
from annotation.web.texts import text
from annotation.web.view import page
from annotation.web.visitor import Person, Visitor, database_of, language_of

router = APIRouter(default_response_class=HTMLResponse)
JobId = Annotated[int, Path(ge=1, le=2**63 - 1)]

PLOTTED = 12
FORMS = ("import", "deduplicate", "match", "build", "export")
Asked = TypeVar("Asked", bound=Order)


def filled_in(kind: type[Asked]) -> Callable[[Request], Coroutine[Any, Any, Asked]]:
    """Reads an order from a form, whose other fields are the page's own."""

    async def read(request: Request) -> Asked:
        form = await request.form()
        fields = {
            name: form.getlist(name) if get_origin(field.annotation) is list else form[name]
            for name, field in kind.model_fields.items()
            if name in form
        }
        try:
            return kind.model_validate(fields, strict=False)
        except ValidationError as error:
            raise RequestValidationError(error.errors()) from error

    return read


@router.get("/jobs")
def jobs(request: Request, visitor: Person) -> Response:
    """The newest jobs, and a form for each kind that this role may start."""
    from annotation.consensus.methods import METHODS

    data = data_of(request)
    kinds = [kind for kind in FORMS if may(visitor.role, f"/jobs/{kind}", "POST")]
    with database_of(request).read() as session:
        newest = newest_jobs(session)
        values: dict[str, Any] = {
            "jobs": newest,
            "minutes": _minutes(newest, text(language_of(request), "job_minutes")),
            "kinds": kinds,
            "campaigns": session.scalars(select(Campaign.name).order_by(Campaign.id.desc())).all(),
            "files": data.files(),
            "sets": data.folders(*SETS),
            "graphs": data.folders(GRAPH),
            "recipes": data.recipes(),
            "methods": METHODS,
        }
        return page(request, "jobs.html", visitor=visitor, **values)


@router.get("/jobs/{job_id}")
def job(request: Request, visitor: Person, job_id: JobId) -> Response:
    """One job: how far it is, its log and its report."""
    with database_of(request).read() as session:
        found = find_job(session, job_id)
        by = session.get(User, found.submitted_by) if found.submitted_by else None
        mine = visitor.role == "admin" or found.submitted_by == visitor.id
        values: dict[str, Any] = {
            "job": found,
            "by": by.name if by else None,
            "lines": lines_of(session, job_id),
            "over": found.state in OVER,
            "mine": mine,
            "released": RELEASED,
        }
        return page(request, "job.html", visitor=visitor, **values)


@router.post("/jobs/import")
def import_files(request: Request, visitor: Person, order: Annotated[Import, Depends(filled_in(Import))]) -> Response:
    """Start an import."""
    return _submitted(request, visitor, order)


@router.post("/jobs/deduplicate")
def deduplicate(
    request: Request, visitor: Person, order: Annotated[Deduplicate, Depends(filled_in(Deduplicate))]
) -> Response:
    """Start a deduplication."""
    return _submitted(request, visitor, order)


@router.post("/jobs/match")
def match(request: Request, visitor: Person, order: Annotated[Match, Depends(filled_in(Match))]) -> Response:
    """Start matching a set against a graph."""
    return _submitted(request, visitor, order)


@router.post("/jobs/build")
def build(request: Request, visitor: Person, order: Annotated[Build, Depends(filled_in(Build))]) -> Response:
    """Start a build by a recipe."""
    return _submitted(request, visitor, order)


@router.post("/jobs/export")
def export(request: Request, visitor: Person, order: Annotated[Export, Depends(filled_in(Export))]) -> Response:
    """Start an export."""
    return _submitted(request, visitor, order)


@router.post("/jobs/{job_id}/cancel")
def cancel_job(request: Request, visitor: Person, job_id: JobId) -> Response:
    """Stop a job."""
    with database_of(request).write() as session:
        cancel(session, job_id, owner=visitor.owner, by=visitor.id)
    return RedirectResponse(f"/jobs/{job_id}", status_code=303)


@router.post("/jobs/{job_id}/retry")
def retry_job(request: Request, visitor: Person, job_id: JobId) -> Response:
    """Let a job that failed be tried again."""
    with database_of(request).write() as session:
        retry(session, job_id, owner=visitor.owner, by=visitor.id)
    return RedirectResponse(f"/jobs/{job_id}", status_code=303)


def _minutes(jobs: Sequence[Job], words: str) -> Markup | None:
    """A plot of how long the newest jobs took that ended, the oldest first; None where fewer than two did."""
    over = [(job.id, job.ended_at - job.created_at) for job in jobs if job.ended_at is not None][:PLOTTED]
    taken = {f"#{number}": round(time.total_seconds() / 60, 1) for number, time in reversed(over)}
    return charts.bars(taken, words) if len(taken) > 1 else None


def data_of(request: Request) -> DataFolder:
    """The folder where jobs read and write."""
    return DataFolder(request.app.state.settings.data)


def _submitted(request: Request, visitor: Visitor, order: Order) -> Response:
    with database_of(request).write() as session:
        job_id = submit(session, order, data_of(request), by=visitor.id).id
    return RedirectResponse(f"/jobs/{job_id}", status_code=303)
