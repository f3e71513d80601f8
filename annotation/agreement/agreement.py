"""How far the experts of a campaign agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotation.agreement.ballots import Ballots, followed
from annotation.agreement.disputes import disputes
from annotation.agreement.gaps import Gap, gap_in
from annotation.agreement.measures import (
    Alpha,
    Levels,
    alike_and_opposite,
    kendall_w,
    known_mean,
    krippendorff_alpha,
    mean,
    ranked,
    signs,
    tau_b,
)
from annotation.agreement.panels import NO_ROW, Panel, own_tasks, panel
from annotation.tables.models import Adjudication, Campaign, Task, User
from corpus.records import Dimension


class PairAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """Two experts on the prompts both ranked. `agreement` is the share of the pairs of answers which both order
    that they order alike; `tau_b` the mean over prompts."""

    one: str
    other: str
    prompts: int
    agreement: float | None
    tau_b: float | None


class ExpertAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """One expert: how much she did, could not judge, and has not done yet, and how she agrees with the others (means
    over her pairs with them)."""

    expert: str
    simulated: bool
    stated_reliability: float | None
    left: bool
    assigned: int
    ranked: int
    refused: int
    waiting: int
    agreement: float | None
    tau_b: float | None
    median_seconds: float | None


class AgreementSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The agreement of a campaign in one dimension, by the version of the rule that it has now. A value is None where
    the rankings cannot tell, and `gap` says why.

    `alpha` is Krippendorff's (ordinal, ranks within prompts) with its 95 % interval, `kendall_w` and the per-pair
    values are means. `needs_adjudication` maps prompt ids to why. `other_rules` counts rankings by other versions of
    the rule, `foreign` those of other answers than the task has now: neither is part of any figure.
    """

    dimension: Dimension
    tasks: int
    judged_tasks: int
    judgements: int
    simulated: bool
    gap: Gap | None
    alpha: float | None
    alpha_interval: tuple[float, float] | None
    kendall_w: float | None
    pair_agreement: float | None
    tau_b: float | None
    experts: list[ExpertAgreement]
    pairs: list[PairAgreement]
    needs_adjudication: dict[str, list[str]]
    other_rules: dict[str, int]
    foreign: int


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """How far a panel agrees: either a `gap` or figures; one that is None could not be had."""

    gap: Gap | None
    alpha: Alpha | None
    kendall_w: float | None
    pairs: list[PairAgreement]
    pair_agreement: float | None
    tau_b: float | None


def agreement(session: Session, campaign: Campaign, *, dimension: Dimension = "overall") -> AgreementSummary:
    """Measure the newest rankings of a campaign."""
    return summarise(session, campaign, followed(session, campaign.id), dimension)


def summarise(session: Session, campaign: Campaign, ballots: Ballots, dimension: Dimension) -> AgreementSummary:
    """Measure rankings that are followed already."""
    own = own_tasks(ballots)
    laid = panel(ballots, dimension, own, campaign.guideline_version)
    people = _people(session, ballots)
    found = measured(laid.levels, [people[number].name for number in laid.experts.tolist()])
    return AgreementSummary(
        dimension=dimension,
        tasks=len(own),
        judged_tasks=len(laid.tasks),
        judgements=int(ranked(laid.levels).sum()),
        simulated=any(people[number].simulated for number in laid.experts.tolist()),
        gap=found.gap,
        alpha=found.alpha.value if found.alpha else None,
        alpha_interval=found.alpha.interval if found.alpha else None,
        kendall_w=found.kendall_w,
        pair_agreement=found.pair_agreement,
        tau_b=found.tau_b,
        experts=_experts(ballots, laid, people, found.pairs),
        pairs=found.pairs,
        needs_adjudication={
            one.prompt_id: one.reasons
            for one in disputes(ballots, settled_tasks(session, campaign), lowest_w=campaign.adjudicate_below)
        },
        other_rules=_other_rules(ballots, dimension, campaign.guideline_version),
        foreign=sum(named == dimension for _, named in ballots.foreign),
    )


