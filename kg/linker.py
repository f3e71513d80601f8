"""Names of the graph found in text: exact and alias by one automaton, longest first, each with its status.

Texts are joined into blocks of lines, so that many texts share what a call costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from kg.assertion import statuses
from kg.fuzzy import THRESHOLD, FuzzyNames
from kg.graph import KnowledgeGraph
from kg.normalise import Codes, Normalised, normalise
from kg.records import EntityType, Experiencer, Mention, Temporality
from kg.scopes import ALL_FLAGS, FAMILY, FINDING, NEGATED, NEUTRAL, OTHER, PAST, TAKEN, UNCERTAIN
from kg.senses import fitting
from kg.spellings import Name, names_of

BLOCK = 16_000
_WARM, _MANY = 20_000, 20_000
_KINDS: dict[EntityType, int] = {
    **dict.fromkeys(("drug", "examination", "treatment", "food", "ingredient"), TAKEN),
    **dict.fromkeys(("department", "group", "body_part"), NEUTRAL),
}
_ASCII_END = 0x80
_LONGER_WORDS = frozenset({"病变", "病灶", "病理", "高低", "低高"})
_RUN_INTO = np.array(list(map(ord, "史变灶理低高")), dtype=np.uint32)
_ALPHANUMERIC = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")

Spans = NDArray[np.int64]
"""Rows of start, end, number of the name; shape (n, 3)."""
Span = tuple[int, int, int]
Scores = NDArray[np.float64]
Flags = NDArray[np.int64]
Status = tuple[bool, bool, Experiencer, Temporality]


class EntityLinker:
    """Links texts to a graph. Build it once and use it for many texts, from many threads.

    A pickled one builds itself anew where it is loaded.
    `fuzzy` also looks for misspelt names where no exact one stands (`阿莫西林胶襄`), `threshold` is their least score;
    `nested` also gives the names inside longer ones (`肝癌` in `原发性肝癌`).
    `EntityLinker(graph).link("没有发烧")` gives one mention, negated.
    """

    def __init__(
        self, graph: KnowledgeGraph, *, fuzzy: bool = False, nested: bool = False, threshold: float = THRESHOLD
    ) -> None:
        import daachorse

        self._made_by = partial(EntityLinker, graph, fuzzy=fuzzy, nested=nested, threshold=threshold)
        by_pattern = names_of(graph)
        self._patterns = sorted(by_pattern)
        self._numbers = {pattern: number for number, pattern in enumerate(self._patterns)}
        self._names = [by_pattern[pattern] for pattern in self._patterns]
        self._meanings = Meanings(self._names)
        self._kinds = np.array([_KINDS.get(names[0].type, FINDING) for names in self._names], dtype=np.int8)
        self._doubtful = np.array(list(map(_is_doubtful, self._patterns)), dtype=bool)
        coined = [names[0].type == "drug" for names in self._names]
        self._fuzzy = FuzzyNames(self._patterns, coined, threshold) if fuzzy else None
        self._automaton = _automaton(self._patterns, daachorse.MATCH_KIND_LEFTMOST_LONGEST)
        self._overlapping = _automaton(self._patterns, daachorse.MATCH_KIND_STANDARD) if nested else None
        self._seen = 0

    def __reduce__(self) -> tuple[Callable[[], EntityLinker], tuple[()]]:
        return self._made_by, ()

    def link(self, text: str) -> list[Mention]:
        """The mentions of a text from left to right; none in a text without names.

        They never overlap, but for nested ones, and for a name with two types between which the text does not tell.
        """
        return next(self._block([text]))

    def link_all(self, texts: Iterable[str]) -> Iterator[list[Mention]]:
        """The mentions of each text, in order: what `link` gives, several times faster for short texts."""
        block: list[str] = []
        size = 0
        for text in texts:
            block.append(text)
            size += len(text)
            if size >= BLOCK:
                yield from self._block(block)
                block, size = [], 0
        yield from self._block(block)

    def _block(self, texts: Sequence[str]) -> Iterator[list[Mention]]:
        joined = "\n".join(texts)
        plain = normalise(joined)
        self._seen += len(joined)
        compiled = self._seen > _WARM
        spans = self._exact(plain)
        scores = np.ones(len(spans))
        if self._fuzzy is not None:
            many = len(self._patterns) > _MANY
            spans, scores = _with_fuzzy(plain, spans, self._fuzzy, compiled or many)
        if not len(spans):
            return ([] for _ in texts)
        marked = np.column_stack([spans[:, :2], self._kinds[spans[:, 2]]])
        flags = statuses(plain.codes, marked, compiled=compiled)
        if self._overlapping is not None:
            spans, scores, flags = self._with_nested(plain.text, spans, scores, flags)
        return self._by_text(texts, plain, spans, scores, flags)

    def _exact(self, plain: Normalised) -> Spans:
        found = self._automaton(plain.text)
        spans = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=3 * len(found)).reshape(-1, 3)
        doubtful = np.flatnonzero(self._doubtful[spans[:, 2]])
        doubtful = doubtful[_is_cut(plain.codes, spans[doubtful])]
        if not len(doubtful):
            return spans
        settled = _rows(chain.from_iterable(self._settle(plain.text, *row) for row in spans[doubtful].tolist()))
        together = np.concatenate([np.delete(spans, doubtful, axis=0), settled])
        return together[np.argsort(together[:, 0], kind="stable")]

    def _settle(self, text: str, start: int, end: int, number: int) -> list[Span]:
        """A doubtful span, or the shorter names in it: 维生素b in 维生素b1|2, 高血压 in 高血压|病史."""
        if not _inside_word(text, start, end) and not self._runs_on(text, end, number):
            return [(start, end, number)]
        for stop in range(end - 1, start, -1):
            for first, last, shorter in self._automaton(text[start:stop]):
                if not _inside_word(text, start + first, start + last):
                    return [(start + first, start + last, shorter)]
        return []

    def _runs_on(self, text: str, end: int, number: int) -> bool:
        """Whether a name's last character belongs to what follows: 心脏|病变, 血压|高低; 高血压|病史, where 高血压病 is
        but an alias."""
        if text[end - 1 : end + 1] in _LONGER_WORDS:
            return True
        if not text.startswith("病史", end - 1) or self._names[number][0].match == "exact":
            return False
        shorter = self._numbers.get(self._patterns[number][:-1])
        return shorter is not None and self._names[shorter][0].match == "exact"

    def _with_nested(self, text: str, spans: Spans, scores: Scores, flags: Flags) -> tuple[Spans, Scores, Flags]:
        """Every name inside an exact one as well, with its status."""
        assert self._overlapping is not None
        inner = _rows(row for row in self._overlapping(text) if not _inside_word(text, *row[:2]))
        outer = np.searchsorted(spans[:, 0], inner[:, 0], side="right") - 1
        inside = outer >= 0
        inside[inside] = (inner[inside, 1] <= spans[outer[inside], 1]) & (scores[outer[inside]] == 1)
        inside[inside] = inner[inside, 1] - inner[inside, 0] < np.diff(spans[outer[inside], :2], axis=1)[:, 0]
        inner, outer = inner[inside], outer[inside]
        spans = np.concatenate([spans, inner])
        order = np.lexsort((-spans[:, 1], spans[:, 0]))
        return spans[order], np.append(scores, np.ones(len(inner)))[order], np.append(flags, flags[outer])[order]

    def _by_text(
        self, texts: Sequence[str], plain: Normalised, spans: Spans, scores: Scores, flags: Flags
    ) -> Iterator[list[Mention]]:
        rows, meanings = self._meanings.settle(spans, plain.text)
        if len(rows) > len(spans):
            spans, scores, flags = spans[rows], scores[rows], flags[rows]
        starts, ends = spans[:, 0], spans[:, 1]
        if plain.origin is not None:
            starts, ends = plain.origin[starts], plain.origin[ends - 1] + 1
        joined = "\n".join(texts)
        written = [joined[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        bases = np.cumsum([0, *map(len, texts)]) + np.arange(len(texts) + 1)
        bounds = np.searchsorted(starts, bases)
        moved = np.repeat(bases[:-1], np.diff(bounds))
        entities, types, matches = self._meanings.columns(meanings)
        matches[scores < 1] = "fuzzy"
        columns = (starts - moved, ends - moved, entities, types, matches, scores, *_STATUSES[:, flags])
        first, last, *others = (column.tolist() for column in columns)
        mentions = list(map(Mention, first, last, written, *others))
        return (mentions[begin:end] for begin, end in pairwise(bounds.tolist()))


class Meanings:
    """What the patterns stand for, one column each for entity, type and match."""

    def __init__(self, names: Sequence[Sequence[Name]]) -> None:
        self._names = names
        self._is_plain = all(len(senses) == 1 for senses in names)
        self._first = np.cumsum([0, *map(len, names)])
        self._columns = np.array([tuple(name) for senses in names for name in senses], dtype=object).reshape(-1, 3).T

    def settle(self, spans: Spans, text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The meaning of each span, and the span of each meaning: a name may have several, which the text settles."""
        if self._is_plain:
            return np.arange(len(spans)), spans[:, 2]
        first, last = self._first[spans[:, 2]], self._first[spans[:, 2] + 1]
        unsettled = np.flatnonzero(last - first > 1)
        if not len(unsettled):
            return np.arange(len(spans)), first
        chosen = {
            row: [
                first[row] + self._names[number].index(name) for name in fitting(self._names[number], text, start, end)
            ]
            for row, (start, end, number) in zip(unsettled.tolist(), spans[unsettled].tolist(), strict=True)
        }
        pairs = [(row, one) for row, only in enumerate(first.tolist()) for one in chosen.get(row, (only,))]
        rows, meanings = np.array(pairs, dtype=np.int64).T
        return rows, meanings

    def columns(self, meanings: NDArray[np.int64]) -> NDArray[np.object_]:
        """Entity, type and match of meanings, shape (3, n)."""
        return self._columns[:, meanings]


