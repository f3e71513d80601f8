"""Names of the graph found in text: exact and alias by one automaton, longest first, each with its status."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import msgspec

from kg.assertion import FAMILY, NEGATED, OTHER, PAST, UNCERTAIN, statuses
from kg.fuzzy import FuzzyNames
from kg.graph import KnowledgeGraph
from kg.normalise import Normalised, normalise
from kg.records import EntityType, Experiencer, Match, Mention

MAX_LINKED = 40
_MIN_DIGITS = 3
_KEPT_TYPES = frozenset({"group", "department", "body_part"})
_UNLINKED_TYPES = frozenset({"advice"})
_TAKEN_TYPES = frozenset({"drug", "examination", "treatment", "food", "ingredient"})
_ALPHANUMERIC = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


class Name(msgspec.Struct, frozen=True):
    """What a pattern of the automaton stands for."""

    entity: str
    type: EntityType
    match: Match
    taken: bool


class Found(msgspec.Struct, frozen=True):
    """A name at a span of the normalised text."""

    start: int
    end: int
    name: Name
    match: Match
    score: float


class EntityLinker:
    """Links texts to a graph. Build it once and use it for many texts, from many threads if you like.

    `fuzzy` also looks for misspelt names where no exact one stands (`阿莫西林胶襄`); it costs time.
    `EntityLinker(graph).link("没有发烧")` gives one mention, negated.
    """

    def __init__(self, graph: KnowledgeGraph, *, fuzzy: bool = False) -> None:
        import daachorse

        self._by_pattern = names_of(graph)
        self._patterns = sorted(self._by_pattern)
        self._names = [self._by_pattern[pattern] for pattern in self._patterns]
        self._find = None
        if self._patterns:
            kind = daachorse.MATCH_KIND_LEFTMOST_LONGEST
            self._find = daachorse.CharwiseDoubleArrayAhoCorasick(self._patterns, kind).find
        self._fuzzy = FuzzyNames(self._patterns) if fuzzy else None

    def link(self, text: str) -> list[Mention]:
        """The mentions of a text from left to right, never overlapping; none in a text without names."""
        plain = normalise(text)
        found = list(self._exact(plain.text))
        if self._fuzzy is not None:
            found = self._with_fuzzy(plain.text, found, self._fuzzy)
        flags = statuses(plain.text, [(one.start, one.end, one.name.taken) for one in found])
        return [_mention(text, plain, one, flag) for one, flag in zip(found, flags, strict=True)]

    def _exact(self, text: str) -> Iterator[Found]:
        for start, end, number in self._find(text) if self._find else ():
            if _inside_word(text, start, end) or self._is_history(text, end, number):
                yield from self._shorter(text, start, end)
            else:
                name = self._names[number]
                yield Found(start, end, name, name.match, 1.0)

    def _is_history(self, text: str, end: int, number: int) -> bool:
        """Whether a name's last character belongs to what follows: 高血压|病史, where 高血压病 is but an alias."""
        if not text.startswith("病史", end - 1) or self._names[number].match == "exact":
            return False
        shorter = self._by_pattern.get(self._patterns[number][:-1])
        return shorter is not None and shorter.match == "exact"

    def _shorter(self, text: str, start: int, end: int) -> Iterator[Found]:
        """Names inside a span whose longest name is part of a Latin word or number: 维生素b in 维生素b1|2."""
        for stop in range(end - 1, start, -1):
            for first, last, number in self._find(text[start:stop]) if self._find else ():
                if not _inside_word(text, start + first, start + last):
                    name = self._names[number]
                    yield Found(start + first, start + last, name, name.match, 1.0)
                    return

    def _with_fuzzy(self, text: str, exact: list[Found], fuzzy: FuzzyNames) -> list[Found]:
        taken = [(one.start, one.end) for one in exact]
        similar = [
            Found(near.start, near.end, self._names[near.number], "fuzzy", near.score)
            for near in fuzzy.search(text, taken)
        ]
        return sorted(exact + similar, key=lambda one: one.start)


def names_of(graph: KnowledgeGraph) -> dict[str, Name]:
    """Every name and alias to be looked for, in normalised spelling. An entity's own name wins over an alias."""
    kinds = dict(zip(graph.names, graph.types(), strict=True))
    names: dict[str, Name] = {}
    for entity, kind in kinds.items():
        _offer(names, entity, Name(entity, kind, "exact", kind in _TAKEN_TYPES))
    for alias, entity in graph.alias_pairs():
        kind = kinds[entity]
        if not _is_fragment(alias, entity):
            _offer(names, alias, Name(entity, kind, "alias", kind in _TAKEN_TYPES))
    return names


def _offer(names: dict[str, Name], written: str, name: Name) -> None:
    pattern = normalise(written).text.strip()
    if name.type not in _UNLINKED_TYPES and _is_distinct(pattern, name.type, name.match):
        names.setdefault(pattern, name)


def _is_distinct(pattern: str, kind: EntityType, match: Match) -> bool:
    """Whether a name says by itself what is meant: no single character, everyday word or mere adjective."""
    if not 1 < len(pattern) <= MAX_LINKED or not any(map(str.isalnum, pattern)):
        return False
    if pattern.isdigit() and len(pattern) < _MIN_DIGITS:
        return False
    if match == "exact" and kind in _KEPT_TYPES:
        return True
    return pattern not in stopwords() and not pattern.endswith(("性", "的"))


def _is_fragment(alias: str, entity: str) -> bool:
    """Whether an alias is the torn-off end of a name: 性肝硬化 of 胆汁性肝硬化."""
    return alias.startswith(("性", "型", "超")) and not entity.startswith(alias[0])


def _inside_word(text: str, start: int, end: int) -> bool:
    """Whether a Latin or digit end of ``text[start:end]`` goes on outside it: 999 in 39990."""
    before, after = text[start - 1] if start else " ", text[end] if end < len(text) else " "
    if text[start] in _ALPHANUMERIC and (before in _ALPHANUMERIC or (before == "." and text[start].isdigit())):
        return True
    if text[end - 1] not in _ALPHANUMERIC:
        return False
    decimals = after == "." and text[end - 1].isdigit() and text[end + 1 : end + 2].isdigit()
    return after in _ALPHANUMERIC or decimals


def _mention(text: str, plain: Normalised, found: Found, flags: int) -> Mention:
    start, end = plain.span(found.start, found.end)
    experiencer: Experiencer = "family" if flags & FAMILY else "other" if flags & OTHER else "patient"
    return Mention(
        start=start,
        end=end,
        text=text[start:end],
        entity=found.name.entity,
        type=found.name.type,
        match=found.match,
        score=found.score,
        negated=bool(flags & NEGATED),
        uncertain=bool(flags & UNCERTAIN),
        experiencer=experiencer,
        temporality="past" if flags & PAST else "now",
    )


@cache
def stopwords() -> frozenset[str]:
    """The words of `data/stopwords.txt`."""
    lines = files("kg").joinpath("data/stopwords.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
