"""Stars: every dialogue removed is verified against its own keeper by the exact similarity of their 3-gram sets."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from numba import njit

from corpus.deduplication.candidates import Groups, Numbers
from corpus.deduplication.comparable import PATIENT, Offsets, Points
from corpus.deduplication.minhash import Sketches, agreement, count_grams, gram_at
from corpus.deduplication.numbers import contradict, numbers_key

OWN_QUESTION = 0.25
MIN_QUESTION = 8
NEAR_MISS = 0.1
PATIENCE = 16
NONE, NUMBERS, QUESTIONS = 0, 1, 2
_STEP = np.uint64(0x9E3779B97F4A7C15)
SEEN, GRAMS, ASKED, FLAGS, NUMBERED = range(5)


class Stars(msgspec.Struct, frozen=True):
    """Arrays over the places of a wave, see `Wave`.

    `keeper` is the place of what it went in favour of, its own where it stays, with the exact `similarity` to it.
    `beside` is the likest dialogue that it is flagged beside (-1 for none) for `reason` NUMBERS or QUESTIONS.
    `missed` is the likest keeper just under the threshold, -1 for none.
    """

    keeper: Numbers
    similarity: npt.NDArray[np.float64]
    beside: Numbers
    flagged: npt.NDArray[np.float64]
    reason: npt.NDArray[np.int8]
    missed: Numbers
    nearly: npt.NDArray[np.float64]


class Wave(msgspec.Struct, frozen=True):
    """Dialogues whose texts are in memory at one time: whole parts of what hangs together, in each the best first.

    Place `p` is document `documents[p]` with the text `points[offsets[p] : offsets[p + 1]]`; part `c` takes the places
    `parts[c]` to `parts[c + 1]`; `places` is the place of every document, -1 for those elsewhere.
    """

    documents: Numbers
    parts: Numbers
    places: npt.NDArray[np.int32]
    points: Points
    offsets: Offsets


class Rules(msgspec.Struct, frozen=True):
    """What makes a copy. Documents before `tests` remove whatever is like them, those before `frozen` never go."""

    threshold: float
    least: int
    tests: int
    frozen: int


def empty_stars(places: int) -> Stars:
    """Nobody removed yet."""
    return Stars(
        np.arange(places),
        np.ones(places),
        np.full(places, -1),
        np.zeros(places),
        np.zeros(places, dtype=np.int8),
        np.full(places, -1),
        np.zeros(places),
    )


def find_stars(wave: Wave, groups: Groups, sketches: Sketches, rules: Rules, parts: range, stars: Stars) -> None:
    """Greedy stars in some parts of a wave: the best that is still there removes what is like it, and so on.

    A pair whose numbers contradict each other, or whose patients say different things before the same answer, is
    flagged and stays; one flagged beside `PATIENCE` others is from then on compared only with those that have the very
    same numbers, so that a template with numbers of its own in every copy does not cost every pair. The result does
    not depend on how parts are shared among threads.
    """
    _stars(
        (wave.documents, wave.parts, wave.places, wave.points, wave.offsets),
        (groups.members, groups.starts, groups.groups, groups.places),
        sketches,
        (rules.threshold, rules.least, rules.tests, rules.frozen),
        (parts.start, parts.stop),
        (stars.keeper, stars.similarity, stars.beside, stars.flagged, stars.reason, stars.missed, stars.nearly),
    )


def jaccard(one: Points, other: Points) -> float:
    """The exact Jaccard similarity of the 3-gram sets of two texts; 1 where both have none."""
    return float(_jaccard(one, other))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _new_table(grams: Any) -> Any:
    size = 64
    while size < 2 * grams:
        size *= 2
    return np.zeros(size, dtype=np.uint64)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _new_marks(table: Any) -> Any:
    return np.full(len(table), -1, dtype=np.int32)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _slot(table: Any, gram: Any) -> Any:
    """Where a gram is, or would be put."""
    mask = np.uint64(len(table) - 1)
    slot = gram * _STEP >> np.uint64(32) & mask
    while table[slot] != 0 and table[slot] != gram:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fill(table: Any, points: Any) -> Any:
    """Put a text's grams into an empty table; returns how many different ones there are."""
    different = 0
    for place in range(count_grams(points)):
        gram = gram_at(points, place)
        slot = _slot(table, gram)
        different += table[slot] == 0
        table[slot] = gram
    return different


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _shared(table: Any, marks: Any, mark: Any, points: Any) -> Any:
    """How many different grams of a text are in a table."""
    shared = 0
    for place in range(count_grams(points)):
        slot = _slot(table, gram_at(points, place))
        if table[slot] != 0 and marks[slot] != mark:
            marks[slot] = mark
            shared += 1
    return shared


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _different(points: Any) -> Any:
    return _fill(_new_table(len(points)), points)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _jaccard(one: Any, other: Any) -> Any:
    table = _new_table(len(one))
    own = _fill(table, one)
    shared = _shared(table, _new_marks(table), 0, other)
    together = own + _different(other) - shared
    return shared / together if together else 1.0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _patients(points: Any) -> Any:
    return points[points & PATIENT != 0]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _text(wave: Any, place: Any) -> Any:
    _, _, _, points, offsets = wave
    return points[offsets[place] : offsets[place + 1]]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _stars(wave: Any, groups: Any, sketches: Any, rules: Any, parts: Any, stars: Any) -> None:
    _, begins, _, _, _ = wave
    keeper = stars[0]
    for part in range(parts[0], parts[1]):
        first, last = begins[part], begins[part + 1]
        notes = np.full((5, last - first), -1)
        notes[FLAGS] = 0
        for place in range(first, last):
            if keeper[place] == place:
                _star(wave, groups, sketches, rules, stars, place, first, notes)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _star(wave: Any, groups: Any, sketches: Any, rules: Any, stars: Any, place: Any, first: Any, notes: Any) -> None:
    """Compare what stays at `place` with all of lower rank that it meets and that are still there."""
    documents, _, places, _, _ = wave
    members, starts, group_of, of_document = groups
    _, least, tests, frozen = rules
    keeper, document = stars[0], documents[place]
    own = _text(wave, place)
    mine, ready = _tables(own[:0], own[:0]), False
    for at in range(of_document[document], of_document[document + 1]):
        group = group_of[at]
        for member in members[starts[group] : starts[group + 1]]:
            other = places[member]
            if other <= place or member < frozen or notes[SEEN, other - first] == place or keeper[other] != other:
                continue
            notes[SEEN, other - first] = place
            if document >= tests and _surely_differ(wave, notes, place, other, first):
                continue
            if agreement(sketches, document, member) < least:
                continue
            if not ready:
                mine, ready = _tables(own, _patients(own)), True
                notes[GRAMS, place - first] = _fill(mine[0], own)
                notes[ASKED, place - first] = _fill(mine[2], _patients(own))
            _compare(wave, rules, stars, mine, place, other, first, notes)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _tables(own: Any, asked: Any) -> Any:
    """Empty tables for a text and for the patient's words in it, each with its marks, and how long those are."""
    grams, questions = _new_table(len(own)), _new_table(len(asked))
    return grams, _new_marks(grams), questions, _new_marks(questions), len(asked)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _compare(wave: Any, rules: Any, stars: Any, mine: Any, place: Any, other: Any, first: Any, notes: Any) -> None:
    """Judge one pair by its texts; patients' words are compared where it matters, once."""
    theirs, tested = _text(wave, other), wave[0][place] >= rules[2]
    patient = notes[FLAGS, other - first] < PATIENCE
    if tested and not patient and _questions_differ(mine, theirs, place, other, first, notes):
        return
    alike = _similarity(mine, theirs, place, other, first, notes)
    why = NONE
    if tested and alike >= rules[0]:
        if contradict(_text(wave, place), theirs):
            why = NUMBERS
        elif patient and _questions_differ(mine, theirs, place, other, first, notes):
            why = QUESTIONS
    notes[FLAGS, other - first] += why != NONE
    _judge(rules[0], stars, place, other, alike, why)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _similarity(mine: Any, theirs: Any, place: Any, other: Any, first: Any, notes: Any) -> Any:
    if notes[GRAMS, other - first] < 0:
        notes[GRAMS, other - first] = _different(theirs)
    shared = _shared(mine[0], mine[1], other, theirs)
    return shared / (notes[GRAMS, place - first] + notes[GRAMS, other - first] - shared)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _questions_differ(mine: Any, theirs: Any, place: Any, other: Any, first: Any, notes: Any) -> Any:
    """Whether the patients' words, where there are enough, have less than `OWN_QUESTION` of the shorter's in common."""
    asked = _patients(theirs)
    if min(mine[4], len(asked)) < MIN_QUESTION:
        return False
    if notes[ASKED, other - first] < 0:
        notes[ASKED, other - first] = _different(asked)
    shorter = min(notes[ASKED, place - first], notes[ASKED, other - first])
    return _shared(mine[2], mine[3], other, asked) < OWN_QUESTION * shorter


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _surely_differ(wave: Any, notes: Any, place: Any, other: Any, first: Any) -> Any:
    """Whether a dialogue flagged often enough has other numbers than the one at `place`."""
    if notes[FLAGS, other - first] < PATIENCE:
        return False
    return _key(wave, notes, place, first) != _key(wave, notes, other, first)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _key(wave: Any, notes: Any, place: Any, first: Any) -> Any:
    if notes[NUMBERED, place - first] < 0:
        notes[NUMBERED, place - first] = numbers_key(_text(wave, place))
    return notes[NUMBERED, place - first]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _judge(threshold: Any, stars: Any, place: Any, other: Any, alike: Any, why: Any) -> None:
    keeper, similarity, beside, flagged, reason, missed, nearly = stars
    if alike < threshold:
        if alike >= threshold - NEAR_MISS and alike > nearly[other]:
            missed[other], nearly[other] = place, alike
    elif why == NONE:
        keeper[other], similarity[other] = place, alike
    elif alike > flagged[other]:
        beside[other], flagged[other], reason[other] = place, alike, why
