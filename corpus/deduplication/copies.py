"""Copies among signed dialogues: exact ones by key, near ones by bands and then by their texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from corpus.deduplication.candidates import Numbers
from corpus.deduplication.minhash import ANSWERED, ASKING, LENGTH, NOISE, TURNS, least_agreement
from corpus.deduplication.signatures import Shelf, Signatures
from corpus.deduplication.stars import Rules
from corpus.engines import current
from foundation.progress import progress

PREFERENCE = 5

Similarities = npt.NDArray[np.float32]


class Copies(msgspec.Struct, frozen=True):
    """What became of documents: arrays over all of them, frozen ones first, or over some.

    `keeper` is the document that one went in favour of, itself where it stays. `beside` is the document that one is
    flagged beside, -1 for none, for the `reason` NUMBERS or QUESTIONS. `similarity` and `ratio` (rapidfuzz's)
    are to the one or the other. `missed` and `nearly` are the likest keeper just under the threshold.
    """

    keeper: Numbers
    beside: Numbers
    reason: npt.NDArray[np.int8]
    similarity: Similarities
    ratio: Similarities
    missed: Numbers
    nearly: Similarities

    def put(self, documents: Numbers, found: Copies) -> None:
        """Write what was found for some documents in its place."""
        for name in self.__struct_fields__:
            getattr(self, name)[documents] = getattr(found, name)


class Comparison(Protocol):
    """Documents that were compared by their bands."""

    def linked(self) -> tuple[Numbers, Numbers]:
        """Those that meet another, ordered by what hangs together, and where each part begins."""

    def judged(self, linked: Numbers, parts: Numbers) -> Iterator[tuple[Numbers, Copies]]:
        """Whole parts at a time, in each the best first: their documents, and what the texts say of them."""


def find_copies(
    shelves: Sequence[Shelf],
    signatures: Signatures,
    *,
    tests: int,
    frozen: int,
    threshold: float,
    threads: int,
    scratch: Path,
) -> Copies:
    """Which of the documents on the shelves are copies, in the order of `signatures`.

    Those before `tests` remove whatever is like them; those before `frozen` are never removed. Of others the better
    stays: see `best_first`. The engine in use may leave files in the folder `scratch`.
    """
    copies = _no_copies(len(signatures))
    rules = Rules(threshold, least_agreement(threshold), tests, frozen)
    ones = _single_out(signatures, frozen, copies)
    comparison = current().compare(shelves, signatures, ones, rules, threads=threads, scratch=scratch)
    linked, parts = comparison.linked()
    linked = _best_first_in_parts(linked, parts, signatures, frozen)
    with progress("verifying", len(linked)) as steps:
        for documents, found in comparison.judged(linked, parts):
            copies.put(documents, found)
            steps.advance(len(documents))
    _to_last_keeper(ones, copies)
    return copies


def best_first(documents: Numbers, signatures: Signatures, frozen: int) -> Numbers:
    """The documents in the order in which they stay.

    Frozen ones as they come, then: the doctor has the last word, more turns, more doctor's turns that ask, less noise,
    a preferred source, a longer text, the smaller id.
    """
    traits = signatures.traits[documents]
    order = np.empty(len(documents), dtype=np.int64)
    order[pc.sort_indices(signatures.ids.take(documents)).to_numpy()] = np.arange(len(documents))
    worse = traits[:, [LENGTH, PREFERENCE, NOISE, ASKING, TURNS, ANSWERED]] * np.array([-1, 1, 1, -1, -1, -1])
    return documents[np.lexsort(np.vstack((order, worse.T, np.minimum(documents, frozen))))]


def _no_copies(count: int) -> Copies:
    return Copies(
        keeper=np.arange(count),
        beside=np.full(count, -1),
        reason=np.zeros(count, dtype=np.int8),
        similarity=np.ones(count, dtype=np.float32),
        ratio=np.ones(count, dtype=np.float32),
        missed=np.full(count, -1),
        nearly=np.zeros(count, dtype=np.float32),
    )


def _single_out(signatures: Signatures, frozen: int, copies: Copies) -> Numbers:
    """The best of each set of exact copies; of the others it is the keeper."""
    first, second = signatures.keys[:, 0], signatures.keys[:, 1]
    order = np.lexsort((second, first))
    same = (first[order[1:]] == first[order[:-1]]) & (second[order[1:]] == second[order[:-1]])
    several = np.zeros(len(order), dtype=np.bool_)
    several[1:] |= same
    several[:-1] |= same
    ranked = best_first(order[several], signatures, frozen)
    ranked = ranked[np.lexsort((np.arange(len(ranked)), second[ranked], first[ranked]))]
    begins = np.flatnonzero(
        np.any(np.diff(signatures.keys[ranked], axis=0, prepend=~signatures.keys[ranked[:1]]), axis=1)
    )
    best = np.repeat(ranked[begins], np.diff(np.append(begins, len(ranked))))
    copies.keeper[ranked] = np.where(ranked < frozen, ranked, best)
    return np.flatnonzero(np.isin(np.arange(len(order)), ranked[best != ranked], invert=True))


def _best_first_in_parts(linked: Numbers, parts: Numbers, signatures: Signatures, frozen: int) -> Numbers:
    part_of = np.zeros(len(signatures), dtype=np.int64)
    part_of[linked] = np.repeat(np.arange(len(parts) - 1), np.diff(parts))
    ranked = best_first(linked, signatures, frozen)
    return ranked[np.argsort(part_of[ranked], kind="stable")]


def _to_last_keeper(ones: Numbers, copies: Copies) -> None:
    """Where the keeper of an exact copy went as a near one itself, its keeper is as near to the copy: one text."""
    gone = copies.keeper != np.arange(len(copies.keeper))
    gone[ones] = False
    exact = np.flatnonzero(gone)
    first = copies.keeper[exact]
    copies.keeper[exact] = copies.keeper[first]
    further = first != copies.keeper[first]
    copies.similarity[exact[further]] = copies.similarity[first[further]]
    copies.ratio[exact[further]] = copies.ratio[first[further]]
