"""Rows to learn language from: conversations with the kind they are of, or plain texts. A bad row is left out with
its reason, never silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from corpus.records import Message, make_id
from corpus.sets import DIALOGUES, read_dialogues
from foundation.errors import ZhongjingError
from foundation.rejects import Reject
from training.examples import BadRowError, decode, lines_of

MANY, ONE, TEXT = "multi-turn", "single-turn", "text"
REJECTS = "rejects.jsonl"


class Row(msgspec.Struct, frozen=True):
    """A conversation or a text, where it stood, and the kind it is of."""

    file: str
    line: int
    kind: str
    content: list[Message] | str

    def reject(self, reason: str, detail: str) -> Reject:
        """This row, left out after all."""
        return Reject(stage="tuning", reason=reason, file=self.file, line=self.line, detail=detail)


class Gathered(msgspec.Struct, frozen=True):
    """The rows of some files, and a reject for every one that is not among them."""

    rows: list[Row]
    rejects: list[Reject]

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows were left out for each reason."""
        return dict(sorted(Counter(reject.reason for reject in self.rejects).items()))


class _Conversation(msgspec.Struct):
    messages: list[Message]
    kind: str = ""


class _Text(msgspec.Struct):
    text: str
    kind: str = TEXT


def read_mix(paths: Sequence[Path], without: Sequence[str]) -> Gathered:
    """Conversations of JSON lines and of data set versions, but for those of the kinds `without`."""
    gathered = Gathered([], [])
    for path in paths:
        if (path / DIALOGUES).is_file():
            gathered.rows.extend(_of_version(path))
        else:
            _read(path, _conversation, gathered)
    kinds = {row.kind for row in gathered.rows}
    if unknown := set(without) - kinds:
        raise ZhongjingError(
            f"no row is of the kind {', '.join(sorted(unknown))}", hint=f"the kinds here: {', '.join(sorted(kinds))}"
        )
    kept = [row for row in gathered.rows if row.kind not in without]
    return _not_empty(Gathered(kept, gathered.rejects), paths)


def read_texts(paths: Sequence[Path]) -> Gathered:
    """Plain texts of JSON lines."""
    gathered = Gathered([], [])
    for path in paths:
        _read(path, _text, gathered)
    return _not_empty(gathered, paths)


def is_held_out(row: Row, share: float, seed: int) -> bool:
    """Whether a row is kept to measure on: by its own words, so that equal rows are on one side."""
    return int(make_id("h", seed, row.content).removeprefix("h-"), 16) < share * 2**64


def _of_version(folder: Path) -> Iterator[Row]:
    for dialogue in read_dialogues(folder):
        yield Row(dialogue.meta.file, dialogue.meta.line, _kind(dialogue.messages), dialogue.messages)


def _read(path: Path, content_of: Callable[[bytes], tuple[str, Any]], gathered: Gathered) -> None:
    for file in _files(path):
        for line, text in lines_of(file):
            try:
                gathered.rows.append(Row(file.name, line, *content_of(text)))
            except BadRowError as error:
                gathered.rejects.append(Row(file.name, line, "", "").reject(error.reason, str(error)))


def _text(line: bytes) -> tuple[str, str]:
    found = decode(line, _Text)
    if not found.text.strip():
        raise BadRowError("empty", "a text without words")
    return found.kind, found.text


def _conversation(line: bytes) -> tuple[str, list[Message]]:
    found = decode(line, _Conversation)
    turns = [message for message in found.messages if message.role != "system"]
    if any(not message.content.strip() for message in found.messages):
        raise BadRowError("empty", "a turn without words")
    if any(turn.role != ("user", "assistant")[place % 2] for place, turn in enumerate(turns)):
        raise BadRowError("bad_turns", "turns do not alternate, the patient first")
    if len(turns) < 2:
        raise BadRowError("no_answer", "no doctor's turn")
    return found.kind or _kind(turns), found.messages


def _kind(messages: Sequence[Message]) -> str:
    return MANY if sum(message.role == "assistant" for message in messages) > 1 else ONE


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or the JSON lines of a folder but for what was left out of it."""
    if not path.is_dir():
        yield path
        return
    found = [file for file in sorted(path.glob("*.jsonl")) if file.name != REJECTS]
    if not found:
        raise ZhongjingError("no JSON lines in this folder", where=path, hint="name the file")
    yield from found


def _not_empty(gathered: Gathered, paths: Sequence[Path]) -> Gathered:
    if gathered.rows:
        return gathered
    raise ZhongjingError(
        f"nothing to learn from here (left out: {gathered.reasons or 'none'})",
        where=", ".join(map(str, paths)),
        hint="`mix` takes rows {messages, kind}, `texts` rows {text}",
    )
