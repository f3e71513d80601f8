"""The REST API: JSON in and out, by API key or from a page. `docs/service.md` shows it with curl."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import FileResponse, Response
from sqlalchemy import select

from annotation.campaigns.campaigns import create_campaign, sizes
from annotation.errors import NotFoundError
from annotation.identity.invitations import invitations, invite, revoke_invitation
from annotation.identity.people import alter_user, audit_log, people, record
from annotation.jobs.leases import cancel, find_job, lines_of, newest_jobs, retry, submit
from annotation.jobs.orders import RELEASED, Build, Deduplicate, Export, Import, Match, Order
from annotation.tables.models import Campaign, Job
from annotation.web import shapes
from annotation.web.jobs import data_of
from annotation.web.pages import base_url
from annotation.web.visitor import Person, Visitor, database_of

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
Before = Annotated[int | None, Query(ge=1, le=2**63 - 1)]
ReleasedFile = Annotated[str, Path(max_length=100)]
Count = Annotated[int, Query(ge=1, le=500)]

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": shapes.Problem} for status in (400, 401, 403, 404, 409, 411, 413, 422)
}
router = APIRouter(tags=["api"], responses=PROBLEMS)


@router.get("/api/me")
def me(visitor: Person) -> shapes.Me:
    """Who one is here."""
    scopes = sorted(visitor.scopes) if visitor.scopes is not None else None
    return shapes.Me(id=visitor.id, name=visitor.name, role=visitor.role, scopes=scopes)


@router.get("/api/campaigns")
def campaigns(request: Request) -> list[shapes.Campaign]:
    """All campaigns, the newest first."""
    with database_of(request).read() as session:
        found = session.scalars(select(Campaign).order_by(Campaign.id.desc())).all()
        return [shapes.Campaign.of(campaign, *sizes(session, campaign)) for campaign in found]


@router.get("/api/campaigns/{campaign_id}")
def campaign(request: Request, campaign_id: Number) -> shapes.CampaignStatus:
    """A campaign's progress and agreement."""
    from annotation.agreement.agreement import agreement

    with database_of(request).read() as session:
        found = session.get(Campaign, campaign_id)
        if found is None:
            raise NotFoundError("no_campaign", "there is no such campaign")
        return shapes.CampaignStatus.of(found, *sizes(session, found), agreement(session, found))


@router.post("/api/campaigns", status_code=201)
def new_campaign(request: Request, visitor: Person, asked: shapes.NewCampaign) -> shapes.Campaign:
    """Make ranking tasks of prompts and answers in files of the data folder."""
    from annotation.campaigns.inputs import read_outputs, read_prompts
    from annotation.simulation.experts import experts_chosen

    data = data_of(request)
    prompts, outputs = read_prompts(data.source(asked.prompts)), read_outputs(data.source(asked.outputs))
    with database_of(request).write() as session:
        names = experts_chosen(session, asked.experts)
        made = create_campaign(
            session,
            name=asked.name,
            prompts=prompts,
            outputs=outputs,
            experts=names,
            overlap=asked.overlap or len(names),
            min_overlap=asked.min_overlap,
            adjudicate_below=asked.adjudicate_below,
            seed=asked.seed,
        )
        record(session, visitor.id, "campaign_created", f"campaign:{made.id}")
        return shapes.Campaign.of(made, *sizes(session, made))


@router.get("/api/jobs")
def jobs(request: Request, before: Before = None, count: Count = 50) -> list[shapes.Job]:
    """Jobs, the newest first; `before` pages on."""
    with database_of(request).read() as session:
        return [shapes.Job.of(job) for job in newest_jobs(session, count, before)]


@router.post("/api/jobs/import", status_code=202)
def import_files(request: Request, visitor: Person, order: Import) -> shapes.Job:
    """Read raw files into a dialogue set."""
    return _submitted(request, visitor, order)


@router.post("/api/jobs/deduplicate", status_code=202)
def deduplicate(request: Request, visitor: Person, order: Deduplicate) -> shapes.Job:
    """Remove copies from a dialogue set."""
    return _submitted(request, visitor, order)


@router.post("/api/jobs/match", status_code=202)
def match(request: Request, visitor: Person, order: Match) -> shapes.Job:
    """Check a dialogue set against a graph."""
    return _submitted(request, visitor, order)


@router.post("/api/jobs/build", status_code=202)
def build(request: Request, visitor: Person, order: Build) -> shapes.Job:
    """Run all steps of a recipe."""
    return _submitted(request, visitor, order)


