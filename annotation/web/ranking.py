"""The expert's pages: her queue and one task; what she decides comes back as JSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from annotation.campaigns.campaigns import DAILY_GOAL
from annotation.identity.people import record
from annotation.queue import done_today, next_assignment, open_sheet, progress_of, recent
from annotation.ranking import LONGEST_REWRITE, LONGEST_SECONDS, Decision, Verdict, submit
from annotation.tables.decisions import DANGERS, REASONS
from annotation.web.view import page
from annotation.web.visitor import Person, database_of
from corpus.records import Dimension

router = APIRouter()
AssignmentId = Annotated[int, Path(ge=1, le=2**63 - 1)]
OtherId = Annotated[int, Query(ge=1, le=2**63 - 1)]
Label = Annotated[str, Field(max_length=40)]


Text = Annotated[str, Field(max_length=LONGEST_REWRITE)]
Order = Annotated[list[Annotated[list[Label], Field(max_length=9)]], Field(max_length=9)]


class Mark(BaseModel):
    """A danger seen in an answer."""

    model_config = ConfigDict(extra="forbid")

    label: Label
    kind: Annotated[str, Field(max_length=20)]


class Sent(BaseModel):
    """A decision as the page sends it: `orders` by dimension hold labels, best first; `key` makes sending it twice
    harmless. See `annotation.ranking.Decision`."""

    model_config = ConfigDict(extra="forbid")

    verdict: Verdict = "ranked"
    orders: dict[Dimension, Order] = {}
    reason: Annotated[str | None, Field(max_length=20)] = None
    note: Text | None = None
    none_acceptable: bool = False
    worst: Label | None = None
    rewrite: Text | None = None
    flags: Annotated[list[Mark], Field(max_length=36)] = []
    key: Annotated[str, Field(min_length=8, max_length=64)]
    seconds: Annotated[float, Field(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)]

    def decision(self) -> Decision:
        """What the expert decided."""
        return Decision(
            verdict=self.verdict,
            orders=self.orders,
            reason=self.reason,
            note=self.note,
            none_acceptable=self.none_acceptable,
            worst=self.worst,
            rewrite=self.rewrite,
            flags=[(flag.label, flag.kind) for flag in self.flags],
        )


class Stored(BaseModel):
    """Acknowledges a decision that is in the database; `next` is where to go on, `today` what was finished today."""

    version: int
    next: str
    today: int


@router.get("/rank", response_class=HTMLResponse)
def queue(request: Request, visitor: Person) -> Response:
    """The expert's own tasks."""
    with database_of(request).read() as session:
        campaigns, done = progress_of(session, visitor.id), recent(session, visitor.id)
        return page(
            request,
            "queue.html",
            visitor=visitor,
            campaigns=campaigns,
            recent=done,
            left=sum(row.total - row.done for row in campaigns if not row.closed),
            next_id=next((row.next_id for row in campaigns if row.next_id), None),
            today=done_today(session, visitor.id),
            goal=max((row.daily_goal for row in campaigns if row.next_id), default=DAILY_GOAL),
        )


@router.get("/rank/{assignment_id}", response_class=HTMLResponse)
def sheet(request: Request, visitor: Person, assignment_id: AssignmentId, ahead_of: OtherId | None = None) -> Response:
    """One task, blind; to anyone but its expert it does not exist. `ahead_of` is the task from whose page this one
    is fetched in advance."""
    with database_of(request).write() as session:
        opened = open_sheet(session, assignment_id, visitor.id, ahead_of=ahead_of)
        today = done_today(session, visitor.id)
    return page(request, "rank.html", visitor=visitor, sheet=opened, today=today, reasons=REASONS, dangers=DANGERS)


@router.post("/rank/{assignment_id}")
def submit_decision(request: Request, visitor: Person, assignment_id: AssignmentId, sent: Sent) -> Stored:
    """Store a decision. The answer is sent when it is safely in the database."""
    with database_of(request).write() as session:
        record(session, visitor.id, sent.verdict, f"assignment:{assignment_id}")
        submission = submit(
            session,
            assignment_id=assignment_id,
            expert_id=visitor.id,
            decision=sent.decision(),
            key=f"{visitor.id}/{sent.key}",
            seconds=sent.seconds,
            watched=True,
        )
        following = next_assignment(session, visitor.id)
        return Stored(
            version=submission.version,
            next=f"/rank/{following}" if following else "/rank",
            today=done_today(session, visitor.id),
        )
