"""The one door through which every decision of an expert enters, whoever or whatever made it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.sql.base import ExecutableOption

from annotation.campaigns.settling import ask_on, take_turn
from annotation.errors import ConflictError, InvalidError, NotFoundError
from annotation.tables.base import now
from annotation.tables.decisions import DANGERS, REASONS, VERDICTS, Flag, Queue, Ranking, Submission
from annotation.tables.models import Assignment
from corpus.records import Dimension, Tiers

Verdict = Literal["ranked", "cannot_judge", "withdrawn"]

LONGEST_KEY = 84
LONGEST_SECONDS = 86_400.0
LONGEST_NOTE, LONGEST_REWRITE = 500, 8_000

# Every decision runs these: built once, their parameters come later.
OWN = (
    select(Assignment)
    .where(Assignment.id == bindparam("assignment"), Assignment.expert_id == bindparam("expert"))
    .options(joinedload(Assignment.campaign))
)
OWN_LOCKED = OWN.with_for_update(of=Assignment)
EARLIER = (
    select(Submission)
    .where(or_(Submission.assignment_id == bindparam("assignment"), Submission.key == bindparam("key")))
    .options(selectinload(Submission.flags))
)
LAST_FINISHED = select(func.max(Assignment.completed_at)).where(
    Assignment.expert_id == bindparam("expert"), Assignment.id != bindparam("assignment")
)
COUNTED = (
    update(Queue)
    .where(Queue.expert_id == bindparam("expert"), Queue.campaign_id == bindparam("campaign"))
    .values(done=Queue.done + bindparam("more"))
    .execution_options(synchronize_session=False)
)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What an expert says of a task, by the labels she was shown.

    `ranked` comes with an order in every dimension of the campaign: tiers, best first, ties in one tier. Its `worst`
    is an answer of the last overall tier, `rewrite` her better one; `flags` are (label, danger). `cannot_judge` comes
    with a `reason`; `withdrawn` takes the newest version back and returns the task to her queue.
    """

    verdict: Verdict = "ranked"
    orders: Mapping[Dimension, Sequence[Sequence[str]]] = {}
    reason: str | None = None
    note: str | None = None
    none_acceptable: bool = False
    worst: str | None = None
    rewrite: str | None = None
    flags: Sequence[tuple[str, str]] = ()


def submit(
    session: Session,
    *,
    assignment_id: int,
    expert_id: int,
    decision: Decision,
    key: str,
    seconds: float,
    watched: bool = False,
    origin: str | None = None,
) -> Submission:
    """Store a decision as the next version of this assignment.

    The same `key` with the same content returns what is stored; with other content it is a conflict. `seconds` is
    time on task, which is bounded by what our own clock saw pass where the expert was `watched`. `origin` is where a
    decision was made that was not made here. In an adaptive campaign the task may go to one more expert.
    """
    _check_key_and_time(key, seconds)
    with session.no_autoflush:
        assignment = own_assignment(session, assignment_id, expert_id, lock=True)
        adaptive = assignment.campaign.min_overlap is not None
        if adaptive:
            take_turn(session, assignment.campaign)
        decided = _decode(decision, dict(assignment.shown), assignment.campaign.dimensions)
        earlier = session.scalars(EARLIER, {"assignment": assignment_id, "key": key}).all()
        stored = next((one for one in earlier if one.key == key), None)
        if stored is not None:
            return _same(session, stored, assignment_id, decided)
        if assignment.campaign.closed_at is not None:
            raise ConflictError("closed", "this campaign is closed")
        elapsed = elapsed_since(session, assignment) if watched else None
        submission = _submission(assignment, decided, earlier)
        submission.key = key
        submission.seconds = round(min(seconds, LONGEST_SECONDS if elapsed is None else elapsed), 3)
        submission.elapsed = None if elapsed is None else round(elapsed, 3)
        submission.origin = origin
        session.add(submission)
        session.add_all(_rankings(submission, decided.orders))
        _note_progress(session, assignment, done=decided.verdict != "withdrawn")
    session.flush()
    if adaptive:
        ask_on(session, assignment.task_id, assignment.campaign)
    return submission


def own_assignment(
    session: Session, assignment_id: int, expert_id: int, *loaded: ExecutableOption, lock: bool = False
) -> Assignment:
    """An assignment with its campaign and what is `loaded` beside it, for its own expert alone: to anyone else it does
    not exist."""
    query = (OWN_LOCKED if lock else OWN).options(*loaded)
    assignment = session.scalar(query, {"assignment": assignment_id, "expert": expert_id})
    if assignment is None:
        raise NotFoundError("no_assignment", "there is no such task for this expert")
    return assignment


def elapsed_since(session: Session, assignment: Assignment) -> float | None:
    """Seconds since the expert opened this task or finished another one, whichever came later: what her time on task
    cannot exceed. None where neither was seen."""
    finished = session.scalar(LAST_FINISHED, {"expert": assignment.expert_id, "assignment": assignment.id})
    seen = [moment for moment in (assignment.opened_at, finished) if moment]
    return max(0.0, (now() - max(seen)).total_seconds()) if seen else None


def decode_tiers(tiers: Sequence[Sequence[str]], shown: Mapping[str, str]) -> Tiers:
    """Labels to output ids, each tier sorted; every label shown must occur exactly once and no tier be empty."""
    named = [label for tier in tiers for label in tier]
    if sorted(named) != sorted(shown) or not all(tiers):
        raise InvalidError("not_a_ranking", "a ranking names every answer shown exactly once")
    return [sorted(shown[label] for label in tier) for tier in tiers]


