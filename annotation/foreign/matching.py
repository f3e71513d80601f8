"""A ranking in somebody's file as a decision on one of a campaign's tasks, by ids or by words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from annotation.foreign.rows import Ranked, UnusableError
from annotation.judgements import counts
from annotation.tables.models import Campaign, Task
from corpus.records import Dimension, Prompt, Tiers


class Catalogue:
    """A campaign's own tasks, found by prompt id, by all their turns, or by the last one where that is no other's."""

    def __init__(self, session: Session, campaign: Campaign) -> None:
        query = select(Task).where(Task.campaign_id == campaign.id, counts()).options(selectinload(Task.responses))
        self.by_id = {task.prompt_id: task for task in session.scalars(query.order_by(Task.position))}
        self._by_turns: dict[tuple[str, ...], list[Task]] = defaultdict(list)
        self._by_question: dict[str, list[Task]] = defaultdict(list)
        for task in self.by_id.values():
            prompt = msgspec.convert(task.prompt, Prompt)
            turns = tuple(turn.content.strip() for turn in prompt.messages if turn.role != "system")
            self._by_turns[turns].append(task)
            self._by_question[turns[-1]].append(task)

    def find(self, prompt_id: str | None, turns: Sequence[str]) -> Task:
        """The task of a prompt; an error where there is none, or several."""
        if prompt_id in self.by_id:
            return self.by_id[prompt_id]
        words = tuple(turn.strip() for turn in turns)
        found = self._by_turns.get(words, [])
        if not found and len(words) == 1:
            found = self._by_question.get(words[0], [])
        if not found:
            raise UnusableError("no prompt of this campaign has this id or these words")
        if len(found) > 1:
            raise UnusableError(f"{len(found)} prompts of this campaign have these words; give their ids")
        return found[0]


def orders_of(task: Task, row: Ranked) -> dict[Dimension, Tiers]:
    """A row's orders by output ids; an error unless they name every answer of the task exactly once."""
    name_of = _names(task, row.answers)
    return {dimension: _by_output_id(task, tiers, name_of) for dimension, tiers in row.orders.items()}


def in_order_of_ids(task: Task) -> list[str]:
    """The words of a task's answers, by output id."""
    return [answer.text for answer in sorted(task.responses, key=lambda answer: answer.output_id)]


def _names(task: Task, answers: Mapping[str, str]) -> dict[str, str]:
    """What the file may call each answer: its output id, or a name whose words are its own."""
    by_words: dict[str, list[str]] = defaultdict(list)
    for answer in task.responses:
        by_words[answer.text.strip()].append(answer.output_id)
    names = {name: by_words[words.strip()][0] for name, words in answers.items() if len(by_words[words.strip()]) == 1}
    return {**names, **{answer.output_id: answer.output_id for answer in task.responses}}


def _by_output_id(task: Task, tiers: Sequence[Sequence[str]], name_of: Mapping[str, str]) -> Tiers:
    named = [name for tier in tiers for name in tier]
    unknown = sum(name not in name_of for name in named)
    if unknown:
        raise UnusableError(f"{unknown} of the {len(named)} ranked answers are not of this prompt")
    ranked = {name_of[name] for name in named}
    if len(ranked) < len(named):
        raise UnusableError("an answer is ranked twice")
    if len(ranked) < len(task.responses):
        raise UnusableError(f"only {len(ranked)} of the {len(task.responses)} answers are ranked")
    return [sorted(name_of[name] for name in tier) for tier in tiers]
