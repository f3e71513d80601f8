"""Misspelt names: one slip away from a name, or sounding like it (阿莫西林胶襄, 高血呀).

Two ways lead to a candidate: pairs of characters that it shares with a name (`kg.bigrams`), and an automaton over
syllables for names of three characters and more. What the slip changes decides whether it is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from rapidfuzz.distance import JaroWinkler, Levenshtein

from kg.bigrams import Codes, index_of, near_names, pairs_of, rows_of
from kg.slips import Slip, everyday_words
from kg.sounds import syllables

THRESHOLD = 0.75
_SPOKEN = 3
_READ, _NEAR_SIZE, _FEWER = 20_000, 2, 2
_LONGEST_STRETCH = 1_000
_STRETCH = re.compile("[0-9a-z\u3400-\u9fff+α-ω-]{3,}")


class Near(msgspec.Struct, frozen=True):
    """A span of text close to name `number`; `score` is 1 - slips / length, where a like sound is half a slip."""

    start: int
    end: int
    number: int
    score: float


class FuzzyNames:
    """Names that are found misspelt too.

    `coined` tells of each whether its letters mean nothing by themselves (a drug's name), so that a missing one is
    no other name. `threshold` is the least score.
    """

    def __init__(self, names: Sequence[str], coined: Sequence[bool], threshold: float = THRESHOLD) -> None:
        self._names, self._coined = names, coined
        self._threshold = threshold
        self._index = index_of(names)
        self._sizes = np.diff(self._index.bounds).astype(np.int16)
        self._spoken: dict[str, list[int]] = {}
        for number, sound in enumerate(_spoken(names)):
            if len(sound) >= _SPOKEN:
                self._spoken.setdefault(sound, []).append(number)
        self._sounds = list(self._spoken)
        self._hear = _automaton(self._sounds)

    def search(
        self, text: str, codes: Codes, taken: Sequence[tuple[int, int]] = (), *, compiled: bool = True
    ) -> list[Near]:
        """The misspelt names of a text, the best first come, never overlapping each other or a span of `taken`."""
        found: list[Near] = []
        for start, end in _free(text, taken):
            rows = near_names(self._index, codes, start, end, compiled=compiled).tolist()
            near = [*self._slips(text, rows), *self._heard(text, codes, start, end)]
            found += _best(one for one in near if one.score >= self._threshold)
        return found

    def lookup(self, query: str) -> int | None:
        """The number of the name most like a query (in normalised spelling), None where there is no name.

        The rarest pairs of the query propose; where none is known, all names are compared.
        """
        from rapidfuzz import fuzz, process

        numbers = self._proposed(query)
        if not numbers:
            best = process.extractOne(query, self._names, scorer=fuzz.ratio)
            return None if best is None else best[2]
        likeness = process.cdist([query], [self._names[number] for number in numbers], scorer=fuzz.ratio)[0]
        alike = [numbers[at] for at in np.flatnonzero(likeness == likeness.max())]
        return alike[0] if len(alike) == 1 else max(alike, key=lambda number: self._nearness(query, number))

    def _proposed(self, query: str) -> list[int]:
        """The names of about a query's length that share most pairs with it, or nearly; the rarest pairs are read."""
        codes = np.frombuffer(query.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        begins, ends = rows_of(self._index, np.unique(pairs_of(codes)))
        order = np.argsort(ends - begins, kind="stable")
        read = order[: max(1, int(np.searchsorted(np.cumsum((ends - begins)[order]), _READ, side="right")))]
        rows = [self._index.names[begins[pair] : ends[pair]] for pair in read]
        owners = np.concatenate([*rows, np.empty(0, dtype=np.int32)])
        sizes = np.abs(self._sizes[owners] - len(query))
        numbers, shared = np.unique(owners[sizes <= max(_NEAR_SIZE, sizes.min(initial=0))], return_counts=True)
        return numbers[shared >= shared.max(initial=0) - _FEWER].tolist()  # type: ignore[no-any-return]

    def _nearness(self, query: str, number: int) -> tuple[float, float]:
        """How much alike a query and a name sound, and begin."""
        name = self._names[number]
        return Levenshtein.normalized_similarity(*_spoken([query, name])), JaroWinkler.similarity(query, name)

    def _slips(self, text: str, rows: Iterable[tuple[int, int, int]]) -> Iterator[Near]:
        for start, end, number in rows:
            slip = Slip(text, start, end, self._names[number])
            if slip.is_in_letters(coined=self._coined[number]) and not self._makes_word(slip):
                yield Near(start, end, number, slip.score())

    def _heard(self, text: str, codes: Codes, start: int, end: int) -> Iterator[Near]:
        heard = syllables()[codes[start:end]].tobytes().decode("utf-32-le", "surrogatepass")
        for first, last, sound in self._hear(heard):
            for number in self._spoken[self._sounds[sound]]:
                slip = Slip(text, start + first, start + last, self._names[number])
                if slip.is_in_sound() and not self._makes_word(slip):
                    yield Near(start + first, start + last, number, slip.score())

    def _makes_word(self, slip: Slip) -> bool:
        return slip.runs_on() or any(map(self._is_word, slip.pairs()))

    def _is_word(self, pair: str) -> bool:
        """Whether two characters stand together in everyday words, in a name, or as a number and what it counts."""
        if pair in everyday_words() or pair[0].isdigit():
            return True
        first, last = rows_of(self._index, np.array([ord(pair[0]) << 21 | ord(pair[1])]))
        return bool(first[0] < last[0])


def _best(near: Iterable[Near]) -> list[Near]:
    """The best of those that overlap, in order of place."""
    kept: list[Near] = []
    for one in sorted(near, key=lambda one: (-one.score, one.start - one.end, one.start, one.number)):
        if all(one.end <= other.start or one.start >= other.end for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


def _spoken(names: Sequence[str]) -> list[str]:
    """Names as syllables."""
    codes = np.frombuffer("\n".join(names).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    sounds: str = syllables()[codes].tobytes().decode("utf-32-le", "surrogatepass")
    return sounds.split("\n")


def _automaton(patterns: list[str]) -> Any:
    import daachorse

    if not patterns:
        return lambda _: []
    return daachorse.CharwiseDoubleArrayAhoCorasick(patterns, daachorse.MATCH_KIND_LEFTMOST_LONGEST).find


def _free(text: str, taken: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The stretches of letters and digits between the taken spans."""
    place = 0
    for start, end in (*taken, (len(text), len(text))):
        for stretch in _STRETCH.finditer(text, place, start) if start - place >= _SPOKEN else ():
            for first in range(stretch.start(), stretch.end(), _LONGEST_STRETCH):
                yield first, min(first + _LONGEST_STRETCH, stretch.end())
        place = end
