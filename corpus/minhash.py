"""MinHash signatures, banding and exact Jaccard on character 3-grams, compiled over arrays of code points.

A text is an array of code points; a 3-gram is three of them packed into 63 bits, so that no two 3-grams share
a value and set sizes are exact. Signatures follow Broder (1997); bands follow Indyk and Motwani (1998): two texts
of similarity s meet in a bucket with probability 1 - (1 - s^rows)^bands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from numba import njit

ROWS = 4
RECALL = 0.998

Texts = tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]


class Star(msgspec.Struct, frozen=True):
    """Arrays over documents: `keeper` (own index where it stays), exact `similarity` to it.

    `flagged` are pairs (keeper, other) at the threshold whose numbers contradict each other, for each other its
    most similar one.
    """

    keeper: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]
    flagged: npt.NDArray[np.int64]
    flagged_similarity: npt.NDArray[np.float64]


def bands_for(threshold: float, rows: int = ROWS, recall: float = RECALL) -> int:
    """How many bands find a pair at `threshold` with probability of at least `recall`."""
    return max(1, math.ceil(math.log(1 - recall) / math.log(1 - threshold**rows))) if threshold < 1 else 1


def code_points(texts: Sequence[str]) -> Texts:
    """All texts in one array of code points, and where each begins (one more offset than texts)."""
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32), offsets


def band_keys(texts: Texts, bands: int, rows: int = ROWS, seed: int = 1) -> npt.NDArray[np.uint32]:
    """One hash per band and document, shape (bands, documents)."""
    random = np.random.default_rng(seed)
    multipliers = random.integers(0, 2**63, bands * rows, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    shifts = random.integers(0, 2**63, bands * rows, dtype=np.uint64)
    result: npt.NDArray[np.uint32] = _band_keys(*texts, multipliers, shifts, rows)
    return result


def jaccard(texts: Texts, first: int, second: int) -> float:
    """Exact Jaccard similarity of the 3-gram sets of two documents."""
    points, offsets = texts
    return float(
        _jaccard(
            _shingles(points[offsets[first] : offsets[first + 1]]),
            _shingles(points[offsets[second] : offsets[second + 1]]),
        )
    )


def star(
    texts: Texts,
    keys: npt.NDArray[np.uint32],
    order: npt.NDArray[np.int64],
    numbers: Texts,
    threshold: float,
) -> Star:
    """Greedy stars: in `order` (best first) every document still there removes those like it.

    A document is removed only where its exact similarity to that very keeper reaches `threshold`. `numbers` are
    hashes of the numbers in each document, sorted; where both of a pair have numbers that the other lacks
    the pair is flagged and nothing is removed.
    """
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    sorted_documents = np.argsort(keys, axis=1, kind="stable").astype(np.int32)
    starts, ends = _buckets(keys, sorted_documents)
    found: Any = _star(*texts, order, ranks, sorted_documents, starts, ends, *numbers, threshold)
    return Star(*found)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _mix(value: Any) -> Any:
    """The finaliser of SplitMix64."""
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _packed(points: Any) -> Any:
    """All 3-grams of a text, packed; a shorter text counts as one gram."""
    count = max(len(points) - 2, min(len(points), 1))
    grams = np.empty(count, dtype=np.uint64)
    for position in range(count):
        gram = np.uint64(0)
        for step in range(3):
            gram <<= np.uint64(21)
            if position + step < len(points):
                gram |= np.uint64(points[position + step] + 1)
        grams[position] = gram
    return grams


@njit(cache=True)  # type: ignore[untyped-decorator]
def _shingles(points: Any) -> Any:
    """The sorted set of a text's 3-grams."""
    grams = np.sort(_packed(points))
    kept = 0
    for index in range(len(grams)):
        if index == 0 or grams[index] != grams[index - 1]:
            grams[kept] = grams[index]
            kept += 1
    return grams[:kept]


