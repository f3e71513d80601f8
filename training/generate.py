"""K answers to each prompt, drawn from one or several models; an interrupted run goes on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from rapidfuzz import fuzz

from corpus.records import Decoding, ModelOutput, Prompt, make_id
from foundation.errors import ZhongjingError
from foundation.files import sha256_of
from foundation.jsonl import read_records, write_records
from foundation.partial import Partial
from foundation.progress import progress
from training.models import entry_of_model, model_folder
from training.recipes import REFERENCE, Answerer, GenerateRecipe, parameters
from training.runtime import prepare
from training.speakers import Draw, EndpointSpeaker, LocalSpeaker, Said, Speaker


class GenerateResult(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of a run. `reused` answers were found in the partial file of an interrupted one; `near_identical`
    stayed so after all redraws; `empty` stayed empty and were left out, `failed` of them because an endpoint gave none;
    `truncated` counts prompts that were cut."""

    output: Path
    prompts: int
    outputs: int
    reused: int
    redrawn: int
    near_identical: int
    empty: int
    failed: dict[str, int]
    truncated: int
    without_reference: int


class Tally(msgspec.Struct):
    """Running counts of `GenerateResult`."""

    redrawn: int = 0
    near_identical: int = 0
    empty: int = 0
    failed: dict[str, int] = {}
    truncated: int = 0
    reused: int = 0


class Drawn(msgspec.Struct):
    """What the partial file holds: one answer with what its run has to count."""

    output: ModelOutput
    draw: int
    tries: int = 0
    near_identical: bool = False
    truncated: bool = False
    fault: str = ""


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
    folders = [None if model.endpoint else model_folder(model, recipe.output) for model in recipe.models]
    tally = Tally()
    with Partial(_partial_path(recipe.output), _fingerprint(recipe, folders), Drawn) as partial:
        total = len(prompts) * sum(model.answers for model in recipe.models)
        with progress("drawing answers", total) as bar:
            for place, folder in enumerate(folders):
                for drawn in _answers(recipe, place, _speaker(recipe, place, folder), prompts, partial, tally):
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


def _speaker(recipe: GenerateRecipe, place: int, folder: Path | None) -> Speaker:
    answerer = recipe.models[place]
    if answerer.endpoint is not None:
        return EndpointSpeaker(answerer, answerer.endpoint)
    assert folder is not None
    return LocalSpeaker(recipe, answerer, folder)


def _answers(
    recipe: GenerateRecipe,
    place: int,
    speaker: Speaker,
    prompts: Sequence[Prompt],
    partial: Partial[Drawn],
    tally: Tally,
) -> Iterator[list[Drawn]]:
    """Batch after batch of one model, from the partial file where they are there."""
    for number, start in enumerate(range(0, len(prompts), recipe.batch_size)):
        chunk = prompts[start : start + recipe.batch_size]
        key = f"{place}/{number}"
        if (found := partial.found(key)) is not None:
            tally.reused += sum(bool(drawn.output.text) for drawn in found)
            yield found
            continue
        draw, cut = speaker.drawer(chunk, (recipe.seed, place, number))
        drawn = _draw_batch(recipe, recipe.models[place], chunk, _texts(partial.records), draw)
        for record in drawn:
            record.truncated = record.output.prompt_id in cut
        partial.add(key, drawn)
        yield drawn


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
            said = texts[prompt.prompt_id]
            text = said.text
            before = earlier.setdefault(prompt.prompt_id, [])
            output = ModelOutput(
                prompt_id=prompt.prompt_id,
                output_id=make_id("o", prompt.prompt_id, answerer.name, number, text),
                text=text,
                model=answerer.name,
                decoding=decoding,
            )
            near = bool(text) and not _usable(text, before, recipe.similarity)
            again = tries[prompt.prompt_id]
            result.append(Drawn(output=output, draw=number, tries=again, near_identical=near, fault=said.fault))
            before.append(text)
    return result


def _draw_distinct(
    chunk: Sequence[Prompt], earlier: dict[str, list[str]], draw: Draw, turn: int, redraws: int, similarity: float
) -> tuple[dict[str, Said], dict[str, int]]:
    """One answer per prompt id, and how often each was drawn again."""
    texts: dict[str, Said] = {}
    tries = {prompt.prompt_id: -1 for prompt in chunk}
    wanted = list(chunk)
    for attempt in range(redraws + 1):
        for prompt, said in zip(wanted, draw(wanted, turn + attempt), strict=True):
            tries[prompt.prompt_id] += 1
            texts[prompt.prompt_id] = said if said.text else texts.get(prompt.prompt_id, said)
        wanted = [
            prompt
            for prompt in wanted
            if not _usable(texts[prompt.prompt_id].text, earlier.get(prompt.prompt_id, []), similarity)
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
            if record.fault:
                tally.failed[record.fault] = tally.failed.get(record.fault, 0) + 1
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


def _fingerprint(recipe: GenerateRecipe, folders: Sequence[Path | None]) -> str:
    """Whatever the answers depend on; another value makes a partial file useless."""
    models = [folder and entry_of_model(folder).sha256 for folder in folders]
    return make_id("run", parameters(recipe), sha256_of(recipe.prompts), models)
