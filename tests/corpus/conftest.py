"""Small dialogue sets and raw files made up for these tests."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from corpus.records import Dialogue, Message, Meta
from corpus.sets import Plan, run_step

Turns = Sequence[str]


def dialogue_of(turns: Turns, *, number: int = 1, department: str | None = None, raw_id: str | None = None) -> Dialogue:
    """Turns alternate, the patient's first."""
    roles = ("user", "assistant")
    return Dialogue(
        id=f"d-{number:016x}",
        messages=[Message(roles[index % 2], text) for index, text in enumerate(turns)],
        source="made-up",
        department=department,
        meta=Meta(file="made-up.jsonl", line=number, format="jsonl", raw_id=raw_id),
    )


def write_set(folder: Path, dialogues: Sequence[Dialogue]) -> Path:
    def work(writer) -> None:
        for dialogue in dialogues:
            writer.keep(dialogue)

    run_step(Plan(stage="import", inputs=[], parameters={}), folder, work)
    return folder


@pytest.fixture(scope="session")
def make_dialogue() -> Callable[..., Dialogue]:
    return dialogue_of


@pytest.fixture(scope="session")
def make_set() -> Callable[..., Path]:
    return write_set


@pytest.fixture
def set_of(tmp_path: Path) -> Callable[..., Path]:
    """Writes turns (or dialogues) as a set and gives its folder."""

    def make(*many: Turns | Dialogue, name: str = "source") -> Path:
        dialogues = [
            each if isinstance(each, Dialogue) else dialogue_of(each, number=number)
            for number, each in enumerate(many, start=1)
        ]
        return write_set(tmp_path / name, dialogues)

    return make


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    def make(*rows: object, name: str = "raw.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    return make
