"""What speaks for a class apart from the trained classifier: words of the vocabulary, and facts of the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from corpus.classification.vocabulary import department_words, scenario_words
from corpus.departments import department_of

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph

Scores = NDArray[np.float64]
"""A row a text (or turn), a column a class."""

_DEPARTMENT = "就诊科室"
_TELLING = frozenset({"临床表现", "适应症", "并发症", "病因", "检查", "治疗", "手术治疗", "发病部位"})
_ILL = frozenset({"disease", "symptom"})
_INFERRED = 0.3
_MANY = 64


class Lexicon:
    """Words that speak for classes. A word of several classes speaks for each of them less, a longer one more."""

    def __init__(self, words: Mapping[str, Iterable[str]]) -> None:
        import daachorse

        self.classes = tuple(words)
        spoken: dict[str, list[int]] = {}
        for column, some in enumerate(words.values()):
            for word in dict.fromkeys(each.lower() for each in some):
                spoken.setdefault(word, []).append(column)
        patterns = sorted(spoken)
        self._weights = np.zeros((len(patterns), len(self.classes)))
        for row, pattern in enumerate(patterns):
            self._weights[row, spoken[pattern]] = len(pattern) ** 0.5 / len(spoken[pattern])
        kind = daachorse.MATCH_KIND_LEFTMOST_LONGEST
        self._find = daachorse.CharwiseDoubleArrayAhoCorasick(patterns, kind).find

    def scores(self, texts: Sequence[str]) -> Scores:
        """What the words of each text say, each counted as log(1 + times)."""
        joined = "\n".join(texts).lower()
        found = self._find(joined)
        spans = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=3 * len(found)).reshape(-1, 3)
        ends = np.cumsum([len(text.lower()) + 1 for text in texts])
        rows = np.searchsorted(ends, spans[:, 0], side="right")
        width = len(self._weights)
        pairs, times = np.unique(rows * width + spans[:, 2], return_counts=True)
        scores = np.zeros((len(texts), len(self.classes)))
        np.add.at(scores, pairs // width, np.log1p(times)[:, None] * self._weights[pairs % width])
        return scores


@cache
def department_lexicon() -> Lexicon:
    """The words of the departments."""
    return Lexicon(department_words())


@cache
def scenario_lexicon() -> Lexicon:
    """The ways to ask of the scenarios."""
    return Lexicon(scenario_words())


class GraphEvidence:
    """To which departments the entities of a graph belong: by 就诊科室, by their names, by the illnesses they go with.

    A graph without departments still tells: a drug belongs where the illnesses do that it is for.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        self._graph = graph
        self._lexicon = department_lexicon()
        self._known: dict[str, Scores] = {}

    def of(self, entities: Iterable[str]) -> Scores:
        """The sum over these entities: each has one voice where its department is stated, less where it is inferred."""
        total = np.zeros(len(self._lexicon.classes))
        for entity in entities:
            total += self._of_entity(entity)
        return total

    def _of_entity(self, entity: str) -> Scores:
        if entity not in self._known:
            stated = self._stated(entity)
            self._known[entity] = _shares(stated) if stated.any() else _INFERRED * _shares(self._named(entity))
        return self._known[entity]

    def _stated(self, entity: str) -> Scores:
        votes = np.zeros(len(self._lexicon.classes))
        for fact in self._graph.triples(subject=entity, relation=_DEPARTMENT):
            department = department_of(fact.object)
            if department is not None:
                votes[self._lexicon.classes.index(department)] += 1
        return votes

    def _named(self, entity: str) -> Scores:
        near = [
            one.name
            for one in self._graph.neighbours(entity)
            if one.relation in _TELLING and self._graph.type_of(one.name) in _ILL
        ][:_MANY]
        own, around = self._lexicon.scores([entity]), self._lexicon.scores(near) if near else np.zeros((1, 1))
        return _shares(own[0]) + _shares(around.sum(axis=0))


def _shares(votes: Any) -> Scores:
    total = votes.sum()
    return np.asarray(votes / total if total else votes)
