"""How far the experts of a campaign agree, and which prompts need a senior expert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotation.consensus import count_votes
from annotation.judgements import JudgedTask, counts, judged_tasks
from annotation.measures import kendall_w, krippendorff_alpha, mean, pair_counts, tau_b
from annotation.models import Assignment, Campaign, Task, User
from corpus.records import Tiers

LOWEST_W = 0.5


class PairAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """Two experts on the prompts both ranked. `agreement` is the share of the pairs of answers which both order
    that they order alike; `tau_b` the mean over prompts."""

    one: str
    other: str
    prompts: int
    agreement: float | None
    tau_b: float | None


class ExpertAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """One expert: how much she did and how she agrees with the others (means over her pairs with them)."""

    expert: str
    simulated: bool
    stated_reliability: float | None
    assigned: int
    ranked: int
    agreement: float | None
    tau_b: float | None
    median_seconds: float | None


class AgreementSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The agreement of a campaign in one dimension. A value is None where the rankings cannot tell.

    `alpha` is Krippendorff's (ordinal, ranks within prompts), `kendall_w` and the per-pair values are means.
    `needs_adjudication` maps prompt ids to why (`low_agreement`, `majority_tie`).
    """

    dimension: str
    tasks: int
    judged_tasks: int
    judgements: int
    simulated: bool
    alpha: float | None
    kendall_w: float | None
    pair_agreement: float | None
    tau_b: float | None
    experts: list[ExpertAgreement]
    pairs: list[PairAgreement]
    needs_adjudication: dict[str, str]


def agreement(session: Session, campaign: Campaign, *, dimension: str = "overall") -> AgreementSummary:
    """Measure the newest rankings of a campaign."""
    tasks = judged_tasks(session, campaign)
    prompts = [{j.expert: j.tiers for j in task.judgements if j.dimension == dimension} for task in tasks]
    pairs = compare_experts(prompts)
    return AgreementSummary(
        dimension=dimension,
        tasks=len(tasks),
        judged_tasks=sum(map(bool, prompts)),
        judgements=sum(map(len, prompts)),
        simulated=any(judgement.simulated for task in tasks for judgement in task.judgements),
        alpha=krippendorff_alpha(prompts),
        kendall_w=mean(kendall_w(list(prompt.values())) for prompt in prompts),
        pair_agreement=mean(pair.agreement for pair in pairs),
        tau_b=mean(pair.tau_b for pair in pairs),
        experts=_experts(session, campaign, tasks, pairs, dimension),
        pairs=pairs,
        needs_adjudication=_open_questions(tasks, dimension),
    )


def needs_adjudication(rankings: Sequence[Tiers], *, lowest_w: float = LOWEST_W) -> str | None:
    """Why a senior expert should decide: `low_agreement` where Kendall's W is under `lowest_w`, `majority_tie`
    where as many experts prefer one answer to another as the other way round; None where neither."""
    concordance = kendall_w(rankings)
    if concordance is None:
        return None
    if concordance < lowest_w:
        return "low_agreement"
    votes = count_votes(rankings)
    tied = any(votes[pair] == votes[pair[::-1]] > 0 for pair in votes)
    return "majority_tie" if tied else None


def compare_experts(prompts: Sequence[Mapping[str, Tiers]]) -> list[PairAgreement]:
    """Every two experts with at least one prompt in common; `prompts` maps expert to tiers, one per prompt."""
    experts = sorted({expert for prompt in prompts for expert in prompt})
    compared = []
    for one, other in combinations(experts, 2):
        shared = [(prompt[one], prompt[other]) for prompt in prompts if one in prompt and other in prompt]
        if shared:
            compared.append(_compare(one, other, shared))
    return compared


def _compare(one: str, other: str, shared: Sequence[tuple[Tiers, Tiers]]) -> PairAgreement:
    counts = [pair_counts(first, second) for first, second in shared]
    alike, opposite = sum(count[0] for count in counts), sum(count[1] for count in counts)
    return PairAgreement(
        one=one,
        other=other,
        prompts=len(shared),
        agreement=alike / (alike + opposite) if alike + opposite else None,
        tau_b=mean(tau_b(first, second) for first, second in shared),
    )


def _experts(
    session: Session, campaign: Campaign, tasks: Sequence[JudgedTask], pairs: Sequence[PairAgreement], dimension: str
) -> list[ExpertAgreement]:
    given = select(Assignment.expert_id, func.count()).join(Task, Task.id == Assignment.task_id)
    given = given.where(Assignment.campaign_id == campaign.id, counts()).group_by(Assignment.expert_id)
    assigned = {row[0]: row[1] for row in session.execute(given)}
    judgements = [j for task in tasks for j in task.judgements if j.dimension == dimension]
    rows = []
    for user in sorted(session.scalars(select(User).where(User.id.in_(assigned))), key=lambda user: user.name):
        own = [pair for pair in pairs if user.name in (pair.one, pair.other)]
        seconds = [judgement.seconds for judgement in judgements if judgement.expert == user.name]
        rows.append(
            ExpertAgreement(
                expert=user.name,
                simulated=user.simulated,
                stated_reliability=user.reliability,
                assigned=assigned[user.id],
                ranked=len(seconds),
                agreement=mean(pair.agreement for pair in own),
                tau_b=mean(pair.tau_b for pair in own),
                median_seconds=median(seconds) if seconds else None,
            )
        )
    return rows


def _open_questions(tasks: Sequence[JudgedTask], dimension: str) -> dict[str, str]:
    reasons = {task.prompt.prompt_id: needs_adjudication(task.tiers(dimension)) for task in tasks if not task.decided}
    return {prompt_id: reason for prompt_id, reason in reasons.items() if reason}
