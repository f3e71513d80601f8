"""Where the rows of a mix come from: dialogue sets, frozen versions, and raw files of any known format."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from corpus.importing import import_files
from corpus.records import Dialogue, Message
from corpus.sets import REJECTS, read_dialogues
from foundation.files import existing_file
from foundation.manifest import FileEntry, entry_of, read_manifest
from foundation.rejects import Reject, read_rejects

STAGE = "mix"
SINGLE, MULTI = "single-turn", "multi-turn"


class MixSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A set, a version or a raw file; no more than `cap` rows of it are used. `name` is what its rows are called."""

    path: Path
    name: str | None = None
    cap: Annotated[int, Meta(ge=1)] | None = None

    @property
    def called(self) -> str:
        """The name of its rows."""
        return self.name or self.path.name.split(".")[0]

    def entry(self) -> FileEntry:
        """The source as a parent in a manifest."""
        return entry_of(self.path, self.called)


class OpenSource(msgspec.Struct, frozen=True):
    """A source as a set of dialogues, and what of its raw file could not be read."""

    source: MixSource
    folder: Path
    unread: list[Reject]


@contextmanager
def opened(sources: Sequence[MixSource]) -> Iterator[list[OpenSource]]:
    """The sources in order as sets; raw files are imported to a temporary place."""
    for source in sources:
        read_manifest(source.path) if source.path.is_dir() else existing_file(source.path)
    with tempfile.TemporaryDirectory() as place:
        yield [_open(source, Path(place) / str(number)) for number, source in enumerate(sources)]


def conversations(source: OpenSource, kind: str, system: str | None) -> Iterator[tuple[Dialogue, list[Message] | str]]:
    """Each dialogue with the messages that the mix may use, or the reason why it may not.

    A conversation ends on the doctor: what a patient said last and nobody answered is cut off. Reasons: `no_answer`,
    `not_single_turn`, `not_multi_turn`.
    """
    for dialogue in read_dialogues(source.folder):
        yield dialogue, _fitting(dialogue.messages, kind, system)


def _open(source: MixSource, place: Path) -> OpenSource:
    if source.path.is_dir():
        return OpenSource(source, source.path, [])
    import_files([source.path], place, names=[source.path.name], processes=1)
    return OpenSource(source, place, list(read_rejects(place / REJECTS)))


def _fitting(messages: Sequence[Message], kind: str, system: str | None) -> list[Message] | str:
    last = max((place for place, message in enumerate(messages) if message.role == "assistant"), default=-1)
    answers = sum(message.role == "assistant" for message in messages)
    if last < 0:
        return "no_answer"
    if kind == SINGLE and answers != 1:
        return "not_single_turn"
    if kind == MULTI and answers < 2:
        return "not_multi_turn"
    kept = list(messages[: last + 1])
    if system is None:
        return kept
    return [Message("system", system), *(message for message in kept if message.role != "system")]
