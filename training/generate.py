"""K answers to each prompt, drawn from one or several models; an interrupted run goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rapidfuzz import fuzz

from corpus.records import Decoding, ModelOutput, Prompt, make_id
from foundation.errors import ZhongjingError
from foundation.files import sha256_of
from foundation.jsonl import read_records, write_records
from foundation.partial import Partial
from foundation.progress import progress
from training.drawing import decoding_config, draw_texts
from training.models import encode_prompt, entry_of_model, load_causal, model_folder
from training.recipes import REFERENCE, Answerer, GenerateRecipe, parameters
from training.runtime import prepare, seeded


class GenerateResult(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of a run. `reused` answers were found in the partial file of an interrupted one; `near_identical`
    stayed so after all redraws; `empty` stayed empty and were left out; `truncated` counts prompts that were cut."""

    output: Path
    prompts: int
    outputs: int
    reused: int
    redrawn: int
    near_identical: int
    empty: int
    truncated: int
    without_reference: int


class Tally(msgspec.Struct):
    """Running counts of `GenerateResult`."""

    redrawn: int = 0
    near_identical: int = 0
    empty: int = 0
    truncated: int = 0
    reused: int = 0


class Drawn(msgspec.Struct):
    """What the partial file holds: one answer with what its run has to count."""

    output: ModelOutput
    draw: int
    tries: int = 0
    near_identical: bool = False
    truncated: bool = False


Draw = Callable[[Sequence[Prompt], int], list[str]]


def generate(recipe: GenerateRecipe) -> GenerateResult:
    """Write `outputs.jsonl`: every prompt's answers in the order of prompts, models and draws.

    A batch's random numbers depend on the seed, the model's place, the batch and the redraw alone, so that a run
    that was interrupted ends with the same bytes as one that was not.
    """
    prepare()
    if recipe.output.is_dir():
        raise ZhongjingError("this is a folder, the output is a file", where=recipe.output)
    if recipe.output.resolve() == recipe.prompts.resolve():
        raise ZhongjingError("the output would replace the prompts", where=recipe.output, hint="choose another name")
    prompts = read_prompts(recipe.prompts)
    folders = [model_folder(model, recipe.output) for model in recipe.models]
    tally = Tally()
    with Partial(_partial_path(recipe.output), _fingerprint(recipe, folders), Drawn) as partial:
        total = len(prompts) * sum(model.answers for model in recipe.models)
        with progress("drawing answers", total) as bar:
            for place, (answerer, folder) in enumerate(zip(recipe.models, folders, strict=True)):
                for drawn in _answers(recipe, place, answerer, folder, prompts, partial, tally):
                    bar.advance(len(drawn))
        outputs = _in_order(prompts, partial.records, recipe, tally)
        count = write_records(recipe.output, outputs)
        partial.remove()
    return GenerateResult(
        output=recipe.output,
        prompts=len(prompts),
        outputs=count,
        without_reference=sum(not prompt.reference for prompt in prompts) if recipe.include_reference else 0,
        **msgspec.structs.asdict(tally),
    )


def read_prompts(path: Path) -> list[Prompt]:
    """The prompts of a file; none, two of one id, or one that does not end on the patient is an error."""
    prompts: list[Prompt] = []
    seen: set[str] = set()
    for line, prompt in enumerate(read_records(path, Prompt), start=1):
        if prompt.prompt_id in seen:
            raise ZhongjingError(f"the prompt {prompt.prompt_id} occurs twice", where=f"{path}:{line}")
        if not prompt.messages or prompt.messages[-1].role != "user":
            raise ZhongjingError(f"the prompt {prompt.prompt_id} does not end on a patient's turn", where=path)
        seen.add(prompt.prompt_id)
        prompts.append(prompt)
    if not prompts:
        raise ZhongjingError("no prompt in this file", where=path)
    return prompts


def _answers(
    recipe: GenerateRecipe,
    place: int,
    answerer: Answerer,
    folder: Path,
    prompts: Sequence[Prompt],
    partial: Partial[Drawn],
    tally: Tally,
) -> Iterator[list[Drawn]]:
    """Batch after batch of one model, from the partial file where they are there; the model loads when needed."""
    loaded: tuple[Any, Any] | None = None
    for number, start in enumerate(range(0, len(prompts), recipe.batch_size)):
        chunk = prompts[start : start + recipe.batch_size]
        key = f"{place}/{number}"
        if (found := partial.found(key)) is not None:
            tally.reused += sum(bool(drawn.output.text) for drawn in found)
            yield found
            continue
        model, tokenizer = loaded = loaded or load_causal(folder)
        earlier = _texts(partial.records)
        draw, cut = _drawer(recipe, (place, number), answerer, model, tokenizer, chunk)
        drawn = _draw_batch(recipe, answerer, chunk, earlier, draw)
        for record in drawn:
            record.truncated = record.output.prompt_id in cut
        partial.add(key, drawn)
        yield drawn


