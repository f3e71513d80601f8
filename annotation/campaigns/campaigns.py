"""Campaigns: prompts with K answers each become tasks, and tasks become experts' queues."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from annotation.campaigns.assignments import fill
from annotation.campaigns.drafts import draft_gold, draft_tasks
from annotation.campaigns.gold import Gold
from annotation.campaigns.guideline import Guideline, default_guideline, store_guideline
from annotation.errors import ConflictError, InvalidError, NotFoundError
from annotation.judgements import counts
from annotation.tables.base import now
from annotation.tables.decisions import DIMENSIONS, GoldOrder, Repeat
from annotation.tables.models import Answer, Assignment, Campaign, Task, User
from corpus.records import ModelOutput, Prompt

MOST_REPEATED = 0.5
NUMBER = re.compile("[0-9]{1,18}")
MOST_NAMED = 5
DAILY_GOAL, BREAK_MINUTES = 40, 45


def create_campaign(
    session: Session,
    *,
    name: str,
    prompts: Sequence[Prompt],
    outputs: Sequence[ModelOutput],
    experts: Sequence[str],
    overlap: int,
    min_overlap: int | None = None,
    adjudicate_below: float = 0.5,
    seed: int,
    guideline: Guideline | None = None,
    dimensions: Sequence[str] = ("overall",),
    gold: Sequence[Gold] = (),
    repeats: float = 0.0,
    daily_goal: int = DAILY_GOAL,
    break_minutes: int = BREAK_MINUTES,
) -> Campaign:
    """Make a task of every prompt with 2 to 9 distinct answers and give each to `overlap` of `experts` (names).

    With `min_overlap` the campaign is adaptive: so many experts are asked first, and more, one at a time and up to
    `overlap`, while a task is not settled. Prompts with a Kendall's W under `adjudicate_below` are for a senior expert.
    Every expert gets all of `gold`, and `repeats`, a share of the tasks, once more. What was not made a task is in
    `Campaign.left_out` as [id, reason].
    """
    people = _people(session, experts)
    rule = guideline or default_guideline()
    campaign = Campaign(
        name=name,
        overlap=overlap,
        min_overlap=min_overlap,
        adjudicate_below=adjudicate_below,
        guideline_version=rule.version,
        seed=seed,
        dimensions=[dimension for dimension in DIMENSIONS if dimension in dimensions],
        left_out=[],
        daily_goal=daily_goal,
        break_minutes=break_minutes,
    )
    _check(session, campaign, len(people), dimensions, repeats)
    tests = {row.prompt.prompt_id for row in gold}
    drafts, campaign.left_out[:] = draft_tasks(
        [prompt for prompt in prompts if prompt.prompt_id not in tests],
        [output for output in outputs if output.prompt_id not in tests],
    )
    if not drafts:
        raise InvalidError("no_tasks", "no prompt has two different answers", hint="check that the prompt ids match")
    store_guideline(session, rule)
    session.add(campaign)
    session.flush()
    fill(session, campaign, drafts, [draft_gold(row) for row in gold], people, repeats)
    return campaign


def find_campaign(session: Session, name: str | None = None) -> Campaign:
    """The campaign of this name, or else of this number; the only one where neither is given."""
    if name is not None:
        campaign = session.scalar(select(Campaign).where(Campaign.name == name)) or _numbered(session, name)
        if campaign is None:
            raise NotFoundError("no_campaign", f"there is no campaign {name}", hint=_existing(session))
        return campaign
    campaigns = session.scalars(select(Campaign).limit(2)).all()
    if not campaigns:
        raise NotFoundError("no_campaign", "there is no campaign yet", hint="make one with: zhongjing rank create")
    if len(campaigns) > 1:
        raise InvalidError("which_campaign", "there are several campaigns", hint=_existing(session))
    return campaigns[0]


def close_campaign(session: Session, campaign: Campaign) -> None:
    """Let nobody rank in it any more; what is stored stays."""
    if campaign.closed_at is not None:
        raise ConflictError("closed", f"the campaign {campaign.name} is closed already")
    campaign.closed_at = now()
    session.flush()


def sizes(session: Session, campaign: Campaign) -> tuple[int, int]:
    """How many tasks of its own a campaign has, and how many assignments of them."""
    tasks = select(func.count()).where(Task.campaign_id == campaign.id, counts())
    assignments = select(func.count()).select_from(Assignment).join(Task, Task.id == Assignment.task_id)
    return session.scalar(tasks) or 0, session.scalar(assignments.where(Task.campaign_id == campaign.id, counts())) or 0


def probes_in(session: Session, campaign: Campaign) -> tuple[int, int]:
    """How many gold tasks and how many repeats are among a campaign's tasks."""
    of_campaign = Task.campaign_id == campaign.id
    gold = select(func.count()).select_from(GoldOrder).join(Task, Task.id == GoldOrder.task_id).where(of_campaign)
    repeats = select(func.count()).select_from(Repeat).join(Task, Task.id == Repeat.task_id).where(of_campaign)
    return session.scalar(gold) or 0, session.scalar(repeats) or 0


