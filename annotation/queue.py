"""An expert's own tasks: what waits, what is next, what she sees of one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, time

import msgspec
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from annotation.campaigns.guideline import Guideline, guideline_of
from annotation.ranking import own_assignment
from annotation.tables.base import now
from annotation.tables.decisions import Queue, Ranking
from annotation.tables.models import Assignment, Campaign, Task
from corpus.records import Dimension, Prompt

# Every page runs these: built once, their parameters come later.
FIRST_WAITING = (
    select(Assignment.id)
    .where(
        Assignment.expert_id == Queue.expert_id,
        Assignment.campaign_id == Queue.campaign_id,
        Assignment.completed_at.is_(None),
        Assignment.id.not_in(bindparam("besides", expanding=True)),
    )
    .order_by(Assignment.position)
    .limit(1)
    .correlate(Queue)
    .scalar_subquery()
)
NEXT = (
    select(FIRST_WAITING)
    .select_from(Queue)
    .join(Campaign, Campaign.id == Queue.campaign_id)
    .where(Queue.expert_id == bindparam("expert"), Queue.done < Queue.total, Campaign.closed_at.is_(None))
    .order_by(Queue.campaign_id)
)
FINISHED_SINCE = select(func.count()).where(
    Assignment.expert_id == bindparam("expert"), Assignment.completed_at >= bindparam("moment")
)


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far an expert is in a campaign. `next_id` is her next assignment there, None where none waits or the
    campaign is closed."""

    campaign: str
    done: int
    total: int
    next_id: int | None
    daily_goal: int
    closed: bool


class Card(msgspec.Struct, frozen=True):
    """An answer as an expert sees it: an opaque label and the text."""

    label: str
    text: str


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """An expert's newest submission: card numbers from 1 in tiers, by dimension."""

    version: int
    verdict: str
    orders: dict[str, list[list[int]]]


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """All an expert sees of a task: `number` of `total`, with `done` finished. `next_id` is what waits after it."""

    assignment_id: int
    number: int
    total: int
    done: int
    next_id: int | None
    dimensions: list[Dimension]
    guideline: Guideline
    daily_goal: int
    break_minutes: int
    closed: bool
    prompt: Prompt
    cards: list[Card]
    earlier: Earlier | None


def progress_of(session: Session, expert_id: int) -> list[Progress]:
    """An expert's campaigns, the oldest first."""
    query = (
        select(Queue, Campaign, FIRST_WAITING)
        .join(Campaign, Campaign.id == Queue.campaign_id)
        .where(Queue.expert_id == expert_id)
        .order_by(Campaign.id)
    )
    return [
        Progress(
            campaign=campaign.name,
            done=queue.done,
            total=queue.total,
            next_id=None if campaign.closed_at else next_id,
            daily_goal=campaign.daily_goal,
            closed=campaign.closed_at is not None,
        )
        for queue, campaign, next_id in session.execute(query, {"besides": []})
    ]


def next_assignment(session: Session, expert_id: int, *, besides: Collection[int] = ()) -> int | None:
    """The first assignment that waits for an expert `besides` some; None where all is done."""
    waiting = session.scalars(NEXT, {"expert": expert_id, "besides": list(besides)})
    return next(filter(None, waiting), None)


def recent(session: Session, expert_id: int, count: int = 8) -> Sequence[Assignment]:
    """What an expert finished last."""
    query = select(Assignment).where(Assignment.expert_id == expert_id, Assignment.completed_at.is_not(None))
    return session.scalars(query.order_by(Assignment.completed_at.desc()).limit(count)).all()


def done_today(session: Session, expert_id: int) -> int:
    """How many tasks an expert has finished since midnight, by the clock of this machine."""
    midnight = datetime.combine(now().astimezone().date(), time()).astimezone()
    return session.scalar(FINISHED_SINCE, {"expert": expert_id, "moment": midnight}) or 0


def open_sheet(session: Session, assignment_id: int, expert_id: int, *, ahead_of: int | None = None) -> Sheet:
    """What the page shows. The first opening is noted, so that time on task has a bound of our own; but not where it
    is only fetched in advance, while the assignment `ahead_of` is still on show."""
    task = joinedload(Assignment.task).selectinload(Task.responses)
    assignment = own_assignment(session, assignment_id, expert_id, task, selectinload(Assignment.submissions))
    if assignment.opened_at is None and ahead_of is None:
        assignment.opened_at = now()
    campaign = assignment.campaign
    own = (Queue.expert_id == expert_id) & (Queue.campaign_id == campaign.id)
    queue = session.scalars(select(Queue).where(own)).one()
    texts = {answer.output_id: answer.text for answer in assignment.task.responses}
    return Sheet(
        assignment_id=assignment.id,
        number=assignment.position + 1,
        total=queue.total,
        done=queue.done,
        next_id=next_assignment(session, expert_id, besides={assignment_id, ahead_of or 0}),
        dimensions=campaign.dimensions,
        guideline=guideline_of(session, campaign.guideline_version),
        daily_goal=campaign.daily_goal,
        break_minutes=campaign.break_minutes,
        closed=campaign.closed_at is not None,
        prompt=msgspec.convert(assignment.task.prompt, Prompt),
        cards=[Card(label, texts[output_id]) for label, output_id in assignment.shown],
        earlier=_earlier(session, assignment),
    )


def _earlier(session: Session, assignment: Assignment) -> Earlier | None:
    if not assignment.submissions:
        return None
    newest = assignment.submissions[-1]
    number = {output_id: place for place, (_, output_id) in enumerate(assignment.shown, start=1)}
    own = (Ranking.assignment_id == assignment.id) & (Ranking.version == newest.version)
    return Earlier(
        version=newest.version,
        verdict=newest.verdict,
        orders={
            ranking.dimension: [sorted(number[output_id] for output_id in tier) for tier in ranking.tiers]
            for ranking in session.scalars(select(Ranking).where(own))
        },
    )