def _drawer(
    recipe: GenerateRecipe,
    where: tuple[int, int],
    answerer: Answerer,
    model: Any,
    tokenizer: Any,
    chunk: Sequence[Prompt],
) -> tuple[Draw, set[str]]:
    """A function that answers some prompts of a batch in its n-th round, and the ids of prompts that were cut."""
    coded = {prompt.prompt_id: encode_prompt(tokenizer, prompt.messages, recipe.max_prompt_tokens) for prompt in chunk}
    config = decoding_config(
        tokenizer,
        temperature=answerer.temperature,
        top_p=answerer.top_p,
        max_new_tokens=answerer.max_new_tokens,
    )

    def draw(wanted: Sequence[Prompt], turn: int) -> list[str]:
        with seeded(recipe.seed, *where, turn):
            return draw_texts(model, tokenizer, [coded[prompt.prompt_id][0] for prompt in wanted], config)

    return draw, {prompt_id for prompt_id, (_, cut) in coded.items() if cut}


def _draw_batch(
    recipe: GenerateRecipe, answerer: Answerer, chunk: Sequence[Prompt], earlier: dict[str, list[str]], draw: Draw
) -> list[Drawn]:
    """All answers of one model to a batch of prompts, the unusable ones drawn again."""
    decoding = Decoding(
        temperature=answerer.temperature,
        top_p=answerer.top_p,
        max_new_tokens=answerer.max_new_tokens,
        seed=recipe.seed,
    )
    result: list[Drawn] = []
    redraws = recipe.redraws if answerer.temperature > 0 else 0
    for number in range(answerer.answers):
        texts, tries = _draw_distinct(chunk, earlier, draw, number * (redraws + 1), redraws, recipe.similarity)
        for prompt in chunk:
            text = texts[prompt.prompt_id]
            before = earlier.setdefault(prompt.prompt_id, [])
            output = ModelOutput(
                prompt_id=prompt.prompt_id,
                output_id=make_id("o", prompt.prompt_id, answerer.name, number, text),
                text=text,
                model=answerer.name,
                decoding=decoding,
            )
            near = bool(text) and not _usable(text, before, recipe.similarity)
            result.append(Drawn(output=output, draw=number, tries=tries[prompt.prompt_id], near_identical=near))
            before.append(text)
    return result


def _draw_distinct(
    chunk: Sequence[Prompt], earlier: dict[str, list[str]], draw: Draw, turn: int, redraws: int, similarity: float
) -> tuple[dict[str, str], dict[str, int]]:
    """One answer per prompt id, and how often each was drawn again."""
    texts: dict[str, str] = {}
    tries = {prompt.prompt_id: -1 for prompt in chunk}
    wanted = list(chunk)
    for attempt in range(redraws + 1):
        for prompt, text in zip(wanted, draw(wanted, turn + attempt), strict=True):
            tries[prompt.prompt_id] += 1
            texts[prompt.prompt_id] = text or texts.get(prompt.prompt_id, "")
        wanted = [
            prompt
            for prompt in wanted
            if not _usable(texts[prompt.prompt_id], earlier.get(prompt.prompt_id, []), similarity)
        ]
        if not wanted:
            break
    return texts, tries


def _usable(text: str, earlier: Sequence[str], similarity: float) -> bool:
    return bool(text) and all(fuzz.ratio(text, other) < similarity * 100 for other in earlier)


def _texts(records: Sequence[Drawn]) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for record in records:
        texts.setdefault(record.output.prompt_id, []).append(record.output.text)
    return texts


def _in_order(
    prompts: Sequence[Prompt], records: Sequence[Drawn], recipe: GenerateRecipe, tally: Tally
) -> list[ModelOutput]:
    by_prompt: dict[str, list[ModelOutput]] = {prompt.prompt_id: [] for prompt in prompts}
    for record in records:
        tally.redrawn += record.tries
        tally.near_identical += record.near_identical
        if record.output.text:
            by_prompt[record.output.prompt_id].append(record.output)
        else:
            tally.empty += 1
    tally.truncated = len({record.output.prompt_id for record in records if record.truncated})
    if recipe.include_reference:
        for prompt in prompts:
            by_prompt[prompt.prompt_id] += _reference(prompt)
    return [output for outputs in by_prompt.values() for output in outputs]


def _reference(prompt: Prompt) -> list[ModelOutput]:
    if not prompt.reference:
        return []
    identity = make_id("o", prompt.prompt_id, REFERENCE, 0, prompt.reference)
    return [ModelOutput(prompt_id=prompt.prompt_id, output_id=identity, text=prompt.reference, model=REFERENCE)]


def _partial_path(output: Path) -> Path:
    return output.with_name(f"{output.name}.partial")


def _fingerprint(recipe: GenerateRecipe, folders: Sequence[Path]) -> str:
    """Whatever the answers depend on; another value makes a partial file useless."""
    models = [entry_of_model(folder).sha256 for folder in folders]
    return make_id("run", parameters(recipe), sha256_of(recipe.prompts), models)
