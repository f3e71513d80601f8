"""What was seen in Label Studio and not used, for the lead: who, why, when; never what it says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from annotation.label_studio.tables import Project, PushedTask, Sighting
from annotation.models import Assignment, Campaign, User

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
    later = aliased(Sighting)
    superseded = select(later.id).where(
        later.project_id == Sighting.project_id,
        later.annotation_id == Sighting.annotation_id,
        later.number > Sighting.number,
        later.outcome == "used",
    )
    query = (
        select(Sighting, User.name, Campaign.name, Project.name, Assignment.position)
        .join(Project, Project.id == Sighting.project_id)
        .outerjoin(PushedTask, PushedTask.id == Sighting.task_id)
        .outerjoin(Assignment, Assignment.id == PushedTask.assignment_id)
        .outerjoin(Campaign, Campaign.id == Project.campaign_id)
        .outerjoin(User, User.id == Project.expert_id)
        .where(Sighting.outcome == "quarantined", ~superseded.exists())
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
