"""Misspelt names: an index of bigrams proposes names, edit distance decides.

A name is a candidate where it shares enough bigrams with a stretch of text; rapidfuzz then aligns it. So a look-up
costs what the few candidates cost, not what all names cost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

import msgspec
from rapidfuzz.distance import Levenshtein

MIN_LENGTH = 4
THRESHOLD = 0.75
_LONG = 6
_WINDOW_SLACK = 1
_CANDIDATES = 24
_COMMON = 2_000
_STRETCH = re.compile("[0-9a-z\u3400-\u9fff+α-ω-]{3,}")
_MAX_STRETCH = 400
_LEVEL_ONE, _FIRST_CELL, _CELLS, _SAME_SOUND = (0xB0, 0xD7), 0xA1, 94, 10
_MEANINGFUL = frozenset(
    "不无没非未有正异常左右上下高低增减升降强弱内外前后大小中多少清黄白红黑绿干湿冷热寒早晚急慢轻重阴阳男女老幼儿新旧"
    "肿疼痛痒胀酸麻头胸腹腰背腿手脚口鼻耳眼喉心肝脾肺肾胃肠脑骨血尿便甲乙丙丁戊一二三四五六七八九十0123456789的和与及"
)


class Near(msgspec.Struct, frozen=True):
    """A span of text close to name `number`; `score` is 1 - edit distance / length of the longer."""

    start: int
    end: int
    number: int
    score: float


class FuzzyNames:
    """Names of at least `MIN_LENGTH` characters, indexed by bigram."""

    def __init__(self, names: Sequence[str], threshold: float = THRESHOLD) -> None:
        self._names = names
        self._threshold = threshold
        self._index: dict[str, list[int]] = {}
        for number, name in enumerate(names):
            if len(name) >= MIN_LENGTH:
                for pair in _pairs(name):
                    self._index.setdefault(pair, []).append(number)

    def search(self, text: str, taken: Sequence[tuple[int, int]] = ()) -> list[Near]:
        """The misspelt names of a text, best first come, never overlapping each other or a span of `taken`."""
        found: list[Near] = []
        for start, end in _free(text, taken):
            for stretch in _STRETCH.finditer(text, start, end):
                for place in range(stretch.start(), stretch.end(), _MAX_STRETCH):
                    found += self._in_stretch(text, place, min(place + _MAX_STRETCH, stretch.end()))
        return found

    def _in_stretch(self, text: str, start: int, end: int) -> list[Near]:
        near = [hit for number in self._propose(text[start:end]) for hit in self._align(text, start, end, number)]
        near.sort(key=lambda hit: (-hit.score, hit.start - hit.end, hit.start, hit.number))
        kept: list[Near] = []
        for hit in near:
            if all(hit.end <= other.start or hit.start >= other.end for other in kept):
                kept.append(hit)
        return sorted(kept, key=lambda hit: hit.start)

    def _propose(self, stretch: str) -> list[int]:
        """The names that share the largest part of their bigrams with a stretch."""
        shared: Counter[int] = Counter()
        for pair in _pairs(stretch):
            numbers = self._index.get(pair, ())
            if len(numbers) <= _COMMON:
                shared.update(numbers)
        parts = [(-count / (len(self._names[number]) - 1), number) for number, count in shared.items()]
        needed = [part for part in parts if part[0] <= -1 / 3]
        return [number for _, number in sorted(needed)[:_CANDIDATES]]

    def _align(self, text: str, start: int, end: int, number: int) -> Iterator[Near]:
        """The window of the stretch most like the name, where it is like enough."""
        name = self._names[number]
        edits = 1 if len(name) < _LONG else 2
        best: Near | None = None
        for size in range(len(name) - _WINDOW_SLACK, len(name) + _WINDOW_SLACK + 1):
            for place in range(start, end - size + 1):
                window = text[place : place + size]
                distance = Levenshtein.distance(window, name, score_cutoff=edits)
                score = 1 - distance / max(size, len(name))
                if distance > edits or score < self._threshold or (best is not None and score <= best.score):
                    continue
                if _is_slip(window, name):
                    best = Near(place, place + size, number, score)
        if best is not None:
            yield best


def _is_slip(window: str, name: str) -> bool:
    """Whether the difference looks like a slip of the pen.

    It leaves a short name whole at both ends, unless what stands there sounds alike, and changes no character that
    carries the meaning (左 for 右, 正常 for 异常, 黄 for 清).
    """
    whole = all(_sounds_alike(*ends) for ends in ((window[0], name[0]), (window[-1], name[-1])))
    if not whole and (len(name) < _LONG or len(window) != len(name)):
        return False
    edits = Levenshtein.editops(window, name)
    changed = {window[edit.src_pos] for edit in edits if edit.tag != "insert"}
    changed |= {name[edit.dest_pos] for edit in edits if edit.tag != "delete"}
    return not changed & _MEANINGFUL


def _sounds_alike(one: str, other: str) -> bool:
    """Whether two characters are the same or close in GB 2312, whose first level is sorted by sound."""
    return one == other or abs(_sound(one) - _sound(other)) <= _SAME_SOUND


@cache
def _sound(character: str) -> float:
    code = character.encode("gb2312", errors="ignore")
    if len(code) != len("啊".encode("gb2312")) or not _LEVEL_ONE[0] <= code[0] <= _LEVEL_ONE[1]:
        return float("nan")
    return (code[0] - _LEVEL_ONE[0]) * _CELLS + code[1] - _FIRST_CELL


def _pairs(text: str) -> set[str]:
    return {text[place : place + 2] for place in range(len(text) - 1)}


def _free(text: str, taken: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The stretches between the taken spans."""
    place = 0
    for start, end in taken:
        if start > place:
            yield place, start
        place = end
    if place < len(text):
        yield place, len(text)
