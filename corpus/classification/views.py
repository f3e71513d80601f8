"""What the classifier looks at in dialogues: n-grams, words of the vocabulary, entities of the graph, turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpus.classification.evidence import GraphEvidence, Scores, department_lexicon, scenario_lexicon
from corpus.classification.features import Matrix, count_grams
from corpus.records import Dialogue
from corpus.turns import asking_turns, is_courtesy

if TYPE_CHECKING:
    from kg.linking.linker import EntityLinker

FIRST, LATER, DOCTOR = 2.0, 0.5, 0.3
"""What a turn counts for the department: the patient's first, later ones of the patient, the doctor's."""
FIRST_ASKED, ASKED_LATER = 2.0, 0.2
"""What a turn in which the patient asks counts for the scenario: the first says why the patient came."""
Named = list[list[str]]
"""For each turn of all dialogues in a row, the entities of the graph that it names."""


class Views(NamedTuple):
    """A batch as the classifier sees it, a row a dialogue; `by_graph` is None where there is no graph."""

    department_grams: Matrix
    department_words: Scores
    scenario_grams: Matrix
    scenario_words: Scores
    by_graph: Scores | None = None


class Looker:
    """Looks at batches of dialogues, with the graph where there is one."""

    def __init__(self, graph: Path | None) -> None:
        self._linker: EntityLinker | None = None
        if graph is not None:
            from kg.graph import KnowledgeGraph
            from kg.linking.linker import EntityLinker

            opened = KnowledgeGraph.open(graph)
            self._linker, self._evidence = EntityLinker(opened), GraphEvidence(opened)

    def named(self, dialogues: Sequence[Dialogue]) -> Named | None:
        """What each turn names of the graph; None without a graph."""
        if self._linker is None:
            return None
        texts = (message.content for dialogue in dialogues for message in dialogue.messages)
        return [list(dict.fromkeys(mention.entity for mention in found)) for found in self._linker.link_all(texts)]

    def views(self, dialogues: Sequence[Dialogue], named: Named | None) -> Views:
        """What the classifier looks at; courtesies do not count."""
        texts = [message.content for dialogue in dialogues for message in dialogue.messages]
        rows = np.repeat(np.arange(len(dialogues)), [len(dialogue.messages) for dialogue in dialogues])
        weights = [turn_weights(dialogue) for dialogue in dialogues]
        department = _summing(rows, len(dialogues), [weight for some, _ in weights for weight in some])
        scenario = _summing(rows, len(dialogues), [weight for _, some in weights for weight in some])
        grams = count_grams(texts)
        return Views(
            (department @ grams).tocsr(),
            department @ department_lexicon().scores(texts),
            (scenario @ grams).tocsr(),
            scenario @ scenario_lexicon().scores(texts),
            None if named is None else department @ np.array([self._evidence.of(turn) for turn in named]),
        )


def turn_weights(dialogue: Dialogue) -> tuple[list[float], list[float]]:
    """What each turn of a dialogue counts for the department, and for the scenario (only what the patient asks)."""
    department, scenario = list[float](), list[float]()
    first_asked = False
    for message, is_asking in zip(dialogue.messages, asking_turns(dialogue.messages), strict=True):
        says, wants = 0.0, 0.0
        if message.role == "assistant":
            says = DOCTOR
        elif message.role == "user" and not is_courtesy(message.content):
            says = FIRST if not any(department) else LATER
            wants = (ASKED_LATER if first_asked else FIRST_ASKED) if is_asking else 0.0
            first_asked = first_asked or wants > 0
        department.append(says)
        scenario.append(wants)
    return department, scenario


def _summing(rows: NDArray[np.int64], dialogues: int, weights: Sequence[float]) -> Matrix:
    """A matrix that adds up the rows of turns, weighted, to rows of dialogues."""
    from scipy.sparse import csr_array

    values = np.asarray(weights, dtype=np.float32)
    return csr_array((values, (rows, np.arange(len(weights)))), shape=(dialogues, len(weights)))
