"""The trained classifier: a linear model over character n-grams, and how its word is weighed with other evidence.

A model is a folder: `weights.npz` (plain arrays; nothing in it can run), `metrics.json` and `manifest.json` of the kind
`dialogue-classifier`.
"""

from __future__ import annotations

import zlib
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from corpus.classification.evidence import Scores, department_lexicon, scenario_lexicon
from corpus.classification.features import COLUMNS, Matrix, weigh
from corpus.classification.views import Views
from foundation.errors import ZhongjingError
from foundation.manifest import read_manifest

KIND = "dialogue-classifier"
WEIGHTS = "weights.npz"
DEPARTMENT: Final = "department"
SCENARIO: Final = "scenario"

BY_WORDS, BY_GRAPH = 0.3, 0.5
"""What a word of the vocabulary and an entity of the graph add to a class, in units of the model's log odds."""
BY_FORMS = 0.5

Numbers = NDArray[np.float32]


class Head(NamedTuple):
    """One decision: `weights` of shape (columns kept, classes), which `columns` those are, `bias` of shape (classes,).

    `rarity` has every column, see `corpus.classification.features`.
    """

    classes: tuple[str, ...]
    columns: NDArray[np.int64]
    rarity: Numbers
    weights: Numbers
    bias: Numbers

    def logits(self, counts: Matrix) -> Scores:
        """The log odds of each class for rows of n-gram counts."""
        return np.asarray(weigh(counts, self.rarity)[:, self.columns] @ self.weights + self.bias, dtype=np.float64)


class Guess(NamedTuple):
    """A class and its probability."""

    name: str
    confidence: float


class Classifier:
    """A model opened for use."""

    def __init__(self, department: Head, scenario: Head) -> None:
        self.department, self.scenario = department, scenario

    @classmethod
    def open(cls, folder: Path) -> Classifier:
        """Open a model folder. Raises ZhongjingError where it is none, or damaged."""
        read_manifest(folder, KIND)
        try:
            with np.load(folder / WEIGHTS, allow_pickle=False) as arrays:
                return cls(_head(arrays, DEPARTMENT), _head(arrays, SCENARIO))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            raise ZhongjingError(
                f"this classifier cannot be used: {error}", where=folder / WEIGHTS, hint="train it again"
            ) from error

    def departments(self, views: Views) -> list[Guess]:
        """The department of each dialogue."""
        odds = self.department.logits(views.department_grams) + BY_WORDS * views.department_words
        return best(odds if views.by_graph is None else odds + BY_GRAPH * views.by_graph, self.department.classes)

    def scenarios(self, views: Views) -> list[Guess]:
        """The scenario of each dialogue."""
        odds = self.scenario.logits(views.scenario_grams) + BY_FORMS * views.scenario_words
        return best(odds, self.scenario.classes)


@cache
def default_model() -> Classifier:
    """The model that is shipped, trained on the vocabulary and the project's own made-up consultations."""
    with as_file(files("corpus") / "data" / "classifier") as folder:
        return Classifier.open(folder)


def save_weights(path: Path, classifier: Classifier) -> None:
    """Write the arrays of a model."""
    arrays: dict[str, Any] = {}
    for name, head in ((DEPARTMENT, classifier.department), (SCENARIO, classifier.scenario)):
        stored = head._replace(weights=head.weights.astype(np.float16), rarity=head.rarity.astype(np.float16))
        arrays |= {f"{name}_{field}": np.asarray(value) for field, value in stored._asdict().items()}
    np.savez_compressed(path, allow_pickle=False, **arrays)


def best(odds: Scores, classes: tuple[str, ...]) -> list[Guess]:
    """The likeliest class of each row of log odds, with its probability."""
    shares = np.exp(odds - odds.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return [
        Guess(classes[column], round(float(shares[row, column]), 4))
        for row, column in enumerate(shares.argmax(axis=1).tolist())
    ]


def _head(arrays: Any, name: str) -> Head:
    classes = tuple(map(str, arrays[f"{name}_classes"].tolist()))
    columns = arrays[f"{name}_columns"].astype(np.int64)
    rarity, weights, bias = (arrays[f"{name}_{part}"].astype(np.float32) for part in ("rarity", "weights", "bias"))
    shapes = weights.shape, bias.shape, rarity.shape
    if shapes != ((len(columns), len(classes)), (len(classes),), (COLUMNS,)):
        raise ValueError("shapes do not fit")
    if classes != {DEPARTMENT: department_lexicon, SCENARIO: scenario_lexicon}[name]().classes:
        raise ValueError("it was trained for another vocabulary")
    if not np.isfinite(weights).all() or (len(columns) and not 0 <= columns.min() <= columns.max() < COLUMNS):
        raise ValueError("numbers out of bounds")
    return Head(classes, columns, rarity, weights, bias)
