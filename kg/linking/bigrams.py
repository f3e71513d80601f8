"""An index from pairs of characters to the names that hold them, and the search for names one slip away from a text.

A name that is misspelt keeps most of its pairs in their order. So each pair of a text proposes the names that have
it, at the place where they would have to begin, and a few comparisons of characters settle it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kg.linking.compiling import compilable

Codes = NDArray[np.uint32]
Numbers = NDArray[np.int64]

SHORTEST, LONG = 4, 6
"""Characters of the shortest name that is looked for, and of one that may have two slips."""
COMMON = 2_000
_MOST, _SHAPES = 1_024, 5


class Bigrams(NamedTuple):
    """The rows of pair `keys[i]` are ``first[i]:first[i + 1]``; `names` and `places` say whose, and where in it."""

    keys: Numbers
    first: Numbers
    names: NDArray[np.int32]
    places: NDArray[np.int16]
    letters: Codes
    """All names one after the other; name `i` is ``letters[bounds[i]:bounds[i + 1]]``."""
    bounds: Numbers


def index_of(names: Sequence[str]) -> Bigrams:
    """The index of names."""
    bounds = np.zeros(len(names) + 1, dtype=np.int64)
    np.cumsum([len(name) for name in names], out=bounds[1:])
    letters = np.frombuffer("".join(names).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    owner = np.repeat(np.arange(len(names)), np.diff(bounds))
    whole = np.flatnonzero(owner[:-1] == owner[1:])
    pairs = pairs_of(letters)[whole]
    order = np.argsort(pairs, kind="stable")
    keys, first = np.unique(pairs[order], return_index=True)
    return Bigrams(
        keys=keys,
        first=np.append(first, len(pairs)),
        names=owner[whole][order].astype(np.int32),
        places=(whole - bounds[owner[whole]])[order].astype(np.int16),
        letters=letters,
        bounds=bounds,
    )


def pairs_of(codes: Codes) -> Numbers:
    """Each character with the next one, as one number."""
    wide = codes.astype(np.int64)
    return (wide[:-1] << 21) | wide[1:]


def rows_of(index: Bigrams, pairs: Numbers) -> tuple[Numbers, Numbers]:
    """First and last row of each pair; equal where no name has it."""
    at = np.searchsorted(index.keys, pairs)
    known = at < len(index.keys)
    known[known] = index.keys[at[known]] == pairs[known]
    at = np.where(known, at, 0)
    return np.where(known, index.first[at], 0), np.where(known, index.first[at + 1], 0)


def near_names(index: Bigrams, codes: Codes, *, compiled: bool = True) -> Numbers:
    """Where names might stand, misspelt, in a text: rows of start, end, name; each may come twice.

    One character is changed, missing or too many, or two are swapped; in a name of `LONG` characters or more two may
    be changed.
    """
    begins, ends = rows_of(index, pairs_of(codes))
    begins[ends - begins > COMMON] = ends[ends - begins > COMMON]
    propose: Any = _compiled() if compiled else _propose
    found, count = np.empty((_MOST + len(codes), 3), dtype=np.int64), _MOST + len(codes)
    while count + _SHAPES > len(found):
        found = np.empty((4 * len(found), 3), dtype=np.int64)
        count = propose(index, codes, begins, ends, found)
    return found[:count]


@cache
def _compiled() -> Any:
    return njit(cache=True, nogil=True)(_propose)


def _propose(index: Bigrams, text: Codes, begins: Numbers, ends: Numbers, found: Numbers) -> int:
    """Fill in what is found and give its count; it ends early where there is no room."""
    count = 0
    for place in range(len(text) - 1):
        for row in range(begins[place], ends[place]):
            name, offset = index.names[row], index.places[row]
            begin, stop = index.bounds[name], index.bounds[name + 1]
            if count + _SHAPES > len(found):
                return count
            if stop - begin < SHORTEST:
                continue
            letters, start = index.letters[begin:stop], place - offset
            seen = offset > 0 and place > 0 and text[place - 1] == letters[offset - 1]
            if not (seen and begins[place - 1] < ends[place - 1]):
                count = _try_shapes(letters, text, start, offset, name, found, count)
    return count


@compilable
def _try_shapes(letters: Codes, text: Codes, start: int, left: int, name: int, found: Numbers, count: int) -> int:
    """Note a name that two letters at `left` suggest, where one slip explains what the text has at `start`."""
    size, length, right = len(letters), len(text), left + 2
    while left > 0 and start + left > 0 and text[start + left - 1] == letters[left - 1]:
        left -= 1
    while right < size and start + right < length and text[start + right] == letters[right]:
        right += 1
    if start >= 0 and start + size <= length and 0 < _changes(letters, text, start) <= (1 if size < LONG else 2):
        count = _note_if(True, found, count, start, start + size, name)
    if left == 0 and right < size:
        count = _note_if(_same(letters, right + 1, size, text, start - 1), found, count, start, start + size - 1, name)
        count = _note_if(_same(letters, right, size, text, start + 1), found, count, start, start + size + 1, name)
    if right == size and left > 0:
        count = _note_if(_same(letters, 0, left - 1, text, start + 1), found, count, start + 1, start + size, name)
        count = _note_if(_same(letters, 0, left, text, start - 1), found, count, start - 1, start + size, name)
    return count


@compilable
def _changes(letters: Codes, text: Codes, start: int) -> int:
    """How many letters are changed; two neighbours that were swapped count as one."""
    changes, size, swapped = 0, len(letters), False
    for at in range(size):
        if swapped or text[start + at] == letters[at]:
            swapped = False
            continue
        changes += 1
        swapped = at + 1 < size and text[start + at] == letters[at + 1] and text[start + at + 1] == letters[at]
    return changes


@compilable
def _same(letters: Codes, first: int, last: int, text: Codes, start: int) -> bool:
    """Whether the text has the letters from `first` to `last` where a name begins at `start`."""
    if start + first < 0 or start + last > len(text):
        return False
    at = first
    while at < last and text[start + at] == letters[at]:
        at += 1
    return at >= last


@compilable
def _note_if(holds: bool, found: Numbers, count: int, start: int, end: int, name: int) -> int:
    if holds:
        found[count, 0], found[count, 1], found[count, 2] = start, end, name
        count += 1
    return count
