"""Sentences labelled by hand, and how well a linker agrees with them.

A label is written into its sentence: ``没有[发烧=发热|n]`` is 发烧, which means the entity 发热, negated. The flags are
n negated, u uncertain, f family, o other person, p past; ``[written~entity]`` is a misspelt name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from foundation.errors import ZhongjingError
from kg.linking.linker import EntityLinker
from kg.records import Mention

_LABEL = re.compile(r"\[([^\[\]=~|]+)(?:([=~])([^\[\]|]+))?(?:\|([nufop]+))?\]")
FLAGS = {"n": "negated", "u": "uncertain", "f": "family", "o": "other", "p": "past"}


class Label(msgspec.Struct, frozen=True):
    """A name at ``text[start:end]``, what it means, and the flags that hold of it."""

    start: int
    end: int
    entity: str
    misspelt: bool
    flags: frozenset[str]


class Labelled(msgspec.Struct, frozen=True):
    """A sentence without its marks, and its labels from left to right."""

    text: str
    labels: list[Label]


class Counts(msgspec.Struct):
    """How many mentions were right, found for nothing, and missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """The part of what was found that is right."""
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        """The part of what is there that was found."""
        return self.right / max(1, self.right + self.missed)

    @property
    def f1(self) -> float:
        """Twice the right ones over all that were found and all that are there."""
        return 2 * self.right / max(1, 2 * self.right + self.wrong + self.missed)


class Scores(msgspec.Struct):
    """A linker against labels.

    `exact` counts spans with their entity among well-spelt names, `fuzzy` among misspelt ones. Over the names that
    were found, `flags` counts each flag, and `agreed` how many of the `compared` have it just as labelled.
    """

    exact: Counts
    fuzzy: Counts
    flags: dict[str, Counts]
    agreed: dict[str, int]
    compared: int = 0

    def accuracy(self, flag: str) -> float:
        """The part of the names found for which a flag is as labelled."""
        return self.agreed[flag] / max(1, self.compared)


def read_labelled(path: Path) -> list[Labelled]:
    """The sentences of a file, one a line; lines that begin with # are comments."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [_parsed(line, path, at) for at, line in enumerate(lines, start=1) if line and not line.startswith("#")]


def score(linker: EntityLinker, sentences: Sequence[Labelled]) -> Scores:
    """How far what a linker finds agrees with the labels."""
    names = list(FLAGS.values())
    scores = Scores(Counts(), Counts(), {name: Counts() for name in names}, dict.fromkeys(names, 0))
    for sentence, mentions in zip(sentences, linker.link_all(one.text for one in sentences), strict=True):
        found = {(one.start, one.end, one.entity): one for one in mentions}
        meant = {(one.start, one.end, one.entity): one for one in sentence.labels}
        for key, mention in found.items():
            if key not in meant:
                (scores.fuzzy if mention.match == "fuzzy" else scores.exact).wrong += 1
        for key, label in meant.items():
            counts = scores.fuzzy if label.misspelt else scores.exact
            if key in found:
                counts.right += 1
                _compare(scores, label.flags, flags_of(found[key]))
            else:
                counts.missed += 1
    return scores


def flags_of(mention: Mention) -> frozenset[str]:
    """The flags that hold of a mention."""
    held = (("negated", mention.negated), ("uncertain", mention.uncertain), ("past", mention.temporality == "past"))
    who = {"family", "other"} & {mention.experiencer}
    return frozenset({name for name, holds in held if holds} | who)


def _compare(scores: Scores, meant: frozenset[str], found: frozenset[str]) -> None:
    scores.compared += 1
    for name, counts in scores.flags.items():
        scores.agreed[name] += (name in meant) == (name in found)
        counts.right += name in meant and name in found
        counts.wrong += name in found and name not in meant
        counts.missed += name in meant and name not in found


def _parsed(line: str, path: Path, at: int) -> Labelled:
    text = _LABEL.sub(r"\1", line)
    if "[" in text or "]" in text:
        raise ZhongjingError("a label is not closed or empty", where=f"{path}:{at}", hint="write [name=entity|flags]")
    return Labelled(text, list(_labels(line)))


def _labels(line: str) -> Iterator[Label]:
    removed = 0
    for found in _LABEL.finditer(line):
        written, sign, entity, flags = found.groups()
        start = found.start() - removed
        removed += len(found[0]) - len(written)
        held = frozenset(FLAGS[flag] for flag in flags or "")
        yield Label(start, start + len(written), entity or written, sign == "~", held)
