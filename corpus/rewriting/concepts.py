"""What doctors say beside the names of a graph: advice, usage, findings, questions; how they refuse, deny and hedge.

The wordings lie in `data/concepts.txt` and `data/wording.txt`, as regular expressions over normalised text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import msgspec

Kind = Literal["usage", "ask", "test", "advice", "finding"]
Polarity = Literal["-", "0"]

_CUES: dict[str, Polarity | None] = {"LOOK_ALIKE": None, "NEEDLESS": "0", "FORBID": "-", "DENY": "-"}
_SECTION = re.compile(r"\[[A-Za-z_]+\]")
_FAR = 14
_NEAR = 3
_JOINS = re.compile("[、和及或与]")
_SHORT_ITEM = re.compile(r",(?=[^,。;!?]{1,6}(?:,|。|;|$))")
_LEFT_OVER = re.compile(r"[吃喝用做的了]{0,3}(?:药物?|药品)?\s*(?:[,。;!?\n]|$)")


class Concept(msgspec.Struct, frozen=True):
    """A concept at ``text[start:end]``."""

    start: int
    end: int
    kind: Kind
    name: str


class Cue(msgspec.Struct, frozen=True):
    """Words that refuse or deny (-) or call needless (0) what comes after them, at ``text[start:end]``."""

    start: int
    end: int
    polarity: Polarity


def concepts_in(text: str) -> Iterator[Concept]:
    """The concepts of a normalised text from left to right; at one place the first of the lexicon that fits."""
    pattern, names = _lexicon()
    for match in pattern.finditer(text):
        assert match.lastgroup is not None
        kind, name = names[match.lastgroup]
        yield Concept(*match.span(), kind, name)


def cues_in(text: str) -> list[Cue]:
    """The words of a normalised text that refuse, deny, or call something needless; look-alikes are none."""
    cues = []
    for match in _cue_pattern().finditer(text):
        assert match.lastgroup is not None
        polarity = _CUES[match.lastgroup]
        if polarity is not None:
            cues.append(Cue(*match.span(), polarity))
    return cues


def governing(text: str, cues: list[Cue], start: int, end: int) -> Cue | None:
    """The cue that refuses, denies or spares what stands at ``text[start:end]``; None where it is advised or there."""
    before = next((cue for cue in reversed(cues) if cue.start < start), None)
    if before is not None and _reaches(text[before.end : start]):
        return before
    after = next((cue for cue in cues if cue.start >= end), None)
    return after if after is not None and _turned(text, after, end) else None


def _reaches(between: str) -> bool:
    """Whether a cue still counts after these words: lists go on (烟酒、辛辣), another verb or a comma ends it."""
    rest = _SHORT_ITEM.sub("、", between)
    return len(_JOINS.split(rest)[-1]) <= _FAR and not re.search(_wording("STOP"), rest)


def _turned(text: str, cue: Cue, end: int) -> bool:
    """Whether a cue stands behind what it refuses: 酒不要喝, 手术不需要做."""
    between = text[end : cue.start]
    return len(between) <= _NEAR and not re.search(_wording("STOP"), between) and bool(_LEFT_OVER.match(text, cue.end))


def before_stop(text: str) -> str:
    """As much of a text as a cue before it speaks of."""
    return re.split(_wording("STOP"), text, maxsplit=1)[0]


def without_fillers(text: str) -> str:
    """A clause without courtesies and the words that carry nothing by themselves."""
    return re.sub(f"{_wording('COURTESY')}|{_wording('FILLER')}", "", text)


def without_courtesies(text: str) -> str:
    """A text with greetings, thanks and wishes blanked out, so that offsets stay."""
    return re.sub(_wording("COURTESY"), lambda found: " " * len(found[0]), text)


def hedges(text: str) -> bool:
    """Whether a text leaves room for doubt (可能, 考虑)."""
    return re.search(_wording("HEDGE"), text) is not None


def assures(text: str) -> bool:
    """Whether a text leaves none (肯定, 确诊)."""
    return re.search(_wording("ASSURE"), text) is not None


def is_concept(name: str) -> bool:
    """Whether the lexicon has a concept of this name."""
    return name in _names()


@cache
def token_of(name: str) -> str:
    """A private character that stands for a concept in comparisons."""
    return chr(0xE000 + list(_names()).index(name))


@cache
def _names() -> dict[str, Kind]:
    return {name: kind for kind, name, _ in _entries()}


@cache
def _lexicon() -> tuple[re.Pattern[str], dict[str, tuple[Kind, str]]]:
    names = {f"c{number}": (kind, name) for number, (kind, name, _) in enumerate(_entries())}
    parts = (f"(?P<c{number}>{'|'.join(words)})" for number, (_, _, words) in enumerate(_entries()))
    return re.compile("|".join(parts)), names


@cache
def _entries() -> list[tuple[Kind, str, list[str]]]:
    kinds = {kind: kind for kind in get_args(Kind)}
    entries: list[tuple[Kind, str, list[str]]] = []
    for section, line in _lines("concepts.txt"):
        name, _, words = line.partition(": ")
        entries.append((kinds[section], name, words.split()))
    return entries


@cache
def _cue_pattern() -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<{name}>{_wording(name)})" for name in _CUES))


@cache
def _wording(section: str) -> str:
    words = [word for name, line in _lines("wording.txt") if name == section for word in line.split()]
    return f"(?:{'|'.join(sorted(words, key=len, reverse=True))})"


def _lines(name: str) -> Iterator[tuple[str, str]]:
    """The lines of a data file, each with its section."""
    section = ""
    for line in files("corpus").joinpath(f"data/{name}").read_text(encoding="utf-8").splitlines():
        if _SECTION.fullmatch(line):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            yield section, line