def _automaton(patterns: list[str], kind: int) -> Callable[[str], list[Span]]:
    """The search for patterns; daachorse wants at least one."""
    import daachorse

    if not patterns:
        return lambda _: []
    automaton = daachorse.CharwiseDoubleArrayAhoCorasick(patterns, kind)
    standard = kind == daachorse.MATCH_KIND_STANDARD
    search: Callable[[str], list[Span]] = automaton.find_overlapping if standard else automaton.find
    return search


def _is_doubtful(pattern: str) -> bool:
    """Whether what stands around a name decides if it is one there."""
    return pattern[0] in _ALPHANUMERIC or pattern[-1] in _ALPHANUMERIC or pattern[-1] in "病高低"


def _is_cut(codes: Codes, spans: Spans) -> NDArray[np.bool_]:
    """Which spans may be a part of a Latin word, of a number, or run on into a longer word; `_settle` tells."""
    padded = np.concatenate([[ord(" ")], codes, [ord(" "), ord(" ")]])
    first, last = spans[:, 0], spans[:, 1] + 1
    edges = (padded[first], padded[first + 1]), (padded[last], padded[last - 1])
    cut = [(outer < _ASCII_END) & (outer != ord(" ")) & (inner < _ASCII_END) for outer, inner in edges]
    return np.asarray(cut[0] | cut[1] | np.isin(padded[last], _RUN_INTO))


