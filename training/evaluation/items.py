"""Test sets as items: prompts that every model answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from corpus.importing import import_files
from corpus.readers.rows import KNOWN_COLUMNS
from corpus.records import Dialogue, Message, Meta, Prompt, make_id
from corpus.sampling import draw, shares_of
from corpus.sets import KIND, VERSION_KIND, Plan, SetWriter, read_dialogues, run_step
from corpus.turns import asking_turns
from foundation.errors import ZhongjingError
from foundation.files import existing_file
from foundation.jsonl import BadJsonError, parse_json
from foundation.manifest import entry_of, read_manifest
from foundation.text import numbered_lines, open_bytes
from training.evaluation.recipe import Kind, TestSet
from training.generate import read_prompts

STAGE = "test-set"
QUESTIONS = ("instruct", "instruction", "question", "query", "prompt", "ask", "问题", "提问")


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt of a test set; `row` is the id of its dialogue in the set that the test was read into. Items of one
    dialogue hang together: statistics count them as one `cluster`."""

    test: str
    kind: Kind
    prompt: Prompt
    row: str

    @property
    def id(self) -> str:
        """The prompt's id."""
        return self.prompt.prompt_id

    @property
    def cluster(self) -> str:
        """Which dialogue of which test set it is of."""
        return f"{self.test}/{self.prompt.dialogue_id}"


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A test set that was read, and the dialogue set it lies in. `unread` rows are no dialogues, `unasking` dialogues
    hold nothing to answer, `undrawn` ones were more than the recipe wants."""

    test: TestSet
    folder: Path
    items: list[Item]
    unread: int = 0
    unasking: int = 0
    undrawn: int = 0

    @property
    def dialogues(self) -> int:
        """How many dialogues its items are of."""
        return len({item.cluster for item in self.items})

    @property
    def without_reference(self) -> int:
        """Items to which the test set has no doctor's reply."""
        return sum(item.prompt.reference is None for item in self.items)


def load_test(test: TestSet, folder: Path, seed: int) -> Loaded:
    """Read a test set of any form; what is no dialogue set yet becomes one in `folder`.

    Multi-turn: an item for every turn in which the patient asks, after the doctor's own words before it. Single-turn
    and safety: the patient's first words, whether they ask or not. Prompts of `corpus sample` stay what they are.
    """
    if test.path.is_dir():
        if read_manifest(test.path).kind not in (KIND, VERSION_KIND):
            raise ZhongjingError("this folder holds no dialogues", where=test.path)
        return _of_dialogues(test, test.path, seed)
    if holds(test.path, Prompt):
        return _of_prompts(test, folder, seed)
    questions = _questions(test.path)
    if questions:
        _write(test.path, folder, questions)
        return _of_dialogues(test, folder, seed)
    result = import_files([test.path], folder, names=[test.path.name])
    return _of_dialogues(test, folder, seed, sum(result.rejected.values()))


def _of_dialogues(test: TestSet, folder: Path, seed: int, unread: int = 0) -> Loaded:
    total, departments, ends = 0, defaultdict[str, list[str]](list), dict[str, list[int]]()
    for dialogue in read_dialogues(folder):
        total += 1
        if found := _ends(dialogue.messages, test.kind):
            ends[dialogue.id] = found
            departments[dialogue.department or ""].append(dialogue.id)
    if not ends:
        raise ZhongjingError("no patient asks anything in this test set", where=test.path)
    sizes = {name: len(ids) for name, ids in departments.items()}
    chosen = draw(departments, shares_of(sizes, test.count or total), seed)
    items = [
        _item(test, dialogue, end)
        for dialogue in read_dialogues(folder)
        if dialogue.id in chosen
        for end in ends[dialogue.id]
    ]
    undrawn = len(ends) - len(chosen)
    return Loaded(test=test, folder=folder, items=items, unread=unread, unasking=total - len(ends), undrawn=undrawn)


