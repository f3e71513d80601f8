"""What a senior expert sees of a prompt that the others' rankings do not settle: everything but who said what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import combinations

import msgspec
import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from annotation.adjudication import versions_of, was_asked
from annotation.agreement.ballots import Ballots
from annotation.agreement.disputes import REASONS, Dispute, grounds
from annotation.agreement.measures import kendall_w, panel_of
from annotation.campaigns.assignments import shuffled
from annotation.campaigns.guideline import Guideline, guideline_of
from annotation.consensus.ranked_pairs import count_votes
from annotation.errors import NotFoundError
from annotation.judgements import counts, judgements_of
from annotation.queue import Card
from annotation.tables.decisions import Submission
from annotation.tables.models import Assignment, Campaign, Task, User
from corpus.records import Dimension, Judgement, Prompt, Tiers

Numbers = list[list[int]]


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """An order by card numbers, and how many experts gave it."""

    order: Numbers
    experts: int


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """How the experts order two cards: so many prefer `one`, so many `other`, so many neither."""

    one: int
    other: int
    ahead: int
    behind: int
    even: int

    @property
    def kind(self) -> str:
        """`agreed` where nobody disagrees, `tied` where as many do as not, `divided` else."""
        if not min(self.ahead, self.behind):
            return "agreed"
        return "tied" if self.ahead == self.behind else "divided"


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What the experts noted on a card: dangers by kind, and how many would have it rewritten."""

    dangers: dict[str, int]
    rewrite: int


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A decision made before, by card numbers."""

    version: int
    senior: str
    order: Numbers
    reason: str
    none_acceptable: bool
    withdrawn: bool
    guideline_version: str


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt to be decided. `shown` maps the cards' labels to output ids; `opinions` are by dimension."""

    task_id: int
    campaign: str
    prompt: Prompt
    guideline: Guideline
    cards: list[Card]
    shown: dict[str, str]
    reasons: list[str]
    w: float | None
    rankings: int
    simulated: bool
    opinions: dict[Dimension, list[Opinion]]
    splits: list[Split]
    marks: list[Marks]
    none_acceptable: int
    refusals: dict[str, int]
    decided: list[Decided]

    @property
    def stands(self) -> bool:
        """Whether a decision stands."""
        return bool(self.decided) and not self.decided[-1].withdrawn


def waiting_cases(
    found: Sequence[Dispute], ballots: Ballots, settled: Collection[int], senior_id: int
) -> tuple[list[Dispute], int]:
    """Of a campaign's disputes, those not `settled` that a senior may decide, and how many are not hers because she
    was asked to rank them herself."""
    open_disputes = [one for one in found if one.task_id not in settled]
    asked = set(ballots.column("task")[ballots.column("expert") == senior_id].tolist())
    hers = [one for one in open_disputes if one.task_id not in asked]
    return hers, len(open_disputes) - len(hers)


def open_case(session: Session, task_id: int, senior_id: int) -> Case:
    """A disputed or decided prompt; to whom it was given to rank, and where nothing is disputed, it does not exist."""
    task = session.scalar(select(Task).where(Task.id == task_id, counts()).options(selectinload(Task.responses)))
    if task is None or was_asked(session, task_id, senior_id):
        raise NotFoundError("no_case", "there is nothing for you to decide here")
    campaign = session.get_one(Campaign, task.campaign_id)
    shown = _shown(session, campaign, task, senior_id)
    number = {output_id: place for place, output_id in enumerate(shown.values(), start=1)}
    judgements = [one for one in judgements_of(session, task_id) if _names(one.tiers) == number.keys()]
    submissions = _newest_submissions(session, task_id)
    overall = [judgement.tiers for judgement in judgements if judgement.dimension == "overall"]
    flagged = any(submission.flags for submission in submissions)
    reasons, concordance = _why(overall, flagged, campaign.adjudicate_below)
    decided = _decided(session, task_id, number)
    if not overall or not (reasons or decided):
        raise NotFoundError("no_case", "there is nothing for you to decide here")
    texts = {answer.output_id: answer.text for answer in task.responses}
    return Case(
        task_id=task_id,
        campaign=campaign.name,
        prompt=msgspec.convert(task.prompt, Prompt),
        guideline=guideline_of(session, campaign.guideline_version),
        cards=[Card(label, texts[output_id]) for label, output_id in shown.items()],
        shown=shown,
        reasons=reasons,
        w=concordance,
        rankings=len(overall),
        simulated=any(judgement.simulated for judgement in judgements),
        opinions=_opinions(judgements, campaign.dimensions, number),
        splits=_splits(overall, number),
        marks=[_marks(submissions, output_id) for output_id in shown.values()],
        none_acceptable=sum(submission.none_acceptable for submission in submissions),
        refusals=dict(sorted(Counter(one.reason for one in submissions if one.reason).items())),
        decided=decided,
    )


