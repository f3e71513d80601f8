"""The senior expert's pages: the prompts that the rankings do not settle, and one of them to decide."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation.adjudication import LONGEST_REASON, adjudicate, take_back
from annotation.agreement.agreement import settled_tasks
from annotation.agreement.disputes import REASONS, Dispute, disputes
from annotation.agreement.live import CAMPAIGNS
from annotation.campaigns.campaigns import find_campaign
from annotation.cases import open_case, waiting_cases
from annotation.ranking import decode_tiers
from annotation.tables.models import Campaign, Task
from annotation.web.ranking import Order
from annotation.web.view import page
from annotation.web.visitor import Person, database_of, live_of

router = APIRouter()
TaskId = Annotated[int, Path(ge=1, le=2**63 - 1)]
LISTED = 50


class Sent(BaseModel):
    """A decision as the page sends it: labels, best first; `seen` is the newest version that it showed, `key` makes
    sending it twice harmless. `withdrawn` takes that version back."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["decided", "withdrawn"] = "decided"
    order: Order = []
    none_acceptable: bool = False
    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]
    key: Annotated[str, Field(min_length=8, max_length=64)]
    seen: Annotated[int, Field(ge=0, le=2**31)]


class Stored(BaseModel):
    """Acknowledges a decision that is in the database; `next` is where to go on."""

    version: int
    next: str


@router.get("/adjudicate", response_class=HTMLResponse)
def cases(request: Request, visitor: Person, campaign: Annotated[str | None, Query(max_length=100)] = None) -> Response:
    """What waits for a senior expert in a campaign; where none is named, in the newest in which anything does."""
    with database_of(request).read() as session:
        campaigns = session.scalars(select(Campaign).order_by(Campaign.id.desc())).all()
        looked_at = [find_campaign(session, campaign)] if campaign else campaigns[:CAMPAIGNS]
        chosen: Campaign | None = None
        waiting: list[Dispute] = []
        not_hers = 0
        for chosen in looked_at:
            waiting, not_hers = _waiting(request, session, chosen, visitor.id)
            if waiting:
                break
        settled = len(settled_tasks(session, chosen)) if chosen else 0
    return page(
        request,
        "cases.html",
        visitor=visitor,
        names=[row.name for row in campaigns],
        chosen=chosen.name if chosen else None,
        cases=waiting[:LISTED],
        waiting=len(waiting),
        by_reason={reason: sum(reason in one.reasons for one in waiting) for reason in REASONS},
        not_hers=not_hers,
        settled=settled,
    )


@router.get("/adjudicate/{task_id}", response_class=HTMLResponse)
def case(request: Request, visitor: Person, task_id: TaskId) -> Response:
    """One prompt to decide, its rankings without names; for who was asked to rank it, it does not exist."""
    with database_of(request).read() as session:
        opened = open_case(session, task_id, visitor.id)
    return page(request, "case.html", visitor=visitor, case=opened, longest=LONGEST_REASON)


@router.post("/adjudicate/{task_id}")
def decide(request: Request, visitor: Person, task_id: TaskId, sent: Sent) -> Stored:
    """Store a decision, or the withdrawal of the one that stands."""
    with database_of(request).write() as session:
        shown = open_case(session, task_id, visitor.id).shown
        who = {"task_id": task_id, "senior_id": visitor.id}
        if sent.verdict == "withdrawn":
            decision = take_back(session, **who, reason=sent.reason, key=f"{visitor.id}/{sent.key}", seen=sent.seen)
        else:
            decision = adjudicate(
                session,
                **who,
                tiers=decode_tiers(sent.order, shown),
                reason=sent.reason,
                none_acceptable=sent.none_acceptable,
                key=f"{visitor.id}/{sent.key}",
                seen=sent.seen,
            )
        version = decision.version
    with database_of(request).read() as session:
        return Stored(version=version, next=_next(request, session, task_id, visitor.id))


def _waiting(request: Request, session: Session, campaign: Campaign, senior_id: int) -> tuple[list[Dispute], int]:
    live = live_of(request)
    ballots, lowest_w = live.ballots(session, campaign.id), campaign.adjudicate_below
    found = live.figure(
        lambda: disputes(ballots, lowest_w=lowest_w), "disputes", campaign.id, ballots.version, lowest_w
    )
    return waiting_cases(found, ballots, settled_tasks(session, campaign), senior_id)


def _next(request: Request, session: Session, task_id: int, senior_id: int) -> str:
    """The gravest that still waits in the same campaign, the list where none does."""
    campaign = session.get_one(Campaign, session.get_one(Task, task_id).campaign_id)
    waiting, _ = _waiting(request, session, campaign, senior_id)
    following = next((one.task_id for one in waiting if one.task_id != task_id), None)
    return f"/adjudicate/{following}" if following else "/adjudicate"
