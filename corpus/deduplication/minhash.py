"""Sketches of 3-gram sets and the bands in which alike ones meet, compiled.

A 3-gram is three code points packed into 63 bits, so that no two share a value. A sketch holds `WIDTH` values of 16
bits; two sketches agree in a share of their values that estimates the Jaccard similarity of the sets. It is made as
in Dahlgaard, Knudsen and Thorup, "Fast Similarity Sketching" (FOCS 2017): in each round a fresh hash puts every gram
into one of `WIDTH` bins, the least value of the first round that reached a bin stays, and the last rounds fill what is
still empty. That has the concentration of independent MinHash values (Broder 1997) for about three hashes a gram.

Bands follow Indyk and Motwani (1998): texts of similarity s meet in a band of r values with probability s^r.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from corpus.deduplication.comparable import POINT, POINT_BITS, Turns, fold, table

LAYOUT = "sketch-2: 128 x 16 bits, 3-grams of letters and digits"
WIDTH = 128
RECALL = 0.995
SAME_VALUES_MARGIN = 4.5
MANY = 300_000
_MAX_BANDS = 128
_BIN_SHIFT = np.uint64(57)
_ROUND_SHIFT = np.uint64(56)
_VALUE = np.uint64((1 << 56) - 1)
_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)

Sketches = npt.NDArray[np.uint16]
Keys = npt.NDArray[np.uint64]
Bands = npt.NDArray[np.int64]

ANSWERED, TURNS, ASKING, NOISE, LENGTH = range(5)


def sign(turns: Turns) -> tuple[Sketches, Keys, npt.NDArray[np.int32]]:
    """Sketches (n x 128), keys of the exact texts (n x 2) and traits (n x 5) of a batch of dialogues.

    The traits: whether the doctor has the last word, turns, doctor's turns that ask, noise in per cent, length of the
    comparable text.
    """
    count = len(turns)
    sketches = np.zeros((count, WIDTH), dtype=np.uint16)
    keys = np.empty((count, 2), dtype=np.uint64)
    traits = np.zeros((count, 5), dtype=np.int32)
    longest = int(np.max(turns.room(), initial=0)) + 1
    _sign(turns.data, turns.ends, turns.starts, turns.roles, table(), _multipliers(), longest, sketches, keys, traits)
    return sketches, keys, traits


def bands_for(threshold: float, documents: int) -> Bands:
    """Which values of a sketch make up each band, shape (bands, rows).

    As many rows as `_MAX_BANDS` bands allow while pairs at `threshold` meet with probability of at least `RECALL`; one
    more among many documents, where chance meetings would cost more than further bands. A value serves in several
    bands, which asks for a fifth more of them than independent ones.
    """
    rows = 1
    while rows < 16 and _bands_needed(threshold, rows + 1) <= _MAX_BANDS:
        rows += 1
    if documents > MANY and rows > 1:
        rows += 1
    bands = _bands_needed(threshold, rows)
    lots = np.random.default_rng(7)
    a_pass = WIDTH // rows
    passes = [
        (np.arange(WIDTH) if number == 0 else lots.permutation(WIDTH))[: a_pass * rows].reshape(a_pass, rows)
        for number in range(-(-bands // a_pass))
    ]
    return np.concatenate(passes)[:bands].astype(np.int64)


def least_agreement(threshold: float) -> int:
    """The number of equal values below which two sketches are not of texts alike by `threshold` (odds 1 to 300,000)."""
    return max(0, math.floor(WIDTH * threshold - SAME_VALUES_MARGIN * math.sqrt(WIDTH * threshold * (1 - threshold))))


def _bands_needed(threshold: float, rows: int) -> int:
    if threshold >= 1:
        return 1
    return math.ceil(1.2 * math.log(1 - RECALL) / math.log1p(-(threshold**rows)))


@cache
def _multipliers() -> Keys:
    lots = np.random.default_rng(1)
    return lots.integers(0, 2**63, 2 * WIDTH, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def mix(value: Any) -> Any:
    """The finaliser of SplitMix64."""
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def gram_at(points: Any, place: Any) -> Any:
    """The 3-gram that begins at `place`, packed; 0 stands for what is missing in a text of one or two points."""
    gram = np.uint64(0)
    for step in range(3):
        gram <<= np.uint64(POINT_BITS)
        if place + step < len(points):
            gram |= np.uint64(points[place + step] & POINT)
    return gram


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def count_grams(points: Any) -> Any:
    """How many 3-grams a text has, repeated ones too; a text of one or two points counts as one gram."""
    return max(len(points) - 2, min(len(points), 1))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def agreement(sketches: Any, one: Any, other: Any) -> Any:
    """How many values two sketches share."""
    same = 0
    for place in range(WIDTH):
        same += sketches[one, place] == sketches[other, place]
    return same


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sketch(points: Any, hashes: Any, multipliers: Any, least: Any, sketch: Any) -> None:
    count = count_grams(points)
    for place in range(count):
        hashes[place] = mix(gram_at(points, place))
    least[:] = _EMPTY
    for turn in range(len(multipliers)):
        before = np.uint64(turn) << _ROUND_SHIFT
        for place in range(count):
            value = hashes[place] * multipliers[turn]
            slot = np.int64(value >> _BIN_SHIFT) if turn < WIDTH else turn - WIDTH
            least[slot] = min(least[slot], before | (value & _VALUE))
        if not np.any(least == _EMPTY):
            break
    for slot in range(WIDTH):
        sketch[slot] = np.uint16(least[slot] & np.uint64(0xFFFF))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sign(
    data: Any,
    ends: Any,
    starts: Any,
    roles: Any,
    codes: Any,
    multipliers: Any,
    longest: Any,
    sketches: Any,
    keys: Any,
    traits: Any,
) -> None:
    scratch = np.empty(longest, dtype=np.uint32)
    hashes = np.empty(longest, dtype=np.uint64)
    least = np.empty(WIDTH, dtype=np.uint64)
    for document in range(len(starts) - 1):
        place, count, noise = 0, 0, 0
        for turn in range(starts[document], starts[document + 1]):
            place, characters, strange, asks = fold(
                data, ends[turn], ends[turn + 1], codes, np.uint32(0), scratch, place
            )
            count += characters
            noise += strange
            doctors = roles[turn] == 97
            traits[document, ASKING] += asks and doctors
            traits[document, ANSWERED] = doctors
        traits[document, TURNS] = starts[document + 1] - starts[document]
        traits[document, NOISE] = 100 * noise // max(count, 1)
        traits[document, LENGTH] = place
        points = scratch[:place]
        first, second = np.uint64(place), np.uint64(0x9E3779B97F4A7C15)
        for begin in range(0, place, 3):
            three = gram_at(points, begin)
            first = (first ^ three) * np.uint64(0xD6E8FEB86659FD93)
            first ^= first >> np.uint64(32)
            second = (second ^ three) * np.uint64(0xA0761D6478BD642F)
            second ^= second >> np.uint64(29)
        keys[document, 0], keys[document, 1] = mix(first), mix(second)
        if place:
            _sketch(points, hashes, multipliers, least, sketches[document])