def naming_models(session: Session, campaign: Campaign) -> list[tuple[str, str]]:
    """The answers that give their model away, as (output id, the words that do)."""
    query = select(Answer.output_id, Answer.names_model).join(Task, Task.id == Answer.task_id)
    found = query.where(Task.campaign_id == campaign.id, Answer.names_model.is_not(None), counts())
    return [(output_id, words) for output_id, words in session.execute(found.order_by(Answer.output_id)) if words]


def described(session: Session, campaign: Campaign, experts: int) -> tuple[list[str], list[str]]:
    """What a new campaign holds, and what its curator should look at, as lines of text without any answer's words."""
    tasks, assignments = sizes(session, campaign)
    gold, repeated = probes_in(session, campaign)
    merged = sum(len(ids) for ids in session.scalars(_answers_of(campaign, Answer.merged)))
    told = [f"campaign {campaign.name}: {tasks} tasks, {assignments} assignments to {experts} experts"]
    if gold or repeated:
        told.append(f"mixed in unannounced: {gold} gold prompts, {repeated} repeated prompts")
    reasons = Counter(reason for _, reason in campaign.left_out)
    warnings = [f"left out: {count} x {reason}" for reason, count in sorted(reasons.items())]
    if merged:
        warnings.append(f"merged: {merged} answers say the same as another one to their prompt")
    naming = naming_models(session, campaign)
    if naming:
        first = ", ".join(output_id for output_id, _ in naming[:MOST_NAMED])
        warnings.append(
            f"not blind: {len(naming)} answers name their model: {first}{' …' * (len(naming) > MOST_NAMED)}"
        )
    return told, warnings


def _answers_of(campaign: Campaign, column: InstrumentedAttribute[Any]) -> Select[Any]:
    return select(column).join(Task, Task.id == Answer.task_id).where(Task.campaign_id == campaign.id, counts())


def _numbered(session: Session, number: str) -> Campaign | None:
    return session.get(Campaign, int(number)) if NUMBER.fullmatch(number) else None


def _existing(session: Session) -> str:
    names = session.scalars(select(Campaign.name).order_by(Campaign.name)).all()
    return f"name one with --campaign: {', '.join(names)}" if names else "make one with: zhongjing rank create"


def _people(session: Session, names: Sequence[str]) -> list[User]:
    wanted = sorted(set(names))
    found = {user.name: user for user in session.scalars(select(User).where(User.name.in_(wanted)))}
    missing = [name for name in wanted if name not in found]
    if missing:
        raise NotFoundError("no_user", f"no such expert: {', '.join(missing)}", hint="add with: zhongjing user add")
    unfit = [name for name in wanted if found[name].role not in ("expert", "senior")]
    if unfit:
        raise InvalidError("not_an_expert", f"not an expert: {', '.join(unfit)}")
    return [found[name] for name in wanted]


def _check(session: Session, campaign: Campaign, experts: int, dimensions: Sequence[str], repeats: float) -> None:
    if not 1 <= len(campaign.name) <= 100 or not campaign.name.isprintable():
        raise InvalidError("name", "a campaign's name has 1 to 100 printable characters")
    if not 1 <= campaign.overlap <= experts:
        raise InvalidError("overlap", f"an overlap of {campaign.overlap} is impossible with {experts} experts")
    if campaign.min_overlap is not None and not 2 <= campaign.min_overlap < campaign.overlap:
        raise InvalidError(
            "min_overlap", f"an adaptive campaign asks at least 2 and fewer than {campaign.overlap} first"
        )
    if not 0 <= campaign.adjudicate_below <= 1:
        raise InvalidError("adjudicate_below", "Kendall's W, under which a senior expert decides, is between 0 and 1")
    if "overall" not in dimensions or not set(dimensions) <= set(DIMENSIONS):
        raise InvalidError("dimensions", f"dimensions are overall and any of {', '.join(DIMENSIONS[1:])}")
    if not 0 <= repeats <= MOST_REPEATED:
        raise InvalidError("repeats", f"the share of repeated prompts is between 0 and {MOST_REPEATED}")
    if campaign.daily_goal < 1 or campaign.break_minutes < 1:
        raise InvalidError("pace", "a goal for the day and the minutes until a break are at least 1")
    if session.scalar(select(func.count()).where(Campaign.name == campaign.name)):
        raise ConflictError(
            "campaign_exists", f"there is a campaign {campaign.name} already", hint="choose another --name"
        )
