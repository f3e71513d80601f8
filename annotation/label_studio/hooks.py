"""Webhooks: a hint that something happened in a project, and proof that it comes from where we asked for it."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from annotation.errors import ForbiddenError
from annotation.identity.auth import digest, same_secret
from annotation.tables.base import now
from annotation.tables.label_studio import Project, Server


def check_secret(session: Session, project_id: int, secret: str) -> None:
    """Raise unless this is the secret of the project's server; how long it takes tells nothing."""
    query = select(Server.hook_hash).join(Project, Project.server_id == Server.id).where(Project.id == project_id)
    expected = session.scalar(query) or ""
    if not same_secret(digest(secret), expected):
        raise ForbiddenError("secret", "this webhook is not one of ours")


def hint(session: Session, project_id: int) -> None:
    """The next look of `label-studio pull --watch` goes to this project. Five hints are one."""
    session.execute(update(Project).where(Project.id == project_id).values(hinted_at=now()))
