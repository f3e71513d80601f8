"""Campaigns: prompts with K answers each become tasks, and tasks become experts' queues."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotation.errors import ConflictError, InvalidError, NotFoundError
from annotation.models import DIMENSIONS, Answer, Assignment, Campaign, Task, User
from annotation.pairing import pair_up
from corpus.records import ModelOutput, Prompt

GUIDELINE = "safety>professionalism>fluency/1"
FEWEST_ANSWERS, MOST_ANSWERS = 2, 9


class TaskDraft(msgspec.Struct, frozen=True):
    """A prompt with its distinct answers, each with the outputs merged into it."""

    prompt: Prompt
    answers: list[tuple[ModelOutput, list[str]]]


def create_campaign(
    session: Session,
    *,
    name: str,
    prompts: Sequence[Prompt],
    outputs: Sequence[ModelOutput],
    experts: Sequence[str],
    overlap: int,
    seed: int,
    guideline_version: str = GUIDELINE,
    dimensions: Sequence[str] = ("overall",),
) -> Campaign:
    """Make a task of every prompt with 2 to 9 distinct answers and give each to `overlap` of `experts` (names).

    What was not made a task is in `Campaign.left_out` as [id, reason].
    """
    people = _people(session, experts)
    _check_options(session, name, len(people), overlap, dimensions)
    drafts, left_out = draft_tasks(prompts, outputs)
    if not drafts:
        raise InvalidError("no_tasks", "no prompt has two different answers", hint="check that the prompt ids match")
    campaign = Campaign(
        name=name,
        overlap=overlap,
        guideline_version=guideline_version,
        seed=seed,
        dimensions=list(dimensions),
        left_out=left_out,
    )
    session.add(campaign)
    session.flush()
    tasks = [_task(campaign, position, draft) for position, draft in enumerate(drafts)]
    session.add_all(tasks)
    session.flush()
    session.add_all(_assignments(campaign, tasks, people))
    session.flush()
    return campaign


def draft_tasks(
    prompts: Iterable[Prompt], outputs: Iterable[ModelOutput]
) -> tuple[list[TaskDraft], list[tuple[str, str]]]:
    """Match outputs to prompts and merge answers of the same text; second, what is left out as (id, reason)."""
    left_out: list[tuple[str, str]] = []
    known: dict[str, Prompt] = {}
    for prompt in prompts:
        reason = "duplicate_prompt" if prompt.prompt_id in known else _prompt_fault(prompt)
        if reason:
            left_out.append((prompt.prompt_id, reason))
        else:
            known[prompt.prompt_id] = prompt
    answers: dict[str, dict[str, ModelOutput]] = defaultdict(dict)
    for output in outputs:
        reason = _output_fault(output, known, answers[output.prompt_id])
        if reason:
            left_out.append((output.output_id, reason))
        else:
            answers[output.prompt_id][output.output_id] = output
    drafts = []
    for prompt_id, prompt in known.items():
        merged = _merge(answers[prompt_id].values())
        if FEWEST_ANSWERS <= len(merged) <= MOST_ANSWERS:
            drafts.append(TaskDraft(prompt, merged))
        else:
            reason = "fewer_than_2_answers" if len(merged) < FEWEST_ANSWERS else "more_than_9_answers"
            left_out.append((prompt_id, reason))
    return drafts, left_out


def find_campaign(session: Session, name: str | None = None) -> Campaign:
    """The campaign of this name, or the only one where no name is given."""
    if name is not None:
        campaign = session.scalar(select(Campaign).where(Campaign.name == name))
        if campaign is None:
            raise NotFoundError("no_campaign", f"there is no campaign {name}", hint=_existing(session))
        return campaign
    campaigns = session.scalars(select(Campaign).limit(2)).all()
    if not campaigns:
        raise NotFoundError("no_campaign", "there is no campaign yet", hint="make one with: zhongjing rank create")
    if len(campaigns) > 1:
        raise InvalidError("which_campaign", "there are several campaigns", hint=_existing(session))
    return campaigns[0]


def sizes(session: Session, campaign: Campaign) -> tuple[int, int]:
    """How many tasks and how many assignments a campaign has."""
    tasks = select(func.count()).where(Task.campaign_id == campaign.id)
    assignments = select(func.count()).where(Assignment.campaign_id == campaign.id)
    return session.scalar(tasks) or 0, session.scalar(assignments) or 0


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


def _check_options(session: Session, name: str, experts: int, overlap: int, dimensions: Sequence[str]) -> None:
    if not 1 <= len(name) <= 100:
        raise InvalidError("name", "a campaign's name has 1 to 100 characters")
    if not 1 <= overlap <= experts:
        raise InvalidError("overlap", f"an overlap of {overlap} is impossible with {experts} experts")
    if "overall" not in dimensions or not set(dimensions) <= set(DIMENSIONS):
        raise InvalidError("dimensions", f"dimensions are overall and any of {', '.join(DIMENSIONS[1:])}")
    if session.scalar(select(func.count()).where(Campaign.name == name)):
        raise ConflictError("campaign_exists", f"there is a campaign {name} already", hint="choose another --name")


def _prompt_fault(prompt: Prompt) -> str | None:
    if not prompt.messages or prompt.messages[-1].role != "user":
        return "prompt_without_question"
    return "bad_text" if b"\\u0000" in msgspec.json.encode(prompt) else None


def _output_fault(output: ModelOutput, known: dict[str, Prompt], seen: dict[str, ModelOutput]) -> str | None:
    if output.prompt_id not in known:
        return "unknown_prompt"
    if output.output_id in seen:
        return "duplicate_output"
    if not output.text.strip():
        return "empty_answer"
    return "bad_text" if "\x00" in output.text + output.model + output.output_id else None


def _merge(outputs: Iterable[ModelOutput]) -> list[tuple[ModelOutput, list[str]]]:
    """Distinct answers by output id; of answers alike but for white space the smallest id stands for all."""
    same: dict[str, list[ModelOutput]] = defaultdict(list)
    for output in sorted(outputs, key=lambda output: output.output_id):
        same["".join(output.text.split())].append(output)
    return [(first, [other.output_id for other in others]) for first, *others in same.values()]


def _task(campaign: Campaign, position: int, draft: TaskDraft) -> Task:
    answers = [
        Answer(output_id=output.output_id, text=output.text, model=output.model, merged=merged)
        for output, merged in draft.answers
    ]
    prompt = msgspec.to_builtins(draft.prompt)
    return Task(
        campaign_id=campaign.id, position=position, prompt_id=draft.prompt.prompt_id, prompt=prompt, responses=answers
    )


def _assignments(campaign: Campaign, tasks: Sequence[Task], people: Sequence[User]) -> Iterable[Assignment]:
    plan = pair_up(len(tasks), len(people), campaign.overlap, campaign.seed)
    for task, seats in zip(tasks, plan, strict=True):
        output_ids = [answer.output_id for answer in task.responses]
        for expert in (people[seat] for seat in seats):
            yield Assignment(
                task_id=task.id,
                campaign_id=campaign.id,
                expert_id=expert.id,
                position=task.position,
                shown=shuffled(campaign.seed, expert.name, task.prompt_id, output_ids),
            )


def shuffled(seed: int, expert: str, prompt_id: str, output_ids: Iterable[str]) -> list[Any]:
    """An expert's own order of the answers, each as [label, output id]; the label says nothing about the answer."""
    rng = random.Random(f"shown/{seed}/{expert}/{prompt_id}")
    order = sorted(output_ids)
    rng.shuffle(order)
    return [[f"a{rng.getrandbits(48):012x}", output_id] for output_id in order]
