"""Annotations copied as they were when we saw them: first sight, every change, deletion."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from annotation.errors import RefusedError
from annotation.label_studio.answers import FaultError
from annotation.label_studio.checks import Seen, seen
from annotation.label_studio.interface import digest_of
from annotation.tables.label_studio import Project, PushedTask, Sighting

PASSING = frozenset({"created_ago", "created_username", "updated_at", "draft_created_at", "last_action"})


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An annotation of a project there, with the task it is of: None where we sent no such task.

    `begun` is when work on it can have begun, `fault` what is wrong with its task or project.
    """

    project: Project
    task: PushedTask | None
    annotation: Seen
    result: Any
    begun: datetime
    sighting: Sighting
    fault: str | None


Judge = Callable[[Session, Found], int | None]
"""Uses an annotation, and gives the submission it became; raises `FaultError` where it must not be used."""


def newest(session: Session, project: Project, annotations: Collection[int]) -> dict[int, Sighting]:
    """What was seen last of each of these annotations."""
    query = select(Sighting).where(Sighting.project_id == project.id, Sighting.annotation_id.in_(annotations))
    return {sighting.annotation_id: sighting for sighting in session.scalars(query.order_by(Sighting.number))}


def present(session: Session, project: Project) -> dict[int, int | None]:
    """The annotations of a project that were there when last seen, with our task of each."""
    later = aliased(Sighting)
    superseded = (
        select(later.id)
        .where(later.project_id == Sighting.project_id, later.annotation_id == Sighting.annotation_id)
        .where(later.number > Sighting.number)
    )
    query = select(Sighting.annotation_id, Sighting.task_id).where(
        Sighting.project_id == project.id, Sighting.event != "deleted", ~superseded.exists()
    )
    return dict(session.execute(query).all())


def look(
    session: Session,
    project: Project,
    task: PushedTask | None,
    begun: datetime,
    raw: Mapping[str, Any],
    known: Sighting | None,
    fault: str | None,
    judge: Judge,
) -> Sighting | None:
    """Copy an annotation unless it is as it was when `known` was seen, and use it where nothing speaks against that."""
    digest = digest_of({name: value for name, value in raw.items() if name not in PASSING})
    sighting = Sighting(
        project_id=project.id,
        task_id=task.id if task else None,
        annotation_id=int(raw["id"]),
        number=known.number + 1 if known else 1,
        event="changed" if known else "first",
        outcome="used",
        raw=json.dumps(raw, sort_keys=True),
        digest=digest,
    )
    if known is not None and known.digest == digest:
        return None
    try:
        annotation = seen(raw)
        if known is not None and known.altered_at is not None and annotation.updated_at < known.altered_at:
            return None
        sighting.made_at, sighting.altered_at = annotation.created_at, annotation.updated_at
        found = Found(
            project=project,
            task=task,
            annotation=annotation,
            result=raw.get("result"),
            begun=max(begun, _before(session, project, annotation) or begun),
            sighting=sighting,
            fault=fault,
        )
        with session.begin_nested():
            sighting.submission_id = judge(session, found)
    except (FaultError, RefusedError) as error:
        sighting.outcome = "quarantined"
        sighting.reason = error.reason if isinstance(error, FaultError) or error.reason == "closed" else "refused"
    session.add(sighting)
    session.flush()
    return sighting


def note_deletions(session: Session, project: Project, annotations: Iterable[int]) -> int:
    """Note that these are gone there; what was used stays used."""
    there = present(session, project)
    missing = [number for number in annotations if number in there]
    last = newest(session, project, missing)
    session.add_all(
        Sighting(
            project_id=project.id,
            task_id=there[number],
            annotation_id=number,
            number=last[number].number + 1,
            event="deleted",
            outcome="noted",
        )
        for number in missing
    )
    session.flush()
    return len(missing)


def used_otherwise(session: Session, task: PushedTask, annotation: Seen) -> bool:
    """Whether another annotation of this task is used already."""
    query = select(Sighting.id).where(
        Sighting.task_id == task.id, Sighting.annotation_id != annotation.id, Sighting.outcome == "used"
    )
    return session.scalar(query.limit(1)) is not None


def _before(session: Session, project: Project, annotation: Seen) -> datetime | None:
    """When the annotation before this one was made, by that server's clock."""
    earlier = (Sighting.project_id == project.id, Sighting.made_at < annotation.created_at)
    return session.scalar(select(func.max(Sighting.made_at)).where(*earlier, Sighting.annotation_id != annotation.id))


def last_number(session: Session, sighting: Sighting) -> int:
    """The number of the newest sighting of the same annotation."""
    same = (Sighting.project_id == sighting.project_id, Sighting.annotation_id == sighting.annotation_id)
    return session.scalar(select(func.max(Sighting.number)).where(*same)) or 0
