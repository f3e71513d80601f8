"""Misspelt names: one slip away from a name, or sounding like it (阿莫西林胶襄, 高血呀).

Two ways lead to a candidate: pairs of characters that it shares with a name (`bigrams`), and automata over what
sounds alike, looks alike, or both (`Likeness`). What the slip changes decides whether it is one (`slips`).
"""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from rapidfuzz.distance import JaroWinkler, Levenshtein

from kg.linking.bigrams import SHORTEST, Codes, index_of, near_names, pairs_of, rows_of
from kg.linking.shapes import both, shapes
from kg.linking.slips import Slip
from kg.linking.sounds import syllables
from kg.linking.spellings import MAX_LINKED

THRESHOLD = 0.75
_SHORT, _SHORTEST = 3, 2
_LAST_LETTER = "\U0010ffff"
_READ, _NEAR_SIZE = 20_000, 2
_SPOILT = 2  # pairs that one slip spoils
_NOBODY = np.empty(0, dtype=np.int32)


Row = tuple[int, int, int]
"""Start, end, number of a name."""


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
        tables = ((syllables(), _SHORT, MAX_LINKED), (shapes(), _SHORT, MAX_LINKED), (both(), _SHORTEST, _SHORTEST))
        self._likenesses = [Likeness(names, *table) for table in tables]
        turned = [name[0] + name[2] + name[1] + name[3] if len(name) == SHORTEST else "" for name in names]
        self._turned = Likeness(turned, _as_written(), SHORTEST, SHORTEST)
        self._in_order = sorted(names)

    def search(
        self, text: str, codes: Codes, taken: Sequence[tuple[int, int]] = (), *, compiled: bool = True
    ) -> list[Near]:
        """The misspelt names of a text, the best first come, never overlapping each other.

        None lies in a span of `taken`, or across an end of it. One may hold such spans whole, where it is a longer
        name that only sounds or looks otherwise: 寻麻疹, where 麻疹 is taken.
        """
        near_by = map(tuple, near_names(self._index, codes, compiled=compiled).tolist())
        rows = _apart(chain(near_by, self._turned.search(codes)), taken)
        alike = _apart((row for likeness in self._likenesses for row in likeness.search(codes)), taken)
        if not rows and not alike:
            return []
        held = _held(len(text), taken)
        near = [*self._slips(text, rows, held), *self._alike(text, alike, held)]
        return _best(len(text), [one for one in near if one.score >= self._threshold])

    def lookup(self, query: str) -> int | None:
        """The number of the name most like a query (in normalised spelling), None where there is no name.

        The rarest pairs of the query propose; where none is known, all names of about its length do.
        """
        from rapidfuzz import fuzz, process

        numbers = self._proposed(query)
        if not numbers:
            return None
        likeness = process.cdist([query], [self._names[number] for number in numbers], scorer=fuzz.ratio)[0]
        alike = [numbers[at] for at in np.flatnonzero(likeness == likeness.max())]
        return alike[0] if len(alike) == 1 else max(alike, key=lambda number: self._nearness(query, number))

    def _proposed(self, query: str) -> list[int]:
        """The names of about a query's length that share most pairs with it, or as many as one slip leaves."""
        codes = np.frombuffer(query.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        begins, ends = rows_of(self._index, np.unique(pairs_of(codes)))
        order = np.argsort(ends - begins, kind="stable")
        read = order[: max(1, int(np.searchsorted(np.cumsum((ends - begins)[order]), _READ, side="right")))]
        owners = np.concatenate([self._index.names[begins[pair] : ends[pair]] for pair in read] or [_NOBODY])
        if not len(owners):
            owners = np.arange(len(self._names), dtype=np.int32)
        sizes = np.abs(self._sizes[owners] - len(query))
        numbers, shared = np.unique(owners[sizes <= max(_NEAR_SIZE, sizes.min(initial=0))], return_counts=True)
        most = shared.max(initial=0)
        least = max(most - _SPOILT, min(most - 1, len(query) - 1 - _SPOILT))
        return numbers[shared >= least].tolist()  # type: ignore[no-any-return]

    def _nearness(self, query: str, number: int) -> tuple[float, float]:
        """How much alike a query and a name sound, and begin."""
        name = self._names[number]
        spoken = [_folded(one, syllables()) for one in (query, name)]
        return Levenshtein.normalized_similarity(*spoken), JaroWinkler.similarity(query, name)

    def _slips(self, text: str, rows: Sequence[Row], held: bytes) -> Iterator[Near]:
        for start, end, number in rows:
            slip = Slip(text, start, end, self._names[number], held)
            if not slip.is_in_letters(coined=self._coined[number]) or self._makes_word(slip, slip.pairs()):
                continue
            if not slip.is_cut_short or self._is_only(slip):
                yield Near(start, end, number, slip.score())

    def _alike(self, text: str, rows: Sequence[Row], held: bytes) -> Iterator[Near]:
        for start, end, number in rows:
            slip = Slip(text, start, end, self._names[number], held)
            if slip.is_alike() and not self._makes_word(slip, slip.telling_pairs()):
                yield Near(start, end, number, slip.score())

    def _makes_word(self, slip: Slip, pairs: Iterable[str]) -> bool:
        return slip.makes_word() or any(map(self._is_part, pairs))

    def _is_only(self, slip: Slip) -> bool:
        """Whether no other name begins like what is written."""
        first = bisect_left(self._in_order, slip.window)
        last = bisect_left(self._in_order, slip.window + _LAST_LETTER)
        return all(name.startswith(slip.name) for name in self._in_order[first:last])

    def _is_part(self, pair: str) -> bool:
        """Whether two characters stand together in a name."""
        first, last = rows_of(self._index, np.array([ord(pair[0]) << 21 | ord(pair[1])]))
        return bool(first[0] < last[0])


class Likeness:
    """Names of some length, where those characters count as the same that a table of code points makes so."""

    def __init__(self, names: Sequence[str], table: Codes, shortest: int, longest: int) -> None:
        self._table = table
        self._numbers: dict[str, list[int]] = {}
        for number, folded in enumerate(_folded("\n".join(names), table).split("\n")):
            if shortest <= len(folded) <= longest:
                self._numbers.setdefault(folded, []).append(number)
        self._patterns = list(self._numbers)
        self._find = _automaton(self._patterns)

    def search(self, codes: Codes) -> Iterator[Row]:
        """Start, end and number of the names in a text."""
        for start, end, pattern in self._find(_decoded(self._table[codes])):
            for number in self._numbers[self._patterns[pattern]]:
                yield start, end, number


def _best(length: int, near: Sequence[Near]) -> list[Near]:
    """Of those that overlap in a text of some length the ones with most letters right, in order of place."""
    kept, filled = [], bytearray(length)
    for one in sorted(near, key=lambda one: (one.score * (one.start - one.end), -one.score, one.start, one.number)):
        if not any(filled[one.start : one.end]):
            filled[one.start : one.end] = b"\1" * (one.end - one.start)
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


@cache
def _as_written() -> Codes:
    return np.arange(sys.maxunicode + 1, dtype=np.uint32)


def _folded(text: str, table: Codes) -> str:
    return _decoded(table[np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")])


def _decoded(codes: Codes) -> str:
    text: str = codes.tobytes().decode("utf-32-le", "surrogatepass")
    return text


def _automaton(patterns: list[str]) -> Any:
    import daachorse

    if not patterns:
        return lambda _: []
    return daachorse.CharwiseDoubleArrayAhoCorasick(patterns, daachorse.MATCH_KIND_LEFTMOST_LONGEST).find


def _apart(rows: Iterable[Row], taken: Sequence[tuple[int, int]]) -> list[Row]:
    """Each row once that no span of `taken` covers or crosses."""
    begins, ends = [start for start, _ in taken], [end for _, end in taken]
    apart = []
    for start, end, number in sorted(set(rows)):
        first, last = bisect_right(ends, start), bisect_left(begins, end)
        if first < last:
            before, after = begins[first] - start, end - ends[last - 1]
            if before < 0 or after < 0 or before + after == 0:
                continue
        apart.append((start, end, number))
    return apart


def _held(length: int, taken: Sequence[tuple[int, int]]) -> bytes:
    """A one for each letter of a text in a taken span."""
    held = bytearray(length)
    for start, end in taken:
        held[start:end] = b"\1" * (end - start)
    return bytes(held)