def _inside_word(text: str, start: int, end: int) -> bool:
    """Whether a Latin or digit end of ``text[start:end]`` goes on outside it: 999 in 39990."""
    before, after = text[start - 1] if start else " ", text[end] if end < len(text) else " "
    if text[start] in _ALPHANUMERIC and (before in _ALPHANUMERIC or (before == "." and text[start].isdigit())):
        return True
    if text[end - 1] not in _ALPHANUMERIC:
        return False
    decimals = after == "." and text[end - 1].isdigit() and text[end + 1 : end + 2].isdigit()
    return after in _ALPHANUMERIC or decimals


def _with_fuzzy(plain: Normalised, exact: Spans, fuzzy: FuzzyNames, compiled: bool) -> tuple[Spans, Scores]:
    near = fuzzy.search(plain.text, plain.codes, exact[:, :2].tolist(), compiled=compiled)
    found = _rows((one.start, one.end, one.number) for one in near)
    within = np.searchsorted(found[:, 0], exact[:, 0], side="right") - 1
    exact = exact[(within < 0) | (exact[:, 0] >= np.append(found[:, 1], 0)[within])]
    spans = np.concatenate([exact, found])
    scores = np.append(np.ones(len(exact)), [one.score for one in near])
    order = np.argsort(spans[:, 0], kind="stable")
    return spans[order], scores[order]


def _rows(spans: Iterable[Span]) -> Spans:
    return np.array(list(spans), dtype=np.int64).reshape(-1, 3)


def _status(flags: int) -> Status:
    experiencer: Experiencer = "family" if flags & FAMILY else "other" if flags & OTHER else "patient"
    return bool(flags & NEGATED), bool(flags & UNCERTAIN), experiencer, "past" if flags & PAST else "now"


_STATUSES = np.array([_status(flags) for flags in range(ALL_FLAGS + 1)], dtype=object).T
