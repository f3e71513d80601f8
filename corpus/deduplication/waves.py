"""Candidates verified by their texts, a wave at a time: whole parts of what hangs together, as much as memory holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from corpus.deduplication.candidates import Groups, Numbers, components, find_groups
from corpus.deduplication.comparable import Points, string_of, texts_of, turns_of
from corpus.deduplication.copies import Copies, Similarities
from corpus.deduplication.minhash import LENGTH, Sketches, bands_for
from corpus.deduplication.signatures import Shelf, Signatures
from corpus.deduplication.stars import Rules, Stars, Wave, empty_stars, find_stars
from corpus.deduplication.threads import in_threads
from foundation.progress import progress

POINTS_AT_ONCE = 50_000_000
PAIRS_AT_ONCE = 1_000
SHARES = 8


class InThreads:
    """A comparison in the memory of this process."""

    def __init__(
        self, shelves: Sequence[Shelf], signatures: Signatures, ones: Numbers, rules: Rules, threads: int
    ) -> None:
        self.shelves, self.signatures, self.rules, self.threads = shelves, signatures, rules, threads
        bands = bands_for(rules.threshold, len(ones))
        with progress("comparing", len(bands)) as steps:
            self.groups = find_groups(
                signatures.sketches,
                ones,
                bands,
                frozen=rules.frozen,
                least=rules.least,
                threads=threads,
                step=steps.advance,
            )

    def linked(self) -> tuple[Numbers, Numbers]:
        """What hangs together through groups."""
        return components(self.groups, len(self.signatures))

    def judged(self, linked: Numbers, parts: Numbers) -> Iterator[tuple[Numbers, Copies]]:
        """Each wave reads the shelves once more."""
        for wave in self._waves(linked, parts):
            yield wave.documents, judge(wave, self.groups, self.signatures.sketches, self.rules, self.threads)

    def _waves(self, linked: Numbers, parts: Numbers) -> Iterator[Wave]:
        lengths = self.signatures.traits[:, LENGTH].astype(np.int64)
        for begin, end in pairwise(cut(lengths[linked], parts, POINTS_AT_ONCE)):
            documents = linked[parts[begin] : parts[end]]
            places = places_of(documents, len(self.signatures))
            offsets = np.append(0, np.cumsum(lengths[documents]))
            points = np.empty(int(offsets[-1]), dtype=np.uint32)
            _read_texts(self.shelves, places, points, offsets)
            yield Wave(documents, parts[begin : end + 1] - parts[begin], places, points, offsets)


def cut(lengths: Numbers, parts: Numbers, most: int) -> list[int]:
    """Where waves of neighbouring parts begin and end: each as many as `most` points allow, but at least one."""
    held = np.append(0, np.cumsum(lengths))[parts]
    cuts = [0]
    while cuts[-1] < len(parts) - 1:
        reach = int(np.searchsorted(held, held[cuts[-1]] + most, side="right")) - 1
        cuts.append(max(cuts[-1] + 1, reach))
    return cuts


def places_of(documents: Numbers, count: int) -> npt.NDArray[np.int32]:
    """The place of each of `count` documents among those given, -1 for those elsewhere."""
    places = np.full(count, -1, dtype=np.int32)
    places[documents] = np.arange(len(documents))
    return places


def judge(wave: Wave, groups: Groups, sketches: Sketches, rules: Rules, threads: int = 1) -> Copies:
    """What becomes of the documents of a wave, in its order."""
    stars = _verified(wave, groups, sketches, rules, threads)
    stays = stars.keeper == np.arange(len(wave.documents))
    flagged, missed = stays & (stars.beside >= 0), stays & (stars.missed >= 0)
    ratio = np.ones(len(wave.documents), dtype=np.float32)
    compared = np.flatnonzero(~stays | flagged)
    ratio[compared] = _ratios(wave, compared, np.where(flagged, stars.beside, stars.keeper)[compared])
    return Copies(
        keeper=wave.documents[stars.keeper],
        beside=np.where(flagged, wave.documents[stars.beside], -1),
        reason=np.where(flagged, stars.reason, 0).astype(np.int8),
        similarity=np.where(flagged, stars.flagged, stars.similarity).astype(np.float32),
        ratio=ratio,
        missed=np.where(missed, wave.documents[stars.missed], -1),
        nearly=np.where(missed, stars.nearly, 0).astype(np.float32),
    )


def _read_texts(shelves: Sequence[Shelf], places: npt.NDArray[np.int32], points: Points, offsets: Numbers) -> None:
    begin = 0
    for shelf in shelves:
        for batch in shelf.batches(["messages"]):
            rows = np.flatnonzero(places[begin : begin + batch.num_rows] >= 0)
            if len(rows):
                texts, starts = texts_of(turns_of(batch), rows)
                for row, first, last in zip(rows, starts[:-1], starts[1:], strict=True):
                    place = places[begin + row]
                    points[offsets[place] : offsets[place + 1]] = texts[first:last]
            begin += batch.num_rows


def _verified(wave: Wave, groups: Groups, sketches: Sketches, rules: Rules, threads: int) -> Stars:
    stars = empty_stars(len(wave.documents))
    count = len(wave.parts) - 1
    ends = np.searchsorted(wave.parts, np.linspace(0, len(wave.documents), SHARES * threads + 1)).tolist()
    shares = [range(first, min(last, count)) for first, last in pairwise(ends)]

    def judge(share: range) -> None:
        find_stars(wave, groups, sketches, rules, share, stars)

    for _ in in_threads(judge, shares, threads):
        pass
    return stars


def _ratios(wave: Wave, ones: Numbers, others: Numbers) -> Similarities:
    """The ratio of rapidfuzz for each pair of places, some at a time."""
    from rapidfuzz import fuzz, process

    ratios = np.empty(len(ones), dtype=np.float32)
    for begin in range(0, len(ones), PAIRS_AT_ONCE):
        pairs = slice(begin, begin + PAIRS_AT_ONCE)
        left, right = _strings(wave, ones[pairs]), _strings(wave, others[pairs])
        ratios[pairs] = process.cpdist(left, right, scorer=fuzz.ratio, dtype=np.float32) / 100
    return ratios


def _strings(wave: Wave, places: Numbers) -> list[str]:
    """The texts at the places, by way of one long string."""
    texts = [wave.points[wave.offsets[place] : wave.offsets[place + 1]] for place in places.tolist()]
    ends = np.cumsum([0, *map(len, texts)]).tolist()
    together = string_of(np.concatenate([*texts, wave.points[:0]]))
    return [together[first:last] for first, last in pairwise(ends)]
