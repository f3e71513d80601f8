"""From prompts and outputs to tasks: each prompt with its distinct answers, and why the others are none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from annotation.campaigns.alike import merge
from annotation.campaigns.gold import Gold
from annotation.campaigns.selfnaming import names_model
from corpus.records import ModelOutput, Prompt, Tiers

FEWEST_ANSWERS, MOST_ANSWERS = 2, 9
LONGEST_ID = 100

LeftOut = list[tuple[str, str]]


class AnswerDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, the ids of the outputs merged into it, and the words by which it names its model."""

    output: ModelOutput
    merged: list[str] = []
    names_model: str | None = None


class TaskDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt with its distinct answers; `gold` is their order where it is known."""

    prompt: Prompt
    answers: list[AnswerDraft]
    gold: Tiers | None = None


def draft_tasks(prompts: Iterable[Prompt], outputs: Iterable[ModelOutput]) -> tuple[list[TaskDraft], LeftOut]:
    """Match outputs to prompts and merge answers that say the same; second, what is left out as (id, reason)."""
    left_out: LeftOut = []
    known: dict[str, Prompt] = {}
    for prompt in prompts:
        reason = "duplicate_prompt" if prompt.prompt_id in known else _prompt_fault(prompt)
        if reason:
            left_out.append((prompt.prompt_id, reason))
        else:
            known[prompt.prompt_id] = prompt
    answers = _answers(outputs, known, left_out)
    drafts = []
    for prompt_id, prompt in known.items():
        distinct = _distinct(sorted(answers[prompt_id].values(), key=lambda output: output.output_id))
        if FEWEST_ANSWERS <= len(distinct) <= MOST_ANSWERS:
            drafts.append(TaskDraft(prompt=prompt, answers=distinct))
        else:
            reason = "fewer_than_2_answers" if len(distinct) < FEWEST_ANSWERS else "more_than_9_answers"
            left_out.append((prompt_id, reason))
    return drafts, left_out


def draft_gold(gold: Gold) -> TaskDraft:
    """A gold prompt as a task; its answers are known to differ."""
    answers = [_answer([output]) for output in sorted(gold.outputs, key=lambda output: output.output_id)]
    return TaskDraft(prompt=gold.prompt, answers=answers, gold=gold.tiers)


def _answers(
    outputs: Iterable[ModelOutput], known: Mapping[str, Prompt], left_out: LeftOut
) -> dict[str, dict[str, ModelOutput]]:
    answers: dict[str, dict[str, ModelOutput]] = defaultdict(dict)
    for output in outputs:
        reason = _output_fault(output, known, answers[output.prompt_id])
        if reason:
            left_out.append((output.output_id, reason))
        else:
            answers[output.prompt_id][output.output_id] = output
    return answers


def _distinct(outputs: Sequence[ModelOutput]) -> list[AnswerDraft]:
    groups = merge(output.text for output in outputs)
    return [_answer([outputs[place] for place in group]) for group in groups]


def _answer(same: Sequence[ModelOutput]) -> AnswerDraft:
    first, *others = same
    return AnswerDraft(
        output=first,
        merged=[other.output_id for other in others],
        names_model=names_model(first.text, first.model),
    )


def _prompt_fault(prompt: Prompt) -> str | None:
    if not prompt.messages or prompt.messages[-1].role != "user":
        return "prompt_without_question"
    if not 1 <= len(prompt.prompt_id) <= LONGEST_ID:
        return "bad_id"
    return "bad_text" if b"\\u0000" in msgspec.json.encode(prompt) else None


def _output_fault(output: ModelOutput, known: Mapping[str, Prompt], seen: Mapping[str, ModelOutput]) -> str | None:
    if output.prompt_id not in known:
        return "unknown_prompt"
    if output.output_id in seen:
        return "duplicate_output"
    if not output.text.strip():
        return "empty_answer"
    if not 1 <= len(output.output_id) <= LONGEST_ID or ">" in output.output_id:
        return "bad_id"
    return "bad_text" if "\x00" in output.text + output.model + output.output_id else None
