"""The sample's own answers: four to each of its prompts, of known quality."""

from __future__ import annotations

from pathlib import Path

import msgspec

from annotation.campaigns.inputs import Quality
from corpus.records import ModelOutput, Prompt, make_id
from corpus.sets import read_dialogues
from foundation.jsonl import read_records, write_records


class Answer(msgspec.Struct, frozen=True):
    """An answer and its true quality, 3 best, 0 worst."""

    text: str
    quality: float
    model: str


class Answers(msgspec.Struct, frozen=True):
    """Answers to the last asking turn of the dialogue that its file calls `dialogue`."""

    dialogue: str
    answers: list[Answer]


class Loaded(msgspec.Struct, frozen=True):
    """What was loaded: prompts with answers, and answers."""

    prompts: int
    outputs: int


def dialogues_with_answers(path: Path) -> set[str]:
    """Raw ids of the dialogues that have answers."""
    return {answers.dialogue for answers in _read(path)}


def load_answers(path: Path, version: Path, prompts: Path, outputs: Path, truth: Path) -> Loaded:
    """Write the answers to `prompts` as `outputs`, and their qualities as `truth`."""
    asked = {prompt.dialogue_id: prompt for prompt in read_records(prompts, Prompt)}
    raw_ids = {dialogue.meta.raw_id: dialogue.id for dialogue in read_dialogues(version) if dialogue.id in asked}
    pairs = [
        _output(asked[raw_ids[entry.dialogue]].prompt_id, answer)
        for entry in _read(path)
        if entry.dialogue in raw_ids
        for answer in entry.answers
    ]
    write_records(truth, [Quality(output_id=output.output_id, quality=quality) for output, quality in pairs])
    count = write_records(outputs, [output for output, _ in pairs])
    return Loaded(prompts=len({output.prompt_id for output, _ in pairs}), outputs=count)


def _output(prompt_id: str, answer: Answer) -> tuple[ModelOutput, float]:
    output_id = make_id("o", prompt_id, answer.model, answer.text)
    return ModelOutput(prompt_id=prompt_id, output_id=output_id, text=answer.text, model=answer.model), answer.quality


def _read(path: Path) -> list[Answers]:
    return msgspec.json.decode(path.read_bytes(), type=list[Answers])
