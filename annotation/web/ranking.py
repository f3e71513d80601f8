"""The expert's pages: her queue and one task; the ranking comes back as JSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from annotation.people import record
from annotation.queue import bounded_seconds, next_assignment, open_sheet, progress_of, recent
from annotation.ranking import own_assignment, submit_ranking
from annotation.web.access import RANK, authorize
from annotation.web.view import page
from annotation.web.visitor import Changer, Person, database_of
from corpus.records import Dimension

router = APIRouter()
AssignmentId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Label = Annotated[str, Field(max_length=40)]


class Submission(BaseModel):
    """A ranking as the page sends it. `tiers` holds labels, best first; `key` makes sending it twice harmless."""

    model_config = ConfigDict(extra="forbid")

    dimension: Dimension
    tiers: Annotated[list[Annotated[list[Label], Field(max_length=9)]], Field(max_length=9)]
    key: Annotated[str, Field(min_length=8, max_length=64)]
    seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class Stored(BaseModel):
    """Acknowledges a ranking that is in the database; `next` is where to go on."""

    version: int
    next: str


@router.get("/rank", response_class=HTMLResponse)
def queue(request: Request, visitor: Person) -> Response:
    """The expert's own tasks."""
    authorize(visitor.role, RANK)
    with database_of(request).read() as session:
        campaigns, done = progress_of(session, visitor.id), recent(session, visitor.id)
        left = sum(row.total - row.done for row in campaigns)
        next_id = next((row.next_id for row in campaigns if row.next_id), None)
        return page(
            request, "queue.html", visitor=visitor, campaigns=campaigns, recent=done, left=left, next_id=next_id
        )


@router.get("/rank/{assignment_id}", response_class=HTMLResponse)
def sheet(request: Request, visitor: Person, assignment_id: AssignmentId) -> Response:
    """One task, blind; to anyone but its expert it does not exist."""
    authorize(visitor.role, RANK)
    with database_of(request).write() as session:
        opened = open_sheet(session, assignment_id, visitor.id)
    return page(request, "rank.html", visitor=visitor, sheet=opened)


@router.post("/rank/{assignment_id}")
def submit(request: Request, visitor: Changer, assignment_id: AssignmentId, submission: Submission) -> Stored:
    """Store a ranking. The answer is sent when it is safely in the database."""
    authorize(visitor.role, RANK)
    with database_of(request).write() as session:
        opened_at = own_assignment(session, assignment_id, visitor.id).opened_at
        ranking = submit_ranking(
            session,
            assignment_id=assignment_id,
            expert_id=visitor.id,
            dimension=submission.dimension,
            tiers=submission.tiers,
            key=f"{visitor.id}/{submission.key}",
            seconds=bounded_seconds(opened_at, submission.seconds),
        )
        record(session, visitor.id, "ranked", f"assignment:{assignment_id}")
        following = next_assignment(session, visitor.id)
        return Stored(version=ranking.version, next=f"/rank/{following}" if following else "/rank")
