"""The projects there as we know them, and how much of each has come back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotation.tables.label_studio import Project, PushedTask, Server, Sighting
from annotation.tables.models import Campaign, User


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A project: `tasks` sent, of which `used` have come back and are used."""

    url: str
    title: str
    tasks: int
    used: int
    pulled_at: datetime | None


def projects_of(session: Session) -> Sequence[Known]:
    """All projects that are there, the oldest first."""
    tasks = select(func.count(PushedTask.id)).where(PushedTask.project_id == Project.id).scalar_subquery()
    used = (
        select(func.count(Sighting.task_id.distinct()))
        .where(Sighting.project_id == Project.id, Sighting.outcome == "used")
        .scalar_subquery()
    )
    query = (
        select(Project, Server.url, Campaign.name, User.name, tasks, used)
        .join(Server, Server.id == Project.server_id)
        .outerjoin(Campaign, Campaign.id == Project.campaign_id)
        .outerjoin(User, User.id == Project.expert_id)
        .where(Project.remote_id.is_not(None))
        .order_by(Project.id)
    )
    return [
        Known(
            url=f"{url}/projects/{project.remote_id}/data",
            title=project.name or f"{campaign} · {expert}",
            tasks=sent,
            used=back,
            pulled_at=project.pulled_at,
        )
        for project, url, campaign, expert, sent, back in session.execute(query)
    ]
