"""What a reward model learns from: per prompt, its answers and the pairs of them that experts ordered.

`training/rankings.py` and `training/preferences.py` read them from files.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from corpus.records import Message, Split
from foundation.errors import ZhongjingError
from foundation.files import existing_file
from foundation.jsonl import BadJsonError, parse_json
from foundation.rejects import Reject

Record = TypeVar("Record", bound=msgspec.Struct)

STAGE = "reward"


class Pair(msgspec.Struct, frozen=True):
    """`better` and `worse` are places among a prompt's answers. `margin` in (0, 1] is (wins - losses) / judgements."""

    better: int
    worse: int
    margin: float = 1.0


class Opinion(msgspec.Struct, frozen=True):
    """One expert's order in one dimension: each answer's tier, 0 the best and equal numbers ties."""

    expert: str
    dimension: str
    tiers: list[int]


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One ranked prompt, from a line of its file.

    `tiers` holds each answer's tier in the consensus; None where only pairs are known and no order with ties has
    exactly these. `models` names who wrote each answer, "" where unknown.
    """

    line: int
    prompt_id: str
    prompt: list[Message]
    answers: list[str]
    models: list[str]
    pairs: list[Pair]
    tiers: list[int] | None
    department: str | None = None
    adjudicated: bool = False
    opinions: list[Opinion] = []


class Examples(msgspec.Struct, frozen=True, kw_only=True):
    """The two splits, and a reject for every row that is in neither."""

    train: list[Example]
    test: list[Example]
    rejects: list[Reject]

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows were left out for each reason."""
        return dict(sorted(Counter(reject.reason for reject in self.rejects).items()))


class BadRowError(ValueError):
    """A row that cannot be learned from: `reason` in a word, the message in more, neither quoting its text."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Gathering:
    """Rows of a file on their way into two splits that share neither prompt nor dialogue."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._splits: dict[Split, list[Example]] = {"train": [], "test": []}
        self._rejects: list[Reject] = []
        self._owners: dict[str, tuple[Split, int]] = {}

    def add(self, split: Split, example: Example) -> None:
        """Take an example in; one without an ordered pair becomes a reject."""
        if len(example.answers) < 2:
            self.reject(example.line, BadRowError("one_answer", "fewer than two answers"), example.prompt_id)
        elif not example.pairs:
            self.reject(example.line, BadRowError("all_tied", "no answer is better than another"), example.prompt_id)
        else:
            self._splits[split].append(example)

    def reject(self, line: int, error: BadRowError, prompt_id: str | None = None) -> None:
        """Leave a row out, with its reason."""
        reject = Reject(
            stage=STAGE, reason=error.reason, file=self._path.name, line=line, detail=str(error), id=prompt_id
        )
        self._rejects.append(reject)

    def refuse_shared(self, line: int, split: Split, prompt: Sequence[Message], ids: dict[str, str]) -> None:
        """Raise where the other split holds this prompt, or a row with one of these ids (by what they name)."""
        text = "".join(f"{message.role}\n{message.content}\n" for message in prompt)
        for what, key in {**ids, "prompt text": text}.items():
            owner, first = self._owners.setdefault(f"{what}\n{key}", (split, line))
            if owner != split:
                raise ZhongjingError(
                    f"this row's {what} is in {owner} (line {first}) and in {split}",
                    where=f"{self._path}:{line}",
                    hint="split by dialogue and export again: a held-out figure would mean nothing",
                )

    def examples(self) -> Examples:
        """The splits; an error where there is nothing to train on."""
        found = Examples(train=self._splits["train"], test=self._splits["test"], rejects=self._rejects)
        if found.train:
            return found
        first = f"; line {found.rejects[0].line}: {found.rejects[0].detail}" if found.rejects else ""
        raise ZhongjingError(
            f"no training prompt has two answers of different rank (left out: {found.reasons or 'none'}, "
            f"held out: {len(found.test)}){first}",
            where=f"{self._path}:{found.rejects[0].line}" if found.rejects else self._path,
            hint="`rankings` takes the rankings.jsonl of a release, `preferences` its preferences.jsonl",
        )


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that hold something, numbered from 1."""
    with existing_file(path).open("rb") as stream:
        yield from ((number, line) for number, line in enumerate(stream, start=1) if line.strip())


def decode(line: bytes, kind: type[Record]) -> Record:
    """One line of strict JSON as a record; `BadRowError` where it is none."""
    try:
        return msgspec.convert(parse_json(line), kind)
    except BadJsonError as error:
        raise BadRowError("bad_json", str(error)) from error
    except msgspec.ValidationError as error:
        raise BadRowError("bad_row", str(error)) from error


def ordered_pairs(tiers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """All pairs (better, worse) of places whose tiers differ."""
    for first, second in itertools.combinations(range(len(tiers)), 2):
        if tiers[first] != tiers[second]:
            yield (first, second) if tiers[first] < tiers[second] else (second, first)
