"""The one door through which every ranking enters, whoever or whatever made it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from annotation.errors import ConflictError, InvalidError, NotFoundError
from annotation.models import Assignment, Ranking, now
from corpus.records import Dimension, Tiers

LONGEST_KEY = 100
LONGEST_SECONDS = 86_400.0


def submit_ranking(
    session: Session,
    *,
    assignment_id: int,
    expert_id: int,
    dimension: Dimension,
    tiers: Sequence[Sequence[str]],
    key: str,
    seconds: float,
) -> Ranking:
    """Store a ranking; `tiers` holds the labels this expert was shown, best first, ties in one tier.

    The same `key` with the same content returns what is stored; with other content it is a conflict. A second
    ranking of the same assignment and dimension is a new version. `seconds` is time on task.
    """
    assignment = own_assignment(session, assignment_id, expert_id, lock=True)
    if dimension not in assignment.campaign.dimensions:
        raise InvalidError("dimension", "this campaign does not ask for that dimension")
    decided = decode_tiers(tiers, dict(assignment.shown))
    _check_key_and_time(key, seconds)
    stored = session.scalar(select(Ranking).where(Ranking.key == key))
    if stored is not None:
        return _same(stored, assignment_id, dimension, decided)
    ranking = Ranking(
        assignment_id=assignment_id,
        dimension=dimension,
        version=_versions(session, assignment_id, dimension) + 1,
        tiers=decided,
        key=key,
        seconds=round(min(seconds, LONGEST_SECONDS), 3),
        guideline_version=assignment.campaign.guideline_version,
    )
    session.add(ranking)
    session.flush()
    _complete(session, assignment)
    return ranking


def own_assignment(session: Session, assignment_id: int, expert_id: int, *, lock: bool = False) -> Assignment:
    """An assignment with its campaign, for its own expert alone: to anyone else it does not exist."""
    query = (
        select(Assignment)
        .where(Assignment.id == assignment_id, Assignment.expert_id == expert_id)
        .options(joinedload(Assignment.campaign))
    )
    assignment = session.scalar(query.with_for_update(of=Assignment) if lock else query)
    if assignment is None:
        raise NotFoundError("no_assignment", "there is no such task for this expert")
    return assignment


def decode_tiers(tiers: Sequence[Sequence[str]], shown: Mapping[str, str]) -> Tiers:
    """Labels to output ids, each tier sorted; every label shown must occur exactly once and no tier be empty."""
    named = [label for tier in tiers for label in tier]
    if sorted(named) != sorted(shown) or not all(tiers):
        raise InvalidError("not_a_ranking", "a ranking names every answer shown exactly once")
    return [sorted(shown[label] for label in tier) for tier in tiers]


def _check_key_and_time(key: str, seconds: float) -> None:
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise InvalidError("key", f"a key has 1 to {LONGEST_KEY} printable characters")
    if not math.isfinite(seconds) or seconds < 0:
        raise InvalidError("seconds", "the time on task is a number of seconds")


def _same(stored: Ranking, assignment_id: int, dimension: str, tiers: Tiers) -> Ranking:
    if (stored.assignment_id, stored.dimension, stored.tiers) != (assignment_id, dimension, tiers):
        raise ConflictError("key_used", "this key was used for another ranking")
    return stored


def _versions(session: Session, assignment_id: int, dimension: str) -> int:
    own = (Ranking.assignment_id == assignment_id) & (Ranking.dimension == dimension)
    return session.scalar(select(func.coalesce(func.max(Ranking.version), 0)).where(own)) or 0


def _complete(session: Session, assignment: Assignment) -> None:
    if assignment.completed_at is not None:
        return
    ranked = select(Ranking.dimension).where(Ranking.assignment_id == assignment.id).distinct()
    if set(session.scalars(ranked)) >= set(assignment.campaign.dimensions):
        assignment.completed_at = now()
        session.flush()
