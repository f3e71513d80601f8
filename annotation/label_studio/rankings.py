"""An expert's annotation as a ranking: checked, and handed to the same door as those of our own page."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from annotation.label_studio.answers import FaultError, decision_of
from annotation.label_studio.checks import check_people, seconds_on_task
from annotation.label_studio.sightings import Found, used_otherwise
from annotation.ranking import Decision, submit
from annotation.tables.base import now
from annotation.tables.decisions import Submission
from annotation.tables.label_studio import Account, Sighting
from annotation.tables.models import Assignment

PREFIX = "label-studio/"


def use_ranking(session: Session, found: Found) -> int:
    """Submit what the expert decided; see `annotation.label_studio.sightings.Judge`."""
    if found.task is None or found.task.assignment_id is None:
        raise FaultError("unknown_task")
    assignment = session.get_one(Assignment, found.task.assignment_id, options=[joinedload(Assignment.campaign)])
    check_people(found.annotation, _account(session, found))
    if found.fault is not None:
        raise FaultError(found.fault)
    decision = decision_of(found.result, assignment.campaign.dimensions, [label for label, _ in assignment.shown])
    seconds = seconds_on_task(found.annotation, found.begun, now())
    if used_otherwise(session, found.task, found.annotation):
        raise FaultError("second_annotation")
    if _ranked_here(session, assignment):
        raise FaultError("ranked_here")
    return store(session, found.sighting, assignment, decision, seconds).id


def store(
    session: Session, sighting: Sighting, assignment: Assignment, decision: Decision, seconds: float
) -> Submission:
    """Hand a decision to the door of all rankings, under a key that is this sighting's own."""
    return submit(
        session,
        assignment_id=assignment.id,
        expert_id=assignment.expert_id,
        decision=decision,
        key=f"{PREFIX}{sighting.project_id}/{sighting.annotation_id}/{sighting.number}",
        seconds=seconds,
    )


def _account(session: Session, found: Found) -> int | None:
    project = found.project
    own = (Account.server_id == project.server_id, Account.expert_id == project.expert_id)
    return session.scalar(select(Account.remote_id).where(*own))


def _ranked_here(session: Session, assignment: Assignment) -> bool:
    query = select(Submission.key).where(Submission.assignment_id == assignment.id).order_by(Submission.version.desc())
    newest = session.scalar(query.limit(1))
    return newest is not None and not newest.startswith(PREFIX)
