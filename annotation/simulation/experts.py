"""Six simulated experts. They try the road out and show its bars; they are no clinicians, and everything they touch
says so: the users, the judgements, the pages, the exports."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import NormalDist

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from annotation.errors import InvalidError
from annotation.identity.people import real_experts
from annotation.ranking import Decision, submit
from annotation.simulation.quality import latent_quality
from annotation.tables.decisions import GoldOrder
from annotation.tables.models import Assignment, Campaign, Task, User
from annotation.tiers import level_of
from corpus.records import Prompt, Tiers, make_id
from foundation.progress import track

RELIABILITIES = (0.90, 0.87, 0.84, 0.81, 0.77, 0.70)
TIE_SHARE = 0.25
SECONDS_MEDIAN, SECONDS_SPREAD = 40.0, 0.4


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulation did. `waiting` counts assignments of real experts, which it left alone."""

    experts: int
    rankings: int
    waiting: int


def add_simulated_experts(session: Session, reliabilities: Sequence[float] = RELIABILITIES) -> list[User]:
    """The simulated experts 模拟专家1, 2, …, made where missing. A reliability is the chance of ordering a pair of
    answers as the truth does, averaged over the pairs of a campaign."""
    names = [f"模拟专家{number}" for number in range(1, len(reliabilities) + 1)]
    found = {user.name: user for user in session.scalars(select(User).where(User.name.in_(names)))}
    if any(not user.simulated for user in found.values()):
        raise InvalidError("name", "a real user has the name of a simulated expert")
    for name, reliability in zip(names, reliabilities, strict=True):
        if name not in found:
            found[name] = User(name=name, role="expert", simulated=True, reliability=reliability)
            session.add(found[name])
    session.flush()
    return [found[name] for name in names]


def experts_chosen(session: Session, choice: str) -> list[str]:
    """Names of the experts that `choice` stands for: names between commas, `all` for all real experts and
    `simulated` for the simulated ones."""
    chosen: list[str] = []
    for word in filter(None, map(str.strip, choice.split(","))):
        if word == "all":
            chosen += real_experts(session)
        elif word == "simulated":
            chosen += [user.name for user in add_simulated_experts(session)]
        else:
            chosen.append(word)
    return sorted(set(chosen))


def simulate(session: Session, campaign: Campaign, *, seed: int, truth: Mapping[str, float] | None = None) -> Simulated:
    """Let the simulated experts of a campaign rank all that is still waiting for them.

    In an adaptive campaign that goes on until no task asks for more. An expert sees each answer's quality through
    Gaussian noise, its spread set by her stated reliability, and ties answers that look alike. `truth` is quality by
    output id; without it `quality.apparent_quality` is the truth.
    """
    qualities = qualities_of(session, campaign, truth)
    differences = differences_in(qualities)
    noise: dict[str, float] = {}
    rankings = 0
    while simulated := [row for row in _waiting(session, campaign) if row.expert.simulated]:
        for assignment in track(simulated, "simulated experts rank"):
            expert = assignment.expert
            if expert.name not in noise:
                noise[expert.name] = noise_for(expert.reliability or 0.5, differences)
            _rank(session, assignment, qualities[assignment.task_id], noise[expert.name], seed)
        rankings += len(simulated)
    return Simulated(experts=len(noise), rankings=rankings, waiting=len(_waiting(session, campaign)))


def qualities_of(
    session: Session, campaign: Campaign, truth: Mapping[str, float] | None = None
) -> dict[int, dict[str, float]]:
    """The true quality of every answer, by task id and output id; see `simulate`."""
    tasks = select(Task).where(Task.campaign_id == campaign.id).options(selectinload(Task.responses))
    gold = {row.task_id: row.tiers for row in session.scalars(select(GoldOrder))}
    return {
        task.id: _known(gold[task.id]) if task.id in gold else _qualities(task, truth)
        for task in session.scalars(tasks.order_by(Task.position))
    }


def differences_in(qualities: Mapping[int, Mapping[str, float]]) -> list[float]:
    """How far apart the answers of every pair within a task are."""
    return [abs(one - other) for quality in qualities.values() for one, other in combinations(quality.values(), 2)]


def noise_for(reliability: float, differences: Sequence[float]) -> float:
    """The spread of Gaussian noise on each answer at which a pair is ordered rightly with the stated probability.

    For a pair that differs by d that is Phi(d / (sigma sqrt 2)), averaged here over `differences`.
    """
    real = [difference for difference in differences if difference > 0]
    if not real:
        return 1.0
    chance = NormalDist().cdf
    low, high = 1e-6 * max(real), 1e3 * max(real)
    for _ in range(60):
        middle = math.sqrt(low * high)
        right = sum(chance(difference / (middle * math.sqrt(2))) for difference in real) / len(real)
        low, high = (middle, high) if right > reliability else (low, middle)
    return low


def noisy_tiers(quality: Mapping[str, float], noise: float, rng: random.Random) -> Tiers:
    """Order by quality plus noise; an answer within a quarter of `noise` of the best of a tier joins that tier."""
    seen = {output_id: quality[output_id] + rng.gauss(0.0, noise) for output_id in sorted(quality)}
    tiers: Tiers = []
    best = math.inf
    for output_id in sorted(seen, key=lambda output_id: (-seen[output_id], output_id)):
        if best - seen[output_id] < TIE_SHARE * noise:
            tiers[-1].append(output_id)
        else:
            tiers.append([output_id])
            best = seen[output_id]
    return tiers


def _qualities(task: Task, truth: Mapping[str, float] | None) -> dict[str, float]:
    answers = {answer.output_id: answer.text for answer in task.responses}
    missing = [output_id for output_id in answers if truth is not None and output_id not in truth]
    if missing:
        raise InvalidError("truth", f"the truth says nothing about {len(missing)} answers, {missing[0]} first")
    return latent_quality(msgspec.convert(task.prompt, Prompt), answers, truth)


def _known(tiers: Tiers) -> dict[str, float]:
    """What gold says of its answers, as evenly spaced qualities."""
    return {output_id: -float(level) for output_id, level in level_of(tiers).items()}


def _waiting(session: Session, campaign: Campaign) -> Sequence[Assignment]:
    query = (
        select(Assignment)
        .where(Assignment.campaign_id == campaign.id, Assignment.completed_at.is_(None))
        .options(joinedload(Assignment.expert), joinedload(Assignment.task), joinedload(Assignment.campaign))
        .order_by(Assignment.position, Assignment.expert_id)
    )
    return session.scalars(query).all()


def _rank(session: Session, assignment: Assignment, quality: Mapping[str, float], noise: float, seed: int) -> None:
    label = {output_id: label for label, output_id in assignment.shown}
    source = (seed, assignment.expert.name, assignment.task.prompt_id)
    orders = {}
    for dimension in assignment.campaign.dimensions:
        tiers = noisy_tiers(quality, noise, random.Random("/".join(map(str, (*source, dimension)))))
        orders[dimension] = [[label[output_id] for output_id in tier] for tier in tiers]
    taken = random.Random("/".join(map(str, (*source, "seconds")))).lognormvariate(
        math.log(SECONDS_MEDIAN), SECONDS_SPREAD
    )
    submit(
        session,
        assignment_id=assignment.id,
        expert_id=assignment.expert_id,
        decision=Decision(orders=orders),
        key=make_id("simulated", assignment.campaign.name, *source),
        seconds=round(taken, 1),
    )