def _of_prompts(test: TestSet, folder: Path, seed: int) -> Loaded:
    prompts = read_prompts(test.path)
    _write(test.path, folder, [_dialogue(prompt, test.path, line) for line, prompt in enumerate(prompts, start=1)])
    chosen = draw({"": [prompt.prompt_id for prompt in prompts]}, {"": test.count or len(prompts)}, seed)
    items = [
        Item(test=test.name, kind=test.kind, prompt=prompt, row=prompt.prompt_id)
        for prompt in prompts
        if prompt.prompt_id in chosen
    ]
    return Loaded(test=test, folder=folder, items=items, undrawn=len(prompts) - len(items))


def _ends(messages: Sequence[Message], kind: Kind) -> list[int]:
    """How many messages to keep, for each item of a dialogue."""
    if kind == "multi-turn":
        return [place + 1 for place, asks in enumerate(asking_turns(messages)) if asks]
    return [place + 1 for place, message in enumerate(messages) if message.role == "user"][:1]


def _item(test: TestSet, dialogue: Dialogue, end: int) -> Item:
    following = dialogue.messages[end : end + 1]
    prompt = Prompt(
        prompt_id=make_id("p", test.name, dialogue.id, end),
        messages=dialogue.messages[:end],
        dialogue_id=dialogue.id,
        dataset_version=test.name,
        department=dialogue.department,
        reference=following[0].content if following and following[0].role == "assistant" else None,
    )
    return Item(test=test.name, kind=test.kind, prompt=prompt, row=dialogue.id)


def _dialogue(prompt: Prompt, path: Path, line: int) -> Dialogue:
    reply = [Message("assistant", prompt.reference)] if prompt.reference else []
    meta = Meta(file=path.name, line=line, format="prompts", raw_id=prompt.prompt_id)
    return Dialogue(id=prompt.prompt_id, messages=[*prompt.messages, *reply], source=path.stem, meta=meta)


def holds(path: Path, kind: type[msgspec.Struct]) -> bool:
    """Whether a file is JSON lines of our own, of this kind, by its first line."""
    with open_bytes(existing_file(path)) as stream:
        first = next((line for line in stream if line.strip()), b"")
    try:
        msgspec.json.decode(first, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _questions(path: Path) -> list[Dialogue]:
    """The rows of a file that holds questions alone (JSON, or text lines), as dialogues; none where it holds more."""
    rows = [(line, _question(row)) for line, row in _rows(path)]
    if any(text is None for _, text in rows):
        return []
    return [
        Dialogue(
            id=make_id("d", path.name, line, text),
            messages=[Message("user", str(text))],
            source=path.stem,
            meta=Meta(file=path.name, line=line, format="questions"),
        )
        for line, text in rows
    ]


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Values of a JSON array or of JSON lines with their numbers; lines of a .txt file as they are. One that is None
    where the file is something else."""
    text = "\n".join(line for _, line in numbered_lines(path) if isinstance(line, str))
    is_text = path.name.removesuffix(".gz").endswith(".txt")
    try:
        if text.lstrip().startswith("["):
            yield from enumerate(parse_json(text), start=1)
            return
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield number, line if is_text else parse_json(line)
    except BadJsonError:
        yield 0, None


def _question(row: object) -> str | None:
    """The text of a row that only asks: a string, or an object with one question and no answer."""
    if isinstance(row, Mapping):
        texts = [value for key, value in row.items() if key in QUESTIONS]
        is_more = not KNOWN_COLUMNS.isdisjoint(row.keys() - set(QUESTIONS))
        row = texts[0] if len(texts) == 1 and not is_more else None
    return row.strip() or None if isinstance(row, str) else None


def _write(path: Path, folder: Path, dialogues: Sequence[Dialogue]) -> None:
    def work(writer: SetWriter) -> None:
        for dialogue in dialogues:
            writer.keep(dialogue)

    run_step(Plan(stage=STAGE, inputs=[entry_of(path)], parameters={}), folder, work)
