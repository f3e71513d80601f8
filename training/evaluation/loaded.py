"""Answers that somebody else drew, in a file of our own or of any format that the corpus reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from corpus.importing import import_files
from corpus.records import Message, ModelOutput
from corpus.sets import read_dialogues
from foundation.cli import warn
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records
from training.evaluation.answers import EMPTY, MISSING, Answer
from training.evaluation.items import Item, holds

Turns = tuple[str, ...]


def read_answers(path: Path, name: str, items: Sequence[Item]) -> Iterator[tuple[str, Answer]]:
    """The answer to each item, by prompt id. Items that the file has no answer to are counted as `missing`; how many of
    its rows answer no item is said.

    `outputs.jsonl` goes by prompt id. Other files hold dialogues: an item is answered by the doctor's turn that follows
    the very same turns there, or, where the file has no history, the same question.
    """
    texts = _of_outputs(path, name) if holds(path, ModelOutput) else _of_dialogues(path, items)
    if texts.keys().isdisjoint(item.id for item in items):
        raise ZhongjingError(
            f"nothing in this file answers a prompt of the test sets, for {name}",
            where=path,
            hint="rows need the prompt ids of the evaluation, or the test set's own turns before the answer",
        )
    for item in items:
        text = texts.get(item.id)
        yield item.id, Answer(text=text) if text else Answer(fault=MISSING if text is None else EMPTY)


def _of_outputs(path: Path, name: str) -> dict[str, str]:
    """Texts by prompt id: those of the model of this name, or all where the file is of one model."""
    outputs = list(read_records(path, ModelOutput))
    models = {output.model for output in outputs}
    if len(models) > 1 and name not in models:
        raise ZhongjingError(
            f"this file is of several models, none called {name}", where=path, hint=", ".join(sorted(models))
        )
    texts: dict[str, str] = {}
    for output in outputs:
        if len(models) == 1 or output.model == name:
            texts.setdefault(output.prompt_id, output.text.strip())
    return texts


def _of_dialogues(path: Path, items: Sequence[Item]) -> dict[str, str]:
    by_turns = {_turns(item.prompt.messages): item.id for item in items}
    by_question = _unambiguous(items)
    texts: dict[str, str] = {}
    unused = 0
    with TemporaryDirectory() as folder:
        result = import_files([path], Path(folder) / "answers", names=[path.name])
        for dialogue in read_dialogues(Path(folder) / "answers"):
            found = dict(_answered(dialogue.messages, by_turns, by_question))
            unused += not found
            for prompt_id, text in found.items():
                texts.setdefault(prompt_id, text)
    if unused or result.rejected:
        rejected = sum(result.rejected.values())
        warn(f"{path}: {unused} rows answer no prompt of the test sets, {rejected} rows could not be read")
    return texts


def _answered(
    messages: Sequence[Message], by_turns: Mapping[Turns, str], by_question: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The items that a dialogue answers, by prompt id. The patient's last turn without a reply is an empty answer."""
    turns = [message for message in messages if message.role != "system"]
    for place, turn in enumerate(turns):
        if turn.role != "user":
            continue
        alone = by_question.get(turn.content.strip()) if place == 0 else None
        prompt_id = by_turns.get(_turns(turns[: place + 1]), alone)
        if prompt_id is not None:
            yield prompt_id, turns[place + 1].content.strip() if place + 1 < len(turns) else ""


def _turns(messages: Sequence[Message]) -> Turns:
    return tuple(message.content.strip() for message in messages if message.role != "system")


def _unambiguous(items: Sequence[Item]) -> dict[str, str]:
    """Prompt ids by the patient's last words, where these end one item alone."""
    found: dict[str, list[str]] = {}
    for item in items:
        found.setdefault(item.prompt.messages[-1].content.strip(), []).append(item.id)
    return {words: ids[0] for words, ids in found.items() if len(ids) == 1}
