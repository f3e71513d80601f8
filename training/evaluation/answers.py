"""Every model's answer to every item: drawn here, asked of an endpoint, or read from a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from corpus.records import Message, make_id
from foundation.endpoint import Client, EndpointError
from foundation.progress import progress
from training.evaluation.items import Item
from training.evaluation.recipe import Contestant, EvaluationRecipe
from training.evaluation.store import Store, key_of

EMPTY, CUT, PROMPT_CUT = "empty", "cut", "prompt_cut"
MISSING = "missing"


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One model's answer to one item. `fault` says why there is none; `cut` is one that did not end by itself,
    `prompt_cut` one to a prompt that lost its oldest words."""

    text: str = ""
    fault: str | None = None
    cut: bool = False
    prompt_cut: bool = False


Answers = dict[str, dict[str, Answer]]


def collect_answers(recipe: EvaluationRecipe, items: Sequence[Item], store: Store[Answer]) -> Answers:
    """By model and prompt id. What was drawn under the same conditions before is taken from the store; faults that may
    pass are not kept there, so that the next run asks again."""
    return {
        contestant.name: {
            prompt_id: _shortened(answer, recipe.longest_answer)
            for prompt_id, answer in _of(contestant, recipe, items, store)
        }
        for contestant in recipe.models
    }


def output_id(item: Item, model: str) -> str:
    """How an answer is called in an experts' campaign."""
    return make_id("o", item.id, model)


def _of(
    contestant: Contestant, recipe: EvaluationRecipe, items: Sequence[Item], store: Store[Answer]
) -> Iterator[tuple[str, Answer]]:
    if contestant.answers is not None:
        from training.evaluation.loaded import read_answers

        yield from read_answers(contestant.answers, contestant.name, items)
        return
    identity = _identity(contestant, recipe)
    keys = {item.id: key_of(identity, item.prompt.messages) for item in items}
    missing: list[Item] = []
    for item in items:
        answer = store.found(keys[item.id])
        if answer is None:
            missing.append(item)
        else:
            yield item.id, answer
    if not missing:
        return
    is_asked = contestant.endpoint is not None
    for batch in _asked(contestant, missing, keys) if is_asked else _drawn(contestant, recipe, missing, keys):
        store.add({keys[prompt_id]: answer for prompt_id, answer in batch.items() if answer.fault in (None, EMPTY)})
        yield from batch.items()


def _identity(contestant: Contestant, recipe: EvaluationRecipe) -> list[Any]:
    """All that an answer depends on, the prompt aside."""
    decoding = [contestant.temperature, contestant.top_p, contestant.max_new_tokens, recipe.seed]
    if contestant.endpoint is not None:
        return ["endpoint", contestant.endpoint.base_url, contestant.endpoint.model, *decoding]
    from training.evaluation.local import identity_of

    return ["local", *identity_of(contestant), recipe.max_prompt_tokens, *decoding]


def _drawn(
    contestant: Contestant, recipe: EvaluationRecipe, items: Sequence[Item], keys: Mapping[str, str]
) -> Iterator[dict[str, Answer]]:
    """Answers of a local model, a batch at a time."""
    from training.evaluation.local import LocalModel

    with progress(f"answers of {contestant.name}", len(items)) as bar:
        model = LocalModel(contestant, recipe)
        for start in range(0, len(items), recipe.batch_size):
            batch = items[start : start + recipe.batch_size]
            said = model.answer([item.prompt.messages for item in batch], [keys[item.id] for item in batch])
            yield {
                item.id: _answer(one.text, cut=one.cut, prompt_cut=one.prompt_cut)
                for item, one in zip(batch, said, strict=True)
            }
            bar.advance(len(batch))


def _asked(contestant: Contestant, items: Sequence[Item], keys: Mapping[str, str]) -> Iterator[dict[str, Answer]]:
    """Answers of an endpoint, as they come. Where it cannot be reached at all the run ends: what came is kept."""
    assert contestant.endpoint is not None
    with Client(contestant.endpoint) as client:

        def ask(item: Item) -> Answer:
            try:
                reply = client.chat(
                    plain(item.prompt.messages),
                    max_tokens=contestant.max_new_tokens,
                    temperature=contestant.temperature,
                    top_p=contestant.top_p,
                    seed=int(keys[item.id][:7], 16),
                )
            except EndpointError as error:
                if error.hopeless:
                    raise
                return Answer(fault=error.fault)
            return _answer(reply.text, cut=reply.finish == "length")

        for item, answer in client.each(items, ask, f"asking {contestant.name}"):
            yield {item.id: answer}


def plain(messages: Iterable[Message]) -> list[dict[str, str]]:
    """Messages as OpenAI's protocol has them."""
    return [{"role": message.role, "content": message.content} for message in messages]


def _answer(text: str, *, cut: bool, prompt_cut: bool = False) -> Answer:
    text = text.strip()
    return Answer(text=text, fault=None if text else EMPTY, cut=cut, prompt_cut=prompt_cut)


def _shortened(answer: Answer, longest: int) -> Answer:
    if len(answer.text) <= longest:
        return answer
    return msgspec.structs.replace(answer, text=answer.text[:longest], cut=True)


def faults(answers: Mapping[str, Answer]) -> dict[str, int]:
    """How often one model gave no answer, by reason, and how many of its answers, or their prompts, were cut."""
    counts = Counter(answer.fault for answer in answers.values() if answer.fault)
    counts[CUT] = sum(answer.cut and not answer.fault for answer in answers.values())
    counts[PROMPT_CUT] = sum(answer.prompt_cut for answer in answers.values())
    return {reason: count for reason, count in sorted(counts.items()) if count}
