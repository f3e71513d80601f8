"""Which dialogues may be alike: those whose sketches meet in a band, in groups, and what hangs together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from numba import njit

from corpus.deduplication.minhash import Bands, Sketches, agreement, mix
from corpus.deduplication.threads import in_threads

SMALL = 8
PAIRS_AT_ONCE = 4_000_000
KEYS_AT_ONCE = 4_000_000
_MOST_BANDS = 16
_WORD, _PLACES, _ONE = np.uint32(5), np.uint32(31), np.uint64(1)
_KNOWN = 1 << 16
_KNOWN_SHIFT = np.uint64(48)
_LOW = np.uint64(0xFFFFFFFF)

Numbers = npt.NDArray[np.int64]
Members = npt.NDArray[np.int32]
Pairs = npt.NDArray[np.uint64]
"""Each as (smaller << 32 | larger)."""
Met = tuple[Pairs, Members, Numbers]
"""Pairs that met in small buckets, members of the large ones and their sizes."""


class Groups(msgspec.Struct, frozen=True):
    """Group `g` holds the documents `members[starts[g] : starts[g + 1]]`, each of which may be like each other.

    Document `d` is in the groups `groups[places[d] : places[d + 1]]`.
    """

    members: npt.NDArray[np.int32]
    starts: Numbers
    groups: npt.NDArray[np.int32]
    places: Numbers


def find_groups(
    sketches: Sketches,
    documents: Numbers,
    bands: Bands,
    *,
    frozen: int,
    least: int,
    threads: int,
    step: Callable[[], None],
) -> Groups:
    """Group the `documents` (rows of `sketches`) that meet in a band.

    In a bucket of up to `SMALL` only pairs that share `least` values count, each as a group of two; larger buckets
    are groups as they are, so that a template used ten thousand times costs no list of its pairs. Documents before
    `frozen` are not compared with each other. `step` is called after each band.
    """
    pairs, waiting = np.empty(0, dtype=np.uint64), [np.empty(0, dtype=np.uint64)]
    members, sizes = [np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.int64)]
    blocks = _blocks(bands, len(documents))

    def met_in(block: Bands) -> list[Met]:
        keys = keys_of(sketches, documents, block)
        return meet(sketches, ((documents, band) for band in keys), frozen, least)

    for block in in_threads(met_in, blocks, threads):
        for met, large, counts in block:
            waiting.append(met)
            members.append(large)
            sizes.append(counts)
            step()
        if sum(map(len, waiting)) > len(pairs) + PAIRS_AT_ONCE:
            pairs, waiting = np.unique(np.concatenate((pairs, *waiting))), []
    return groups_of(np.concatenate((pairs, *waiting)), members, sizes, len(sketches))


def meet(sketches: Sketches, bands: Iterable[tuple[Numbers, Any]], frozen: int, least: int) -> list[Met]:
    """What meets in each band of documents and their keys; a pair that met before is not looked at again."""
    known = np.zeros(_KNOWN, dtype=np.uint64)
    return [_meet(sketches, documents, keys, known, frozen, least) for documents, keys in bands]


def joined(pairs: Pairs, members: Sequence[Members], sizes: Sequence[Numbers]) -> tuple[Members, Numbers]:
    """Pairs, perhaps more than once, and larger groups as one list of members, and where each group begins."""
    pairs = np.unique(pairs)
    both = np.column_stack(((pairs >> np.uint64(32)).astype(np.int32), (pairs & _LOW).astype(np.int32)))
    starts = np.append(0, np.cumsum(np.concatenate((np.full(len(pairs), 2), *sizes)))).astype(np.int64)
    return np.concatenate((both.ravel(), *members)), starts


def groups_of(pairs: Pairs, members: Sequence[Members], sizes: Sequence[Numbers], documents: int) -> Groups:
    """The groups among so many documents, see `joined`."""
    together, starts = joined(pairs, members, sizes)
    groups, places = _inverted(together, starts, documents)
    return Groups(together, starts, groups, places)


def forest(members: Members, starts: Numbers) -> Pairs:
    """The fewest pairs through which the same documents hang together."""
    linked, places = np.unique(members, return_inverse=True)
    roots = _roots(places.astype(np.int32), starts, len(linked))
    others = np.flatnonzero(roots != np.arange(len(linked)))
    pairs: Pairs = linked[roots[others]].astype(np.uint64) << np.uint64(32) | linked[others].astype(np.uint64)
    return pairs


def components(groups: Groups, documents: int) -> tuple[Numbers, Numbers]:
    """The documents in any group, ordered by what hangs together through groups, and where each part begins."""
    roots = _roots(groups.members, groups.starts, documents)
    linked = np.flatnonzero(np.diff(groups.places))
    linked = linked[np.argsort(roots[linked], kind="stable")]
    begins = np.flatnonzero(np.diff(roots[linked], prepend=-1))
    return linked, np.append(begins, len(linked)).astype(np.int64)


def _blocks(bands: Bands, documents: int) -> list[Bands]:
    """Bands whose keys are made at one reading of the sketches, as many as `KEYS_AT_ONCE` allow."""
    size = min(_MOST_BANDS, max(1, KEYS_AT_ONCE // max(1, documents)))
    return [bands[begin : begin + size] for begin in range(0, len(bands), size)]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def keys_of(sketches: Any, documents: Any, bands: Any) -> Any:
    """A hash of each document's values in each band, shape (bands, documents)."""
    count, rows = bands.shape
    odd = np.empty(rows, dtype=np.uint64)
    for row in range(rows):
        odd[row] = mix(np.uint64(row + 1)) | np.uint64(1)
    keys = np.empty((count, len(documents)), dtype=np.uint32)
    for place in range(len(documents)):
        sketch = sketches[documents[place]]
        for band in range(count):
            key = np.uint64(0)
            for row in range(rows):
                key += odd[row] * (np.uint64(sketch[bands[band, row]]) + np.uint64(1))
            keys[band, place] = np.uint32(key >> np.uint64(32))
    return keys


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _repeated(keys: Any, documents: Any) -> Any:
    """Documents whose key another has too, and a few more: the key in the upper half, the document in the lower.

    Two bits for every part of the range of keys, seen and seen again, sift out nearly all that is alone.
    """
    shift = np.uint32(32 - min(26, max(6, int(np.log2(len(keys) + 1)) + 4)))
    seen = np.zeros(1 << (np.uint32(27) - shift), dtype=np.uint64)
    for key in keys:
        at, bit = (key >> shift) >> _WORD, np.uint64((key >> shift) & _PLACES) << _ONE
        seen[at] |= (_ONE + (seen[at] >> bit & _ONE)) << bit
    repeated, count = np.empty(len(keys), dtype=np.uint64), 0
    for place in range(len(keys)):
        key = keys[place]
        at, bit = (key >> shift) >> _WORD, np.uint64((key >> shift) & _PLACES) << _ONE
        if seen[at] >> bit >> _ONE & _ONE:
            repeated[count] = np.uint64(key) << np.uint64(32) | np.uint64(documents[place])
            count += 1
    return repeated[:count].copy()


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _ordered(keys: Any) -> Any:
    """Sorted: by the upper bits into as many parts as there are keys, then by insertion."""
    bits = np.uint64(min(20, max(8, int(np.log2(len(keys) + 1)))))
    counts = np.zeros((1 << bits) + 1, dtype=np.int64)
    for key in keys:
        counts[np.int64(key >> (np.uint64(64) - bits)) + 1] += 1
    counts = np.cumsum(counts)
    ordered = np.empty_like(keys)
    for key in keys:
        part = np.int64(key >> (np.uint64(64) - bits))
        ordered[counts[part]] = key
        counts[part] += 1
    for right in range(1, len(ordered)):
        key, place = ordered[right], right
        while place > 0 and ordered[place - 1] > key:
            ordered[place] = ordered[place - 1]
            place -= 1
        ordered[place] = key
    return ordered


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _meet(sketches: Any, documents: Any, keys: Any, known: Any, frozen: Any, least: Any) -> Any:
    """Pairs as (smaller << 32 | larger) that meet in small buckets, members of the large ones and their sizes."""
    ordered = _ordered(_repeated(keys, documents))
    ends, small, large = _buckets(ordered)
    pairs, found = np.empty(small, dtype=np.uint64), 0
    members, sizes, held = np.empty(large, dtype=np.int32), np.empty(large // SMALL + 1, dtype=np.int64), 0
    buckets, begin = 0, 0
    for end in ends:
        if end - begin > SMALL and np.int64(ordered[end - 1] & _LOW) >= frozen:
            sizes[buckets] = end - begin
            buckets += 1
            for place in range(begin, end):
                members[held] = np.int32(ordered[place] & _LOW)
                held += 1
        elif 1 < end - begin <= SMALL:
            for right in range(begin + 1, end):
                other = np.int64(ordered[right] & _LOW)
                for left in range(begin, right if other >= frozen else begin):
                    one = np.int64(ordered[left] & _LOW)
                    pair = np.uint64(one) << np.uint64(32) | np.uint64(other)
                    if _is_new(pair, known) and agreement(sketches, one, other) >= least:
                        pairs[found] = pair
                        found += 1
        begin = end
    return pairs[:found].copy(), members[:held].copy(), sizes[:buckets].copy()


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _is_new(pair: Any, known: Any) -> Any:
    """Whether a pair is not the last one seen in its slot of `known`; from now on it is. No pair is 0."""
    slot = np.int64(mix(pair) >> _KNOWN_SHIFT)
    if known[slot] == pair:
        return False
    known[slot] = pair
    return True


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _buckets(ordered: Any) -> Any:
    """Where each bucket ends, how many pairs are in small ones and how many documents in large ones."""
    ends, buckets, small, large, begin = np.empty(len(ordered), dtype=np.int64), 0, 0, 0, 0
    for end in range(1, len(ordered) + 1):
        if end < len(ordered) and ordered[end] ^ ordered[begin] <= _LOW:
            continue
        size = end - begin
        if size > SMALL:
            large += size
        else:
            small += size * (size - 1) // 2
        ends[buckets] = end
        buckets += 1
        begin = end
    return ends[:buckets], small, large


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _inverted(members: Any, starts: Any, documents: Any) -> Any:
    places = np.zeros(documents + 1, dtype=np.int64)
    for member in members:
        places[member + 1] += 1
    places = np.cumsum(places)
    groups, following = np.empty(len(members), dtype=np.int32), places[:-1].copy()
    for group in range(len(starts) - 1):
        for place in range(starts[group], starts[group + 1]):
            member = members[place]
            groups[following[member]] = group
            following[member] += 1
    return groups, places


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _root(parents: Any, document: Any) -> Any:
    while parents[document] != document:
        parents[document] = parents[parents[document]]
        document = parents[document]
    return document


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _roots(members: Any, starts: Any, documents: Any) -> Any:
    parents = np.arange(documents)
    for group in range(len(starts) - 1):
        first = _root(parents, np.int64(members[starts[group]]))
        for place in range(starts[group] + 1, starts[group + 1]):
            other = _root(parents, np.int64(members[place]))
            first, other = min(first, other), max(first, other)
            parents[other] = first
    for document in range(documents):
        parents[document] = _root(parents, document)
    return parents
