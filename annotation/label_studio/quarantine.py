"""What was seen in Label Studio and not used, for the lead: who, why, when; never what it says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased, joinedload

from annotation.errors import InvalidError, NotFoundError
from annotation.identity.people import record
from annotation.label_studio.answers import FaultError, decision_of
from annotation.label_studio.checks import REASONS
from annotation.label_studio.rankings import store
from annotation.label_studio.sightings import last_number
from annotation.tables.label_studio import Project, PushedTask, Sighting
from annotation.tables.models import Assignment, Campaign, User

SHOWN = 200


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An annotation that is not used. `place` is the task's number in its expert's queue."""

    number: int
    expert: str | None
    campaign: str | None
    name: str | None
    place: int | None
    annotation: int
    reason: str
    seen_at: datetime


def quarantined(session: Session, count: int = SHOWN) -> Sequence[Held]:
    """What is in quarantine, the newest first: a later sighting of the same annotation takes its place."""
    superseded = _later_used()
    query = (
        select(Sighting, User.name, Campaign.name, Project.name, Assignment.position)
        .join(Project, Project.id == Sighting.project_id)
        .outerjoin(PushedTask, PushedTask.id == Sighting.task_id)
        .outerjoin(Assignment, Assignment.id == PushedTask.assignment_id)
        .outerjoin(Campaign, Campaign.id == Project.campaign_id)
        .outerjoin(User, User.id == Project.expert_id)
        .where(Sighting.outcome == "quarantined", ~superseded)
        .order_by(Sighting.id.desc())
        .limit(count)
    )
    return [
        Held(
            number=sighting.id,
            expert=expert,
            campaign=campaign,
            name=name,
            place=None if position is None else position + 1,
            annotation=sighting.annotation_id,
            reason=sighting.reason or "",
            seen_at=sighting.seen_at,
        )
        for sighting, expert, campaign, name, position in session.execute(query)
    ]


def accept(session: Session, number: int, reason: str) -> str:
    """Use what is in quarantine as its expert's ranking, on a person's word; the expert's name.

    Who made it when is set aside then, what it says is not: it must be a decision about what she was shown.
    """
    held = session.scalar(
        select(Sighting).where(Sighting.id == number, Sighting.outcome == "quarantined", ~_later_used())
    )
    task = held and held.task_id and session.get_one(PushedTask, held.task_id)
    if held is None or held.raw is None or not task or task.assignment_id is None:
        raise NotFoundError("not_held", f"there is no {number} in quarantine that could be used")
    if not reason.strip():
        raise InvalidError("reason", "say why it may be used")
    assignment = session.get_one(
        Assignment, task.assignment_id, options=[joinedload(Assignment.campaign), joinedload(Assignment.expert)]
    )
    accepted = Sighting(
        project_id=held.project_id,
        task_id=held.task_id,
        annotation_id=held.annotation_id,
        number=last_number(session, held) + 1,
        event="accepted",
        outcome="used",
        raw=held.raw,
        digest=held.digest,
        made_at=held.made_at,
        altered_at=held.altered_at,
    )
    raw = json.loads(held.raw)
    try:
        decision = decision_of(
            raw.get("result"), assignment.campaign.dimensions, [label for label, _ in assignment.shown]
        )
    except FaultError as error:
        raise InvalidError(error.reason, f"this cannot be used: {REASONS[error.reason][1]}") from error
    accepted.submission_id = store(session, accepted, assignment, decision, 0.0).id
    session.add(accepted)
    record(session, None, "label_studio_accepted", f"label_studio_sighting:{number}", {"reason": reason.strip()})
    return assignment.expert.name


def _later_used() -> ColumnElement[bool]:
    """Whether the annotation of a `Sighting` was used when it was seen again."""
    later = aliased(Sighting)
    again = (later.project_id == Sighting.project_id, later.annotation_id == Sighting.annotation_id)
    return select(later.id).where(*again, later.number > Sighting.number, later.outcome == "used").exists()
