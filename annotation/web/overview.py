"""Pages for those who lead: progress, agreement and jobs. Experts never see them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select

from annotation.agreement import agreement
from annotation.campaigns import find_campaign
from annotation.jobs import newest_jobs, submit_build, submit_export
from annotation.models import Campaign
from annotation.recipes import recipe_names
from annotation.web.access import JOBS, STATUS, authorize
from annotation.web.view import page
from annotation.web.visitor import Person, check_csrf, database_of, refuse_foreign

router = APIRouter(default_response_class=HTMLResponse)
Field = Annotated[str, Form(max_length=200)]


@router.get("/status")
def status(request: Request, visitor: Person, campaign: str | None = None) -> Response:
    """Progress and agreement of a campaign, the newest where none is named."""
    authorize(visitor.role, STATUS)
    with database_of(request).read() as session:
        names = session.scalars(select(Campaign.name).order_by(Campaign.id.desc())).all()
        chosen = campaign or next(iter(names), None)
        summary = agreement(session, find_campaign(session, chosen)) if chosen else None
    return page(request, "status.html", visitor=visitor, names=names, chosen=chosen, summary=summary)


@router.get("/jobs")
def jobs(request: Request, visitor: Person) -> Response:
    """The newest jobs and forms for new ones."""
    authorize(visitor.role, JOBS)
    with database_of(request).read() as session:
        names = session.scalars(select(Campaign.name).order_by(Campaign.name)).all()
        listed = newest_jobs(session)
        recipes = recipe_names(request.app.state.data)
        return page(request, "jobs.html", visitor=visitor, jobs=listed, names=names, recipes=recipes)


@router.post("/jobs/export")
def export_job(
    request: Request, visitor: Person, csrf: Field, campaign: Field, seed: Annotated[int, Form(ge=0, le=2**31)] = 0
) -> Response:
    """Ask a worker to export a campaign."""
    refuse_foreign(request)
    check_csrf(visitor, csrf)
    authorize(visitor.role, JOBS)
    with database_of(request).write() as session:
        submit_export(session, campaign=find_campaign(session, campaign).name, seed=seed, by=visitor.id)
    return RedirectResponse("/jobs", status_code=303)


@router.post("/jobs/build")
def build_job(request: Request, visitor: Person, csrf: Field, recipe: Field) -> Response:
    """Ask a worker to build a corpus from a recipe of the data folder."""
    refuse_foreign(request)
    check_csrf(visitor, csrf)
    authorize(visitor.role, JOBS)
    with database_of(request).write() as session:
        submit_build(session, data=request.app.state.data, recipe=recipe, by=visitor.id)
    return RedirectResponse("/jobs", status_code=303)
