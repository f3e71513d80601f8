"""Names of the graph found in text: exact and alias by one automaton, longest first, each with its status.

Texts are joined into blocks of lines, so that many texts share what a call costs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise, repeat

import numpy as np

from kg.graph import KnowledgeGraph
from kg.linking.assertion import statuses
from kg.linking.fuzzy import THRESHOLD, FuzzyNames
from kg.linking.meanings import Found, Meanings, Span
from kg.linking.scopes import FINDING, NEUTRAL, TAKEN
from kg.linking.spellings import names_of
from kg.normalise import Normalised, Offsets, normalise
from kg.records import EntityType, Mention

BLOCK = 16_000
_WARM, _MANY = 20_000, 20_000
_KINDS: dict[EntityType, int] = {
    **dict.fromkeys(("drug", "examination", "treatment", "food", "ingredient"), TAKEN),
    **dict.fromkeys(("department", "group", "body_part"), NEUTRAL),
}
_LONGER_WORDS = frozenset({"病变", "病灶", "病理", "高低", "低高", "慢性", "急性", "发性", "传性", "染性"})
_ALPHANUMERIC = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")

Slips = dict[int, float]
"""Where misspelt names begin, with their scores."""
_NO_SLIPS: Slips = {}


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
        names = [by_pattern[pattern] for pattern in self._patterns]
        self._meanings = Meanings(names)
        self._kinds = np.array([_KINDS.get(senses[0].type, FINDING) for senses in names], dtype=np.int8)
        self._doubtful = bytes(map(_is_doubtful, self._patterns))
        coined = [senses[0].type == "drug" for senses in names]
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
        found = self._found(text)
        return self._meanings.mentions(text, found, repeat(0)) if found else []

    def link_all(self, texts: Iterable[str]) -> Iterator[list[Mention]]:
        """The mentions of each text, in order: what `link` gives, up to three times faster for short texts."""
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
        found = self._found(joined)
        if not found:
            return ([] for _ in texts)
        begins = np.cumsum([0, *(len(text) + 1 for text in texts)])
        bounds = np.searchsorted([start for start, _, _ in found[0]], begins)
        bases = np.repeat(begins[:-1], np.diff(bounds)).tolist()
        mentions = self._meanings.mentions(joined, found, bases)
        return (mentions[first:last] for first, last in pairwise(bounds.tolist()))

    def _found(self, text: str) -> Found | None:
        plain = normalise(text)
        self._seen += len(text)
        compiled = self._seen > _WARM
        spans, slips = self._exact(plain.text), _NO_SLIPS
        if self._fuzzy is not None:
            spans, slips = _with_fuzzy(plain, spans, self._fuzzy, compiled or len(self._patterns) > _MANY)
        if not spans:
            return None
        flags = statuses(plain.codes, spans, self._kinds, compiled=compiled)
        if self._overlapping is not None:
            spans, flags = self._with_nested(plain.text, spans, slips, flags)
        spans, flags = self._meanings.settle(plain.text, spans, flags)
        scores = {at: slips[start] for at, (start, _, _) in enumerate(spans) if start in slips} if slips else {}
        return _as_given(spans, plain.origin), flags, scores

    def _exact(self, text: str) -> list[Span]:
        spans, doubtful = self._automaton(text), self._doubtful
        unsure = [at for at, (_, _, number) in enumerate(spans) if doubtful[number]]
        if not unsure:
            return spans
        cut = {at: shorter for at in unsure if (shorter := self._settle(text, *spans[at])) is not None}
        return [sure for at, span in enumerate(spans) for sure in cut.get(at, (span,))] if cut else spans

    def _settle(self, text: str, start: int, end: int, number: int) -> list[Span] | None:
        """The shorter names in a span that is cut off: 维生素b in 维生素b1|2, 高血压 in 高血压|病史; else None."""
        if not _inside_word(text, start, end) and not self._runs_on(text, start, end, number):
            return None
        for stop in range(end - 1, start, -1):
            for first, last, shorter in self._automaton(text[start:stop]):
                if not _inside_word(text, start + first, start + last):
                    return [(start + first, start + last, shorter)]
        return []

    def _runs_on(self, text: str, start: int, end: int, number: int) -> bool:
        """Whether a name's first or last character belongs to a word beside it: 慢性|病, 心脏|病变, 血压|高低.

        So in 高血压|病史, where 高血压病 is but an alias.
        """
        if text[end - 1 : end + 1] in _LONGER_WORDS or text[max(start - 1, 0) : start + 1] in _LONGER_WORDS:
            return True
        if not text.startswith("病史", end - 1) or self._meanings.match(number) == "exact":
            return False
        shorter = self._numbers.get(self._patterns[number][:-1])
        return shorter is not None and self._meanings.match(shorter) == "exact"

    def _with_nested(
        self, text: str, spans: list[Span], slips: Slips, flags: list[int]
    ) -> tuple[list[Span], list[int]]:
        """Every name inside an exact one as well, with its status."""
        assert self._overlapping is not None
        rows = list(zip(spans, flags, strict=True))
        starts = [start for start, _, _ in spans]
        for start, end, number in self._overlapping(text):
            around = bisect_right(starts, start) - 1
            first, last, _ = spans[around] if around >= 0 else (end, end, 0)
            inside = first not in slips and end <= last and end - start < last - first
            if inside and not _inside_word(text, start, end):
                rows.append(((start, end, number), flags[around]))
        rows.sort(key=lambda row: (row[0][0], -row[0][1]))
        return [span for span, _ in rows], [flag for _, flag in rows]


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


def _inside_word(text: str, start: int, end: int) -> bool:
    """Whether a Latin or digit end of ``text[start:end]`` goes on outside it: 999 in 39990."""
    before, after = text[start - 1] if start else " ", text[end] if end < len(text) else " "
    if text[start] in _ALPHANUMERIC and (before in _ALPHANUMERIC or (before == "." and text[start].isdigit())):
        return True
    if text[end - 1] not in _ALPHANUMERIC:
        return False
    decimals = after == "." and text[end - 1].isdigit() and text[end + 1 : end + 2].isdigit()
    return after in _ALPHANUMERIC or decimals


def _with_fuzzy(plain: Normalised, exact: list[Span], fuzzy: FuzzyNames, compiled: bool) -> tuple[list[Span], Slips]:
    """Misspelt names beside the exact ones, but for those inside a misspelt one."""
    near = fuzzy.search(plain.text, plain.codes, [(start, end) for start, end, _ in exact], compiled=compiled)
    if not near:
        return exact, {}
    begins = [one.start for one in near]
    around = ((span, bisect_right(begins, span[0]) - 1) for span in exact)
    kept = [span for span, at in around if at < 0 or span[0] >= near[at].end]
    return sorted([*kept, *((one.start, one.end, one.number) for one in near)]), {one.start: one.score for one in near}


def _as_given(spans: list[Span], origin: Offsets | None) -> list[Span]:
    """With offsets of the text as given."""
    if origin is None:
        return spans
    starts, ends, numbers = zip(*spans, strict=True)
    last = origin.take(np.array(ends) - 1)
    return list(zip(origin.take(starts).tolist(), (last + 1).tolist(), numbers, strict=True))
