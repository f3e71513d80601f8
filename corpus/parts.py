"""Parts of a step's work, and how one is done: whole or not there, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from corpus.sets import SetWriter, StageResult
from foundation.files import new_folder

RESULT = "result.json"

DoPart = Callable[["Part", SetWriter], None]
OnRows = Callable[[int], None]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the work: row groups of the source, or one of the raw files; `size` in rows where it is known."""

    places: list[int]
    size: int = 0


class Work(Protocol):
    """What is done to parts. It is sent to every process, where `start` makes it ready once."""

    def start(self) -> DoPart:
        """Open what the work needs and give the function that does one part."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A step's work on all its parts: `folder` collects the shards, `stage` names the step in rejects."""

    folder: Path
    stage: str
    work: Any

    def shard(self, number: int) -> Path:
        """The folder that the part of this number ends in."""
        return self.folder / f"{number:05}"

    def is_done(self, number: int) -> bool:
        """Whether this part is whole."""
        return self.shard(number).is_dir()

    def result(self, number: int) -> StageResult:
        """What became of a part that is done."""
        return msgspec.json.decode((self.shard(number) / RESULT).read_bytes(), type=StageResult)

    def do(self, do: DoPart, number: int, part: Part, on_rows: OnRows | None = None) -> None:
        """Do one part with what `work.start` gave."""
        with new_folder(self.shard(number)) as folder:
            with SetWriter(folder, self.stage, on_rows) as writer:
                do(part, writer)
                result = writer.close()
            (folder / RESULT).write_bytes(msgspec.json.encode(result))


def parts_of(sizes: Sequence[int], most: int) -> Iterator[Part]:
    """Neighbouring row groups put together until a part holds `most` rows; one empty part where there is nothing."""
    places: list[int] = []
    held = 0
    for place, size in enumerate(sizes):
        places.append(place)
        held += size
        if held >= most or place == len(sizes) - 1:
            yield Part(places=places, size=held)
            places, held = [], 0
    if not sizes:
        yield Part(places=[], size=0)
