"""A simulated senior expert, who decides what simulated experts dispute so that the road can be tried out whole."""

from __future__ import annotations

import random
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation.adjudication import adjudicate
from annotation.agreement.agreement import settled_tasks
from annotation.agreement.ballots import followed
from annotation.agreement.disputes import disputes
from annotation.errors import InvalidError
from annotation.simulation.experts import differences_in, noise_for, noisy_tiers, qualities_of
from annotation.tables.models import Assignment, Campaign, User

NAME, RELIABILITY = "模拟资深专家", 0.95
REASON = "SIMULATED: no clinician has looked at this"


def settle_disputes(
    session: Session, campaign: Campaign, *, seed: int, truth: Mapping[str, float] | None = None
) -> int:
    """Decide all that waits for a senior expert in a campaign of simulated experts; returns how many prompts.

    She sees each answer's quality as they do, through less noise. What real experts dispute is theirs to settle.
    """
    if _asks_people(session, campaign):
        raise InvalidError("not_simulated", "real experts rank in this campaign, so a real senior expert decides")
    senior = _senior(session)
    qualities = qualities_of(session, campaign, truth)
    noise = noise_for(RELIABILITY, differences_in(qualities))
    settled = settled_tasks(session, campaign)
    waiting = disputes(followed(session, campaign.id), settled, lowest_w=campaign.adjudicate_below)
    for dispute in waiting:
        rng = random.Random(f"{seed}/{NAME}/{dispute.prompt_id}")
        tiers = noisy_tiers(qualities[dispute.task_id], noise, rng)
        adjudicate(session, task_id=dispute.task_id, senior_id=senior.id, tiers=tiers, reason=REASON)
    return len(waiting)


def _asks_people(session: Session, campaign: Campaign) -> bool:
    query = select(User.id).join(Assignment, Assignment.expert_id == User.id)
    return session.scalar(query.where(Assignment.campaign_id == campaign.id, User.simulated.is_(False))) is not None


def _senior(session: Session) -> User:
    found = session.scalar(select(User).where(User.name == NAME))
    if found is None:
        found = User(name=NAME, role="senior", simulated=True, reliability=RELIABILITY)
        session.add(found)
        session.flush()
    if not found.simulated:
        raise InvalidError("name", "a real user has the name of the simulated senior expert")
    return found