@njit(cache=True)  # type: ignore[untyped-decorator]
def _jaccard(first: Any, second: Any) -> Any:
    shared, left, right = 0, 0, 0
    while left < len(first) and right < len(second):
        if first[left] == second[right]:
            shared += 1
            left += 1
            right += 1
        elif first[left] < second[right]:
            left += 1
        else:
            right += 1
    together = len(first) + len(second) - shared
    return shared / together if together else 1.0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _band_keys(points: Any, offsets: Any, multipliers: Any, shifts: Any, rows: Any) -> Any:
    documents, width = len(offsets) - 1, len(multipliers)
    keys = np.empty((width // rows, documents), dtype=np.uint32)
    smallest = np.empty(width, dtype=np.uint32)
    for document in range(documents):
        smallest[:] = np.uint32(0xFFFFFFFF)
        for gram in _packed(points[offsets[document] : offsets[document + 1]]):
            mixed = _mix(gram)
            for index in range(width):
                value = np.uint32((mixed * multipliers[index] + shifts[index]) >> np.uint64(32))
                smallest[index] = min(smallest[index], value)
        for band in range(width // rows):
            key = np.uint64(band)
            for row in range(rows):
                key = _mix(key ^ np.uint64(smallest[band * rows + row]))
            keys[band, document] = np.uint32(key)
    return keys


@njit(cache=True)  # type: ignore[untyped-decorator]
def _buckets(keys: Any, sorted_documents: Any) -> Any:
    """For each band and document, where its bucket begins and ends in the sorted documents."""
    bands, documents = keys.shape
    starts = np.empty((bands, documents), dtype=np.int32)
    ends = np.empty((bands, documents), dtype=np.int32)
    for band in range(bands):
        begin = 0
        while begin < documents:
            end = begin
            key = keys[band, sorted_documents[band, begin]]
            while end < documents and keys[band, sorted_documents[band, end]] == key:
                end += 1
            for place in range(begin, end):
                starts[band, sorted_documents[band, place]] = begin
                ends[band, sorted_documents[band, place]] = end
            begin = end
    return starts, ends


@njit(cache=True)  # type: ignore[untyped-decorator]
def _lacks(first: Any, second: Any) -> Any:
    """Whether the sorted `first` has a value, or more of one, than the sorted `second`."""
    right = 0
    for left in range(len(first)):
        while right < len(second) and second[right] < first[left]:
            right += 1
        if right == len(second) or second[right] != first[left]:
            return True
        right += 1
    return False


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _star(
    points: Any,
    offsets: Any,
    order: Any,
    ranks: Any,
    sorted_documents: Any,
    starts: Any,
    ends: Any,
    numbers: Any,
    number_offsets: Any,
    threshold: Any,
) -> Any:
    documents = len(order)
    keeper = np.arange(documents)
    similarity = np.ones(documents)
    seen = np.full(documents, -1)
    likest = np.full(documents, -1)
    likeness = np.zeros(documents)
    for document in order:
        if keeper[document] != document:
            continue
        own = _shingles(points[offsets[document] : offsets[document + 1]])
        own_numbers = numbers[number_offsets[document] : number_offsets[document + 1]]
        for band in range(len(starts)):
            for place in range(starts[band, document], ends[band, document]):
                other = np.int64(sorted_documents[band, place])
                if ranks[other] <= ranks[document] or seen[other] == document or keeper[other] != other:
                    continue
                seen[other] = document
                alike = _jaccard(own, _shingles(points[offsets[other] : offsets[other + 1]]))
                if alike < threshold:
                    continue
                others = numbers[number_offsets[other] : number_offsets[other + 1]]
                if _lacks(own_numbers, others) and _lacks(others, own_numbers):
                    if alike > likeness[other]:
                        likest[other], likeness[other] = document, alike
                else:
                    keeper[other] = document
                    similarity[other] = alike
    flagged = np.flatnonzero((likest >= 0) & (keeper == np.arange(documents)))
    return keeper, similarity, np.column_stack((likest[flagged], flagged)), likeness[flagged]
