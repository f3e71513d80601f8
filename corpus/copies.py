"""Copies among signed dialogues: exact ones by key, near ones by bands and then by their texts, a wave at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from corpus.candidates import Groups, Numbers, components, find_groups
from corpus.comparable import Points, string_of, texts_of, turns_of
from corpus.minhash import ANSWERED, ASKING, LENGTH, NOISE, TURNS, bands_for, least_agreement
from corpus.signatures import Shelf, Signatures
from corpus.stars import Rules, Stars, Wave, empty_stars, find_stars
from corpus.threads import in_threads
from foundation.progress import progress

PREFERENCE = 5
POINTS_AT_ONCE = 50_000_000
PAIRS_AT_ONCE = 1_000
SHARES = 8

Similarities = npt.NDArray[np.float32]


class Copies(msgspec.Struct, frozen=True):
    """Arrays over all documents, frozen ones first.

    `keeper` is the document that one went in favour of, itself where it stays. `beside` is the document that one is
    flagged beside, -1 for none, for the `reason` NUMBERS or QUESTIONS of `corpus.stars`. `similarity` and `ratio` (of
    rapidfuzz) are to the one or the other. `missed` and `nearly` are the likest keeper just under the threshold.
    """

    keeper: Numbers
    beside: Numbers
    reason: npt.NDArray[np.int8]
    similarity: Similarities
    ratio: Similarities
    missed: Numbers
    nearly: Similarities


def find_copies(
    shelves: Sequence[Shelf], signatures: Signatures, *, tests: int, frozen: int, threshold: float, threads: int
) -> Copies:
    """Which of the documents on the shelves are copies, in the order of `signatures`.

    Those before `tests` remove whatever is like them; those before `frozen` are never removed. Of others the better
    stays: see `best_first`.
    """
    count = len(signatures)
    copies = _no_copies(count)
    rules = Rules(threshold, least_agreement(threshold), tests, frozen)
    ones = _single_out(signatures, frozen, copies)
    groups = _grouped(signatures, ones, rules, threads)
    linked, parts = components(groups, count)
    linked = _best_first_in_parts(linked, parts, signatures, frozen)
    with progress("verifying", len(linked)) as steps:
        for wave in _waves(shelves, signatures, linked, parts):
            stars = _verified(wave, groups, signatures, rules, threads)
            _take(wave, stars, copies)
            steps.advance(len(wave.documents))
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


def _grouped(signatures: Signatures, ones: Numbers, rules: Rules, threads: int) -> Groups:
    bands = bands_for(rules.threshold, len(ones))
    with progress("comparing", len(bands)) as steps:
        return find_groups(
            signatures.sketches,
            ones,
            bands,
            frozen=rules.frozen,
            least=rules.least,
            threads=threads,
            step=steps.advance,
        )


def _best_first_in_parts(linked: Numbers, parts: Numbers, signatures: Signatures, frozen: int) -> Numbers:
    part_of = np.zeros(len(signatures), dtype=np.int64)
    part_of[linked] = np.repeat(np.arange(len(parts) - 1), np.diff(parts))
    ranked = best_first(linked, signatures, frozen)
    return ranked[np.argsort(part_of[ranked], kind="stable")]


def _waves(shelves: Sequence[Shelf], signatures: Signatures, linked: Numbers, parts: Numbers) -> Iterator[Wave]:
    """Neighbouring parts together until their texts fill `POINTS_AT_ONCE`; each wave reads the shelves once more."""
    lengths = signatures.traits[linked, LENGTH].astype(np.int64)
    held = np.append(0, np.cumsum(lengths))[parts]
    begin = 0
    while begin < len(parts) - 1:
        end = max(begin + 1, int(np.searchsorted(held, held[begin] + POINTS_AT_ONCE, side="right")) - 1)
        documents = linked[parts[begin] : parts[end]]
        places = np.full(len(signatures), -1, dtype=np.int32)
        places[documents] = np.arange(len(documents))
        offsets = np.append(0, np.cumsum(signatures.traits[documents, LENGTH].astype(np.int64)))
        points = np.empty(int(offsets[-1]), dtype=np.uint32)
        _read_texts(shelves, places, points, offsets)
        yield Wave(documents, parts[begin : end + 1] - parts[begin], places, points, offsets)
        begin = end


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


def _verified(wave: Wave, groups: Groups, signatures: Signatures, rules: Rules, threads: int) -> Stars:
    stars = empty_stars(len(wave.documents))
    count = len(wave.parts) - 1
    ends = np.searchsorted(wave.parts, np.linspace(0, len(wave.documents), SHARES * threads + 1)).tolist()
    shares = [range(first, min(last, count)) for first, last in pairwise(ends)]

    def judge(share: range) -> None:
        find_stars(wave, groups, signatures.sketches, rules, share, stars)

    for _ in in_threads(judge, shares, threads):
        pass
    return stars


def _take(wave: Wave, stars: Stars, copies: Copies) -> None:
    """Write what was found in a wave into the arrays over all documents, with the ratios of rapidfuzz."""
    own = np.arange(len(wave.documents))
    stays = stars.keeper == own
    copies.keeper[wave.documents] = wave.documents[stars.keeper]
    flagged = stays & (stars.beside >= 0)
    copies.beside[wave.documents[flagged]] = wave.documents[stars.beside[flagged]]
    copies.reason[wave.documents[flagged]] = stars.reason[flagged]
    missed = stays & (stars.missed >= 0)
    copies.missed[wave.documents[missed]] = wave.documents[stars.missed[missed]]
    copies.nearly[wave.documents[missed]] = stars.nearly[missed]
    copies.similarity[wave.documents] = np.where(flagged, stars.flagged, stars.similarity)
    compared = np.flatnonzero(~stays | flagged)
    others = np.where(flagged, stars.beside, stars.keeper)[compared]
    copies.ratio[wave.documents[compared]] = _ratios(wave, compared, others)


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