def measured(levels: Levels, names: Sequence[str]) -> Measured:
    """Measure a panel of the experts `names`."""
    gap = gap_in(levels)
    if gap:
        return Measured(gap=gap, alpha=None, kendall_w=None, pairs=[], pair_agreement=None, tau_b=None)
    pairs = compare_experts(levels, names)
    return Measured(
        gap=None,
        alpha=krippendorff_alpha(levels),
        kendall_w=known_mean(kendall_w(levels)),
        pairs=pairs,
        pair_agreement=mean(pair.agreement for pair in pairs),
        tau_b=mean(pair.tau_b for pair in pairs),
    )


def settled_tasks(session: Session, campaign: Campaign) -> set[int]:
    """The tasks on which a senior expert's decision stands."""
    newest = (
        select(Adjudication.task_id, func.max(Adjudication.version).label("version"))
        .join(Task, Task.id == Adjudication.task_id)
        .where(Task.campaign_id == campaign.id)
        .group_by(Adjudication.task_id)
        .subquery()
    )
    found = select(Adjudication.task_id).join(
        newest, (newest.c.task_id == Adjudication.task_id) & (newest.c.version == Adjudication.version)
    )
    return set(session.scalars(found.where(Adjudication.withdrawn.is_(False))))


def compare_experts(levels: Levels, names: Sequence[str]) -> list[PairAgreement]:
    """Every two experts with at least one prompt in common, in the order of their names."""
    present, ordered = ranked(levels), signs(levels)
    compared = []
    for one, other in combinations(sorted(range(len(names)), key=lambda place: names[place]), 2):
        shared = present[one] & present[other]
        if shared.any():
            compared.append(_compare(names[one], names[other], ordered[one, shared], ordered[other, shared]))
    return compared


def _compare(one: str, other: str, first: Levels, second: Levels) -> PairAgreement:
    alike, opposite = (int(counts.sum()) for counts in alike_and_opposite(first, second))
    return PairAgreement(
        one=one,
        other=other,
        prompts=len(first),
        agreement=alike / (alike + opposite) if alike + opposite else None,
        tau_b=known_mean(tau_b(first, second)),
    )


def _people(session: Session, ballots: Ballots) -> dict[int, User]:
    numbers = np.unique(ballots.column("expert")).tolist()
    return {user.id: user for user in session.scalars(select(User).where(User.id.in_(numbers)))}


def _experts(
    ballots: Ballots, laid: Panel, people: dict[int, User], pairs: Sequence[PairAgreement]
) -> list[ExpertAgreement]:
    work = np.isin(ballots.column("task"), list(own_tasks(ballots)))
    experts, refused = ballots.column("expert"), ballots.column("refused")
    answered = refused | ballots.ranked()
    rows = []
    for user in sorted(people.values(), key=lambda user: user.name):
        own = [pair for pair in pairs if user.name in (pair.one, pair.other)]
        hers = work & (experts == user.id)
        seconds = _seconds(ballots, laid, user.id)
        rows.append(
            ExpertAgreement(
                expert=user.name,
                simulated=user.simulated,
                stated_reliability=user.reliability,
                left=user.left_at is not None,
                assigned=int(hers.sum()),
                ranked=len(seconds),
                refused=int((hers & refused).sum()),
                waiting=int((hers & ~answered).sum()),
                agreement=mean(pair.agreement for pair in own),
                tau_b=mean(pair.tau_b for pair in own),
                median_seconds=float(np.median(seconds)) if len(seconds) else None,
            )
        )
    return rows


def _seconds(ballots: Ballots, laid: Panel, expert: int) -> NDArray[np.float64]:
    rows = laid.rows[laid.experts == expert].ravel()
    seconds: NDArray[np.float64] = ballots.column("seconds")[rows[rows != NO_ROW]]
    return seconds


def _other_rules(ballots: Ballots, dimension: Dimension, rule: str) -> dict[str, int]:
    everything = panel(ballots, dimension, own_tasks(ballots))
    rules = ballots.column("rule")[everything.rows[everything.rows != NO_ROW]].tolist()
    counted = Counter(ballots.rules[number] for number in rules)
    return {version: count for version, count in sorted(counted.items()) if version != rule}
