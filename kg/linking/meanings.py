"""What the names of a graph mean, in columns: few objects to visit for a mention, among hundreds of thousands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import get_args

from msgspec.structs import replace

from kg.linking.scopes import ALL_FLAGS, FAMILY, NEGATED, OTHER, PAST, UNCERTAIN
from kg.linking.senses import fitting
from kg.linking.spellings import Name
from kg.records import EntityType, Experiencer, Match, Mention, Temporality

Span = tuple[int, int, int]
"""Start, end, and the number of a name or meaning."""
Found = tuple[list[Span], list[int], dict[int, float]]
"""Spans, the flags of each (`scopes`), and the scores of those that are misspelt, by their place in the list."""
Sort = tuple[EntityType, Match]
Rest = tuple[EntityType, Match, float, bool, bool, Experiencer, Temporality]


class Meanings:
    """The meanings of names: number `i` is the first of name `i`; the others that a few have come after all these."""

    def __init__(self, names: Sequence[Sequence[Name]]) -> None:
        every = [senses[0] for senses in names]
        self._several: dict[int, dict[Name, int]] = {}
        for number, senses in enumerate(names):
            if len(senses) > 1:
                others = {name: len(every) + at for at, name in enumerate(senses[1:])}
                self._several[number] = {senses[0]: number, **others}
                every += others
        self._entities = [name.entity for name in every]
        self._sorts = bytes(_NUMBERS[name.type, name.match] for name in every)

    def match(self, number: int) -> Match:
        """How a name came to be one."""
        return _SORTS[self._sorts[number]][1]

    def settle(self, text: str, spans: list[Span], flags: list[int]) -> tuple[list[Span], list[int]]:
        """Names replaced by their meanings; where one has several, by those that the normalised text speaks for."""
        if self._several.keys().isdisjoint([number for _, _, number in spans]):
            return spans, flags
        rows = [
            ((start, end, meaning), flag)
            for (start, end, number), flag in zip(spans, flags, strict=True)
            for meaning in self._fitting(text, start, end, number)
        ]
        return [span for span, _ in rows], [flag for _, flag in rows]

    def mentions(self, text: str, found: Found, bases: Iterable[int]) -> list[Mention]:
        """What was found in a text as mentions, with offsets from where the part of each begins."""
        entities, sorts = self._entities, self._sorts
        spans, flags, scores = found
        mentions = [
            Mention(start - base, end - base, text[start:end], entities[number], *_RESTS[sorts[number]][flag])
            for (start, end, number), flag, base in zip(spans, flags, bases, strict=False)
        ]
        for at, score in scores.items():
            mentions[at] = replace(mentions[at], match="fuzzy", score=score)
        return mentions

    def _fitting(self, text: str, start: int, end: int, number: int) -> Sequence[int]:
        senses = self._several.get(number)
        if senses is None:
            return (number,)
        return [senses[name] for name in fitting(list(senses), text, start, end)]


def _rest(sort: Sort, flags: int) -> Rest:
    experiencer: Experiencer = "family" if flags & FAMILY else "other" if flags & OTHER else "patient"
    return *sort, 1.0, bool(flags & NEGATED), bool(flags & UNCERTAIN), experiencer, "past" if flags & PAST else "now"


_SORTS: list[Sort] = list(product(get_args(EntityType), get_args(Match)))
_NUMBERS = {sort: number for number, sort in enumerate(_SORTS)}
_RESTS = [[_rest(sort, flags) for flags in range(ALL_FLAGS + 1)] for sort in _SORTS]
