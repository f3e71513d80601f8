"""When a task of an adaptive campaign has been judged enough, and who is asked next where it has not.

Of every pair of answers the votes so far say whether one is preferred. The question is whether all `overlap` experts
would say the same: with w, l and t votes for one, for the other and for neither, the votes still to come follow a
Dirichlet-multinomial with the prior (1, 1, 1/2) plus (w, l, t). A task is settled where, averaged over its pairs, the
chance that the rest would change the answer is at most `UNSETTLED`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from itertools import chain, combinations
from math import comb, exp, lgamma

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from annotation.campaigns.assignments import shuffled
from annotation.consensus.ranked_pairs import count_votes, ids_of
from annotation.judgements import counts, newest_orders
from annotation.tables.decisions import Queue
from annotation.tables.models import Answer, Assignment, Campaign, Task, User
from corpus.records import Tiers

UNSETTLED = 0.05
PRIOR = (1.0, 1.0, 0.5)


def uncertainty(judgements: Sequence[Tiers], overlap: int) -> float:
    """The mean, over the pairs of answers, of the chance that the opinions still to come until there are `overlap`
    would change which of the two is preferred, if any; 1 where there is no opinion yet."""
    if not judgements:
        return 1.0
    votes = count_votes(judgements)
    chances = [
        change(votes[one, other], votes[other, one], len(judgements), overlap)
        for one, other in combinations(ids_of(judgements), 2)
    ]
    return sum(chances) / len(chances)


@cache
def change(wins: int, losses: int, opinions: int, overlap: int) -> float:
    """The chance that the sign of wins - losses is another one after `overlap` opinions than after `opinions`."""
    left, sign = overlap - opinions, _sign(wins - losses)
    prior = (PRIOR[0] + wins, PRIOR[1] + losses, PRIOR[2] + opinions - wins - losses)
    return sum(
        _chance((won, lost, left - won - lost), prior)
        for won in range(left + 1)
        for lost in range(left + 1 - won)
        if _sign(wins + won - losses - lost) != sign
    )


def take_turn(session: Session, campaign: Campaign) -> None:
    """Let one submission to an adaptive campaign after the other decide who is asked next."""
    query = select(Campaign.id).where(Campaign.id == campaign.id)
    session.execute(query.with_for_update(key_share=True))


def ask_on(session: Session, task_id: int, campaign: Campaign) -> Assignment | None:
    """Give a task to one more expert, if all who were asked have answered and it is not settled; the new assignment.

    She is who has least waiting of those who have not been asked and have not left; whom that leaves is drawn.
    Gold and repeats stay as they are. The submission must hold its turn (`take_turn`).
    """
    task = session.scalar(select(Task).where(Task.id == task_id, counts()))
    if task is None or _pending(session, task_id) or not _is_open(session, task, campaign):
        return None
    expert = _next_expert(session, task, campaign)
    return None if expert is None else assign(session, campaign, task, expert)


def ask_others(session: Session, expert_id: int) -> int:
    """After an expert has left, go on with the adaptive tasks that waited for her alone; how many were given on."""
    query = (
        select(Assignment.task_id, Campaign)
        .join(Campaign, Campaign.id == Assignment.campaign_id)
        .where(Assignment.expert_id == expert_id, Assignment.completed_at.is_(None))
        .where(Campaign.min_overlap.is_not(None), Campaign.closed_at.is_(None))
        .order_by(Campaign.id, Assignment.position)
    )
    waited = session.execute(query).all()
    for campaign in sorted({campaign for _, campaign in waited}, key=lambda campaign: campaign.id):
        take_turn(session, campaign)
    return sum(ask_on(session, task_id, campaign) is not None for task_id, campaign in waited)


def assign(session: Session, campaign: Campaign, task: Task, expert: User) -> Assignment:
    """Put a task at the end of an expert's queue, answers in her own order; a queue is begun where she has none."""
    own = (Queue.expert_id == expert.id) & (Queue.campaign_id == campaign.id)
    position = session.scalar(select(Queue.total).where(own).with_for_update())
    if position is None:
        session.add(Queue(expert_id=expert.id, campaign_id=campaign.id, total=1))
    else:
        session.execute(update(Queue).where(own).values(total=position + 1))
    added = Assignment(
        task_id=task.id,
        campaign_id=campaign.id,
        expert_id=expert.id,
        position=position or 0,
        shown=shuffled(campaign.seed, expert.name, task.prompt_id, _answers(session, task)),
    )
    session.add(added)
    session.flush()
    return added


def _answers(session: Session, task: Task) -> Sequence[str]:
    return session.scalars(select(Answer.output_id).where(Answer.task_id == task.id)).all()


def _pending(session: Session, task_id: int) -> bool:
    """Whether somebody who was asked may still answer."""
    waiting = select(Assignment.id).join(User, User.id == Assignment.expert_id)
    still = (Assignment.task_id == task_id) & Assignment.completed_at.is_(None) & User.left_at.is_(None)
    return session.scalar(waiting.where(still).limit(1)) is not None


def _is_open(session: Session, task: Task, campaign: Campaign) -> bool:
    """Whether fewer experts have ranked it than must, or fewer than may and their votes are uncertain."""
    answers = sorted(_answers(session, task))
    judgements = [tiers for tiers in newest_orders(session, task.id) if sorted(chain(*tiers)) == answers]
    fewest = campaign.min_overlap or campaign.overlap
    if len(judgements) < fewest:
        return True
    return len(judgements) < campaign.overlap and uncertainty(judgements, campaign.overlap) > UNSETTLED


def _next_expert(session: Session, task: Task, campaign: Campaign) -> User | None:
    asked = select(Assignment.expert_id).where(Assignment.task_id == task.id)
    query = (
        select(User, Queue.total - Queue.done)
        .join(Queue, Queue.expert_id == User.id)
        .where(Queue.campaign_id == campaign.id, User.left_at.is_(None), User.id.not_in(asked))
    )
    waiting = {user.name: (left, user) for user, left in session.execute(query)}
    if not waiting:
        return None
    least = min(left for left, _ in waiting.values())
    equal = sorted(name for name, (left, _) in waiting.items() if left == least)
    return waiting[random.Random(f"next/{campaign.seed}/{task.prompt_id}/{len(waiting)}").choice(equal)][1]


def _chance(drawn: tuple[int, ...], prior: tuple[float, ...]) -> float:
    """The Dirichlet-multinomial probability of these counts."""
    total, mass = sum(drawn), sum(prior)
    ways = comb(total, drawn[0]) * comb(total - drawn[0], drawn[1])
    grown = sum(lgamma(weight + count) - lgamma(weight) for count, weight in zip(drawn, prior, strict=True))
    return ways * exp(grown + lgamma(mass) - lgamma(mass + total))


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