def _shown(session: Session, campaign: Campaign, task: Task, senior_id: int) -> dict[str, str]:
    """The senior's own order of the answers, the same at every look; it says nothing of anybody's ranking."""
    senior = session.get_one(User, senior_id)
    output_ids = [answer.output_id for answer in task.responses]
    return dict(shuffled(campaign.seed, f"decides/{senior.name}", task.prompt_id, output_ids))


def _newest_submissions(session: Session, task_id: int) -> list[Submission]:
    query = (
        select(Submission)
        .join(Assignment, Assignment.id == Submission.assignment_id)
        .where(Assignment.task_id == task_id)
        .order_by(Submission.version)
        .options(selectinload(Submission.flags))
    )
    return list({submission.assignment_id: submission for submission in session.scalars(query)}.values())


def _why(overall: Sequence[Tiers], flagged: bool, lowest_w: float) -> tuple[list[str], float | None]:
    _, levels = panel_of([{str(place): tiers for place, tiers in enumerate(overall)}])
    held = grounds(levels, np.array([flagged]), lowest_w=lowest_w)[:, 0]
    concordance = float(kendall_w(levels)[0])
    reasons = [reason for reason, holds in zip(REASONS, held, strict=True) if holds]
    return reasons, None if np.isnan(concordance) else concordance


def _opinions(
    judgements: Sequence[Judgement], dimensions: Sequence[Dimension], number: dict[str, int]
) -> dict[Dimension, list[Opinion]]:
    """The commonest first, equally common ones by their cards: neither tells whose they are."""
    found = {}
    for dimension in dimensions:
        orders = Counter(
            tuple(map(tuple, _numbers(judgement.tiers, number)))
            for judgement in judgements
            if judgement.dimension == dimension
        )
        ordered = sorted(orders.items(), key=lambda pair: (-pair[1], pair[0]))
        found[dimension] = [Opinion(order=[list(tier) for tier in order], experts=count) for order, count in ordered]
    return found


def _splits(overall: Sequence[Tiers], number: dict[str, int]) -> list[Split]:
    """Every pair of cards, the preferred one first, the most divided on top."""
    votes = count_votes(overall)
    found = []
    for one, other in combinations(sorted(number, key=lambda output_id: number[output_id]), 2):
        better, worse = (one, other) if votes[one, other] >= votes[other, one] else (other, one)
        ahead, behind = votes[better, worse], votes[worse, better]
        even = len(overall) - ahead - behind
        found.append(Split(one=number[better], other=number[worse], ahead=ahead, behind=behind, even=even))
    return sorted(found, key=lambda pair: (-pair.behind, pair.ahead, pair.one, pair.other))


def _marks(submissions: Sequence[Submission], output_id: str) -> Marks:
    dangers = Counter(flag.kind for one in submissions for flag in one.flags if flag.output_id == output_id)
    return Marks(dangers=dict(sorted(dangers.items())), rewrite=sum(one.worst == output_id for one in submissions))


def _decided(session: Session, task_id: int, number: dict[str, int]) -> list[Decided]:
    versions = versions_of(session, task_id)
    named = select(User).where(User.id.in_({version.senior_id for version in versions}))
    names = {user.id: user.name for user in session.scalars(named)}
    return [
        Decided(
            version=version.version,
            senior=names[version.senior_id],
            order=_numbers(version.tiers, number),
            reason=version.reason,
            none_acceptable=version.none_acceptable,
            withdrawn=version.withdrawn,
            guideline_version=version.guideline_version,
        )
        for version in versions
    ]


def _names(tiers: Tiers) -> set[str]:
    return {output_id for tier in tiers for output_id in tier}


def _numbers(tiers: Tiers, number: dict[str, int]) -> Numbers:
    return [sorted(number[output_id] for output_id in tier) for tier in tiers]
