"""Texts with personal data marked by hand, and how much of it is found: recall and precision for each kind.

A marked text is written as it stands with ``{kind|words}`` around personal data and ``{医学|words}`` around medical
terms that must stay; a line is a turn, an empty line ends a dialogue.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.resources import files
from itertools import groupby
from pathlib import Path

import msgspec

from corpus.privacy.personal import Span
from foundation.errors import ZhongjingError
from foundation.files import existing_file

MEDICAL = "医学"
HALVES = ("develop", "heldout")

_MARK = re.compile(r"\{([^|{}]+)\|([^{}]*)\}")

Finder = Callable[[list[str]], list[list[Span]]]


class Labelled(msgspec.Struct, frozen=True):
    """A turn and the spans marked in it."""

    text: str
    spans: list[Span]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One kind: of `labelled` spans `covered` were replaced whole; of `found` spans `right` touch a marked one."""

    kind: str
    labelled: int
    covered: int
    found: int
    right: int

    @property
    def recall(self) -> float:
        """Share of marked spans of which no character is left; 1 where there are none."""
        return self.covered / self.labelled if self.labelled else 1.0

    @property
    def precision(self) -> float:
        """Share of replaced spans that are personal data; 1 where there are none."""
        return self.right / self.found if self.found else 1.0


def shipped(half: str) -> str:
    """One half of the project's own marked set: rules are made on `develop`, never on `heldout`."""
    return (files("corpus") / "data" / "personal" / f"{half}.txt").read_text(encoding="utf-8")


def read_labelled(path: Path) -> str:
    """A marked text of the user's own."""
    try:
        return existing_file(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ZhongjingError("this file is not UTF-8", where=path) from error


def parse(marked: str) -> list[list[Labelled]]:
    """Dialogues of a marked text."""
    lines = marked.splitlines()
    return [[_labelled(line) for line in block] for filled, block in groupby(lines, lambda line: line != "") if filled]


def measure(dialogues: Iterable[Sequence[Labelled]], finder: Finder) -> list[Score]:
    """How `finder` does on marked dialogues, a score for each kind; the kind `医学` has as `covered` the terms hit."""
    labelled, covered, found, right = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for dialogue in dialogues:
        for turn, spans in zip(dialogue, finder([turn.text for turn in dialogue]), strict=True):
            hidden = {place for span in spans for place in range(span.start, span.end)}
            personal: set[int] = set()
            for label in turn.spans:
                places = range(label.start, label.end)
                labelled[label.kind] += 1
                if label.kind == MEDICAL:
                    covered[MEDICAL] += not hidden.isdisjoint(places)
                else:
                    covered[label.kind] += hidden.issuperset(places)
                    personal.update(places)
            for span in spans:
                found[span.kind] += 1
                right[span.kind] += not personal.isdisjoint(range(span.start, span.end))
    kinds = sorted({*labelled, *found}, key=lambda kind: (kind == MEDICAL, -labelled[kind], kind))
    return [
        Score(kind=kind, labelled=labelled[kind], covered=covered[kind], found=found[kind], right=right[kind])
        for kind in kinds
    ]


def table(scores: Iterable[Score]) -> Iterator[str]:
    """Lines for a person."""
    yield f"{'kind':<8}{'marked':>8}{'recall':>9}{'found':>8}{'precision':>11}"
    for score in scores:
        name = f"{score.kind}{'　' * (4 - len(score.kind))}"
        if score.kind == MEDICAL:
            yield f"{name}{score.labelled:>8}   terms touched: {score.covered} ({score.recall:.1%})"
        else:
            yield f"{name}{score.labelled:>8}{score.recall:>9.1%}{score.found:>8}{score.precision:>11.1%}"


def _labelled(line: str) -> Labelled:
    text, spans, position = "", [], 0
    for mark in _MARK.finditer(line):
        text += line[position : mark.start()]
        spans.append(Span(len(text), len(text) + len(mark.group(2)), mark.group(1)))
        text += mark.group(2)
        position = mark.end()
    return Labelled(text + line[position:], spans)
