"""An expert's own tasks: what waits, what is next, what she sees of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from annotation.models import Assignment, Campaign, Ranking, Task, now
from annotation.ranking import own_assignment
from corpus.records import Dimension, Prompt


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far an expert is in a campaign. `next_id` is her next assignment there."""

    campaign: str
    done: int
    total: int
    next_id: int | None


class Card(msgspec.Struct, frozen=True):
    """An answer as an expert sees it: an opaque label and the text."""

    label: str
    text: str


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """All an expert sees of a task. `earlier` holds her newest ranking by dimension: version, and card numbers
    from 1 in tiers."""

    assignment_id: int
    number: int
    total: int
    dimensions: list[Dimension]
    prompt: Prompt
    cards: list[Card]
    earlier: dict[str, tuple[int, list[list[int]]]]


def progress_of(session: Session, expert_id: int) -> list[Progress]:
    """An expert's campaigns, the oldest first."""
    query = (
        select(Campaign.id, Campaign.name, func.count(), func.count(Assignment.completed_at))
        .join(Assignment, Assignment.campaign_id == Campaign.id)
        .where(Assignment.expert_id == expert_id)
        .group_by(Campaign.id, Campaign.name)
        .order_by(Campaign.id)
    )
    return [
        Progress(campaign=name, done=done, total=total, next_id=_next_in(session, expert_id, campaign_id))
        for campaign_id, name, total, done in session.execute(query)
    ]


def next_assignment(session: Session, expert_id: int) -> int | None:
    """The first assignment that waits for an expert, None where all is done."""
    return next((row.next_id for row in progress_of(session, expert_id) if row.next_id), None)


def recent(session: Session, expert_id: int, count: int = 8) -> Sequence[Assignment]:
    """What an expert finished last."""
    query = select(Assignment).where(Assignment.expert_id == expert_id, Assignment.completed_at.is_not(None))
    return session.scalars(query.order_by(Assignment.completed_at.desc()).limit(count)).all()


def open_sheet(session: Session, assignment_id: int, expert_id: int) -> Sheet:
    """What the page shows; the first opening is noted, so that time on task has a bound of our own."""
    assignment = own_assignment(session, assignment_id, expert_id)
    if assignment.opened_at is None:
        assignment.opened_at = now()
    query = (
        select(Assignment)
        .where(Assignment.id == assignment_id)
        .options(joinedload(Assignment.task).selectinload(Task.responses), selectinload(Assignment.rankings))
    )
    assignment = session.scalars(query).one()
    texts = {answer.output_id: answer.text for answer in assignment.task.responses}
    total = select(func.count()).where(
        Assignment.expert_id == expert_id, Assignment.campaign_id == assignment.campaign_id
    )
    return Sheet(
        assignment_id=assignment.id,
        number=_number(session, assignment),
        total=session.scalar(total) or 0,
        dimensions=assignment.campaign.dimensions,
        prompt=msgspec.convert(assignment.task.prompt, Prompt),
        cards=[Card(label, texts[output_id]) for label, output_id in assignment.shown],
        earlier=_earlier(assignment),
    )


def bounded_seconds(opened_at: datetime | None, seconds: float) -> float:
    """Time on task as the page measured it, never more than has passed since the page was first opened."""
    passed = (now() - opened_at).total_seconds() if opened_at else 0.0
    return min(seconds, passed)


def _next_in(session: Session, expert_id: int, campaign_id: int) -> int | None:
    waiting = (
        Assignment.expert_id == expert_id,
        Assignment.completed_at.is_(None),
        Assignment.campaign_id == campaign_id,
    )
    return session.scalar(select(Assignment.id).where(*waiting).order_by(Assignment.position).limit(1))


def _number(session: Session, assignment: Assignment) -> int:
    before = select(func.count()).where(
        Assignment.expert_id == assignment.expert_id,
        Assignment.campaign_id == assignment.campaign_id,
        Assignment.position <= assignment.position,
    )
    return session.scalar(before) or 0


def _earlier(assignment: Assignment) -> dict[str, tuple[int, list[list[int]]]]:
    number = {output_id: place for place, (_, output_id) in enumerate(assignment.shown, start=1)}
    newest: dict[str, Ranking] = {ranking.dimension: ranking for ranking in assignment.rankings}
    return {
        dimension: (ranking.version, [sorted(number[output_id] for output_id in tier) for tier in ranking.tiers])
        for dimension, ranking in newest.items()
    }