@router.post("/api/jobs/export", status_code=202)
def export(request: Request, visitor: Person, order: Export) -> shapes.Job:
    """Write a campaign's rankings and preferences."""
    return _submitted(request, visitor, order)


@router.get("/api/jobs/{job_id}")
def job(request: Request, job_id: Number) -> shapes.Job:
    """A job: its state, how far it is, its report."""
    with database_of(request).read() as session:
        return shapes.Job.of(find_job(session, job_id))


@router.get("/api/jobs/{job_id}/log")
def log(
    request: Request, job_id: Number, after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0, count: Count = 500
) -> list[shapes.JobLine]:
    """A job's log; `after` the number of the last line one has."""
    with database_of(request).read() as session:
        find_job(session, job_id)
        return [shapes.JobLine.of(line) for line in lines_of(session, job_id, after, count)]


@router.post("/api/jobs/{job_id}/cancel", status_code=202)
def cancel_job(request: Request, visitor: Person, job_id: Number) -> shapes.Job:
    """Stop a job: at once where it waits, within seconds where it runs."""
    with database_of(request).write() as session:
        return shapes.Job.of(cancel(session, job_id, owner=visitor.owner, by=visitor.id))


@router.post("/api/jobs/{job_id}/retry", status_code=202)
def retry_job(request: Request, visitor: Person, job_id: Number) -> shapes.Job:
    """Let a job that failed or was cancelled be tried again."""
    with database_of(request).write() as session:
        return shapes.Job.of(retry(session, job_id, owner=visitor.owner, by=visitor.id))


@router.get("/api/exports")
def exports(request: Request, count: Count = 50) -> list[shapes.Release]:
    """Finished exports, the newest first."""
    done = select(Job).where(Job.kind == Export.kind, Job.state == "done").order_by(Job.id.desc()).limit(count)
    with database_of(request).read() as session:
        return [shapes.Release.of(found, RELEASED) for found in session.scalars(done)]


@router.get("/api/exports/{job_id}/{file}", response_class=FileResponse)
def released(request: Request, visitor: Person, job_id: Number, file: ReleasedFile) -> Response:
    """A file of a finished export. Who took it is written down."""
    with database_of(request).write() as session:
        found = find_job(session, job_id)
        if found.kind != Export.kind or found.state != "done" or file not in RELEASED:
            raise NotFoundError("no_export", "there is no such file of a finished export")
        path = data_of(request).source(f"{Export.model_validate(found.payload).target(job_id)}/{file}")
        record(session, visitor.id, "export_taken", f"job:{job_id}", {"file": file})
    return FileResponse(path, filename=file)


@router.get("/api/people")
def everyone(request: Request) -> list[shapes.User]:
    """Everyone who works here."""
    with database_of(request).read() as session:
        return [shapes.User.of(user) for user in people(session)]


@router.patch("/api/people/{person_id}")
def alter(request: Request, visitor: Person, person_id: Number, change: shapes.Change) -> shapes.User:
    """Give someone another role, or let her leave or come back."""
    with database_of(request).write() as session:
        changed = alter_user(session, person_id, role=change.role, active=change.active, by=visitor.id)
        return shapes.User.of(changed)


@router.get("/api/invitations")
def invited(request: Request) -> list[shapes.Invitation]:
    """Invitations that can still be used."""
    with database_of(request).read() as session:
        return [shapes.Invitation.of(invitation) for invitation in invitations(session)]


@router.post("/api/invitations", status_code=201)
def new_invitation(request: Request, visitor: Person, asked: shapes.NewInvitation) -> shapes.MadeInvitation:
    """Invite someone. The link is told here alone."""
    with database_of(request).write() as session:
        invitation, token = invite(session, name=asked.name, role=asked.role, by=visitor.id)
        link = f"{base_url(request)}/invitation/{token}"
        return shapes.MadeInvitation(**shapes.Invitation.of(invitation).model_dump(), link=link)


@router.delete("/api/invitations/{number}", status_code=204)
def take_back(request: Request, visitor: Person, number: Number) -> None:
    """Take an invitation back."""
    with database_of(request).write() as session:
        revoke_invitation(session, number, visitor.id)


@router.get("/api/audit")
def audit(request: Request, before: Before = None, count: Count = 100) -> list[shapes.AuditEntry]:
    """Who did what, the newest first; `before` pages on."""
    with database_of(request).read() as session:
        return [shapes.AuditEntry.of(entry, name) for entry, name in audit_log(session, before=before, count=count)]


def _submitted(request: Request, visitor: Visitor, order: Order) -> shapes.Job:
    with database_of(request).write() as session:
        return shapes.Job.of(submit(session, order, data_of(request), by=visitor.id))