def _decode(decision: Decision, shown: Mapping[str, str], dimensions: Sequence[str]) -> Decision:
    """The decision by output ids, its texts trimmed; an error where its parts do not belong together."""
    if decision.verdict not in VERDICTS:
        raise InvalidError("verdict", f"a verdict is one of: {', '.join(VERDICTS)}")
    ranked = decision.verdict == "ranked"
    if set(decision.orders) != (set(dimensions) if ranked else set()):
        raise InvalidError("dimension", f"this campaign asks for an order in: {', '.join(dimensions)}")
    if (decision.reason is not None) != (decision.verdict == "cannot_judge"):
        raise InvalidError("reason", "who cannot judge says why, and nobody else")
    if decision.reason is not None and decision.reason not in REASONS:
        raise InvalidError("reason", f"a reason is one of: {', '.join(REASONS)}")
    if not ranked and (decision.none_acceptable or decision.worst or decision.rewrite or decision.flags):
        raise InvalidError("not_ranked", "marks on answers come with a ranking")
    orders = {dimension: decode_tiers(decision.orders[dimension], shown) for dimension in sorted(decision.orders)}
    return msgspec.structs.replace(
        decision,
        orders=orders,
        note=_text(decision.note, LONGEST_NOTE),
        worst=_worst(decision.worst, shown, orders),
        rewrite=_rewrite(decision),
        flags=_flags(decision.flags, shown),
    )


def _worst(label: str | None, shown: Mapping[str, str], orders: Mapping[Dimension, Tiers]) -> str | None:
    if label is None:
        return None
    if shown.get(label) not in orders["overall"][-1]:
        raise InvalidError("worst", "only an answer of the last tier is marked for rewriting")
    return shown[label]


def _rewrite(decision: Decision) -> str | None:
    rewrite = _text(decision.rewrite, LONGEST_REWRITE)
    if rewrite and decision.worst is None:
        raise InvalidError("rewrite", "a rewritten answer stands for the one marked as worst")
    return rewrite


def _flags(flags: Sequence[tuple[str, str]], shown: Mapping[str, str]) -> list[tuple[str, str]]:
    if any(label not in shown or kind not in DANGERS for label, kind in flags):
        raise InvalidError("flags", f"a flag names an answer shown and one of: {', '.join(DANGERS)}")
    return sorted({(shown[label], kind) for label, kind in flags})


def _text(text: str | None, longest: int) -> str | None:
    """Trimmed, None where nothing is left."""
    trimmed = (text or "").strip()
    if len(trimmed) > longest or any(sign == "\x00" or "\ud800" <= sign <= "\udfff" for sign in trimmed):
        raise InvalidError("text", f"a text has at most {longest} characters, no NUL and no lone surrogate")
    return trimmed or None


def _check_key_and_time(key: str, seconds: float) -> None:
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise InvalidError("key", f"a key has 1 to {LONGEST_KEY} printable characters")
    if not math.isfinite(seconds) or seconds < 0:
        raise InvalidError("seconds", "the time on task is a number of seconds")


def _same(session: Session, stored: Submission, assignment_id: int, decided: Decision) -> Submission:
    rankings = select(Ranking).where(Ranking.assignment_id == stored.assignment_id, Ranking.version == stored.version)
    before = Decision(
        verdict=stored.verdict,  # type: ignore[arg-type]
        orders={ranking.dimension: ranking.tiers for ranking in session.scalars(rankings)},
        reason=stored.reason,
        note=stored.note,
        none_acceptable=stored.none_acceptable,
        worst=stored.worst,
        rewrite=stored.rewrite,
        flags=[(flag.output_id, flag.kind) for flag in stored.flags],
    )
    if stored.assignment_id != assignment_id or before != decided:
        raise ConflictError("key_used", "this key was used for another decision")
    return stored


def _submission(assignment: Assignment, decided: Decision, earlier: Sequence[Submission]) -> Submission:
    newest = max(earlier, key=lambda one: one.version, default=None)
    if decided.verdict == "withdrawn" and (newest is None or newest.verdict == "withdrawn"):
        raise ConflictError("nothing_to_withdraw", "there is nothing to take back")
    return Submission(
        assignment_id=assignment.id,
        version=newest.version + 1 if newest else 1,
        verdict=decided.verdict,
        reason=decided.reason,
        note=decided.note,
        none_acceptable=decided.none_acceptable,
        worst=decided.worst,
        rewrite=decided.rewrite,
        guideline_version=assignment.campaign.guideline_version,
        flags=[Flag(output_id=output_id, kind=kind) for output_id, kind in decided.flags],
    )


def _rankings(submission: Submission, orders: Mapping[Dimension, Sequence[Sequence[str]]]) -> list[Ranking]:
    return [
        Ranking(
            assignment_id=submission.assignment_id,
            dimension=dimension,
            version=submission.version,
            tiers=[list(tier) for tier in tiers],
            key=f"{submission.key}/{dimension}",
            seconds=submission.seconds,
            guideline_version=submission.guideline_version,
        )
        for dimension, tiers in orders.items()
    ]


def _note_progress(session: Session, assignment: Assignment, *, done: bool) -> None:
    """Move the task out of the expert's queue, or back into it, and count it."""
    if done == (assignment.completed_at is not None):
        return
    assignment.completed_at = now() if done else None
    own = {"expert": assignment.expert_id, "campaign": assignment.campaign_id}
    session.execute(COUNTED, own | {"more": 1 if done else -1})
