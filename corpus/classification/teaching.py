"""The classifier trained and tested: on the vocabulary's own words, and on consultations whose files name a department.

What is tested is never trained on: a hash of the patient's first words decides, so that a question asked twice is on
one side, whatever the order of files.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import eq
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from corpus.classification.classifier import DEPARTMENT, KIND, SCENARIO, WEIGHTS, Classifier, Head, best, save_weights
from corpus.classification.classify import AT_ONCE, states_department
from corpus.classification.evidence import Scores
from corpus.classification.features import Matrix, count_grams, rarity_of, weigh
from corpus.classification.scores import Score, Taught, confusion_of
from corpus.classification.views import Looker, Views
from corpus.classification.vocabulary import ANYTHING, department_words, scenario_forms, scenario_words, scenarios
from corpus.importing import import_files
from corpus.records import Dialogue
from corpus.sets import read_dialogues
from foundation.errors import ZhongjingError
from foundation.files import new_folder
from foundation.manifest import NAME, claim_folder, entry_of, write_manifest
from foundation.progress import progress

TEST_SHARE = 5
"""One in so many is for testing."""
MOST = 1_000
"""Examples of a class that are learned from, the first by hash; a file of one department would drown the others."""
KEPT = 6_000
"""n-grams that are kept: those with the largest weights."""
STRENGTH = 10.0
"""The inverse of L2 regularisation, as scikit-learn counts it."""
TOPICS = 6
_SEED = 0

Kind = Literal["department", "scenario"]


class Example(NamedTuple):
    """A consultation, and what it is an example of."""

    dialogue: Dialogue
    name: str


def teach(files: Sequence[Path], model: Path, *, graph: Path | None = None) -> Taught:
    """Train a model on raw files (or sets) that name departments, test it on those held back, write the folder `model`.

    A scenario is learned from the vocabulary, and from files whose labels name one. With a graph its evidence is
    weighed in the test as it will be later.
    """
    from corpus.classification.report import write_model_report

    claim_folder(model, KIND)
    dialogues, rejected = _read(files)
    departments = [Example(one, one.department) for one in dialogues if one.department and states_department(one)]
    wanted = [Example(one, name) for one in dialogues for name in one.meta.labels if name in scenarios()]
    if not departments:
        raise ZhongjingError(
            "no consultation in these files names a department",
            where=", ".join(map(str, files)),
            hint="CMtMedQA (cate1) and tables with a column department do",
        )
    with progress("training the classifier", 2) as steps:
        department = _learn(_department_lessons(departments), tuple(department_words()))
        steps.advance()
        classifier = Classifier(department, _learn(_scenario_lessons(wanted), scenarios()))
        steps.advance()
    looker = Looker(graph)
    taught = Taught(
        read=len(dialogues) + rejected,
        labelled=len(departments),
        rejected=rejected,
        department=_tested(classifier, departments, DEPARTMENT, looker),
        scenario=_tested(classifier, wanted, SCENARIO, looker) if wanted else None,
    )
    with new_folder(model) as folder:
        save_weights(folder / WEIGHTS, classifier)
        (folder / "metrics.json").write_bytes(msgspec.json.format(msgspec.json.encode(taught), indent=1) + b"\n")
        write_manifest(
            folder,
            kind=KIND,
            name=model.name,
            inputs=[entry_of(file, file.name) for file in files],
            parameters={"test_share": 1 / TEST_SHARE, "most": MOST, "kept": KEPT, "strength": STRENGTH},
            counts={"labelled": taught.labelled, "rejected": rejected, "trained": taught.department.trained},
        )
    write_model_report(report_of(model), taught)
    return taught


def report_of(model: Path) -> Path:
    """Where the page about a model lies: beside its folder, which is given away without it."""
    return model.with_name(f"{model.name}.html")


def _read(files: Sequence[Path]) -> tuple[list[Dialogue], int]:
    """All consultations of raw files and of folders of dialogues, and how many rows were none."""
    dialogues, rejected = list[Dialogue](), 0
    raw = [path for path in files if not (path / NAME).is_file()]
    for folder in (path for path in files if path not in raw):
        dialogues += read_dialogues(folder)
    if raw:
        with TemporaryDirectory(prefix="zhongjing-") as temporary:
            imported = Path(temporary) / "import"
            rejected = sum(import_files(raw, imported, processes=1).rejected.values())
            dialogues += read_dialogues(imported)
    return dialogues, rejected


def _lot(dialogue: Dialogue) -> int:
    words = next((message.content for message in dialogue.messages if message.role == "user"), "")
    return int.from_bytes(hashlib.blake2b("".join(words.split()).encode(), digest_size=8).digest())


def _is_test(example: Example) -> bool:
    return _lot(example.dialogue) % TEST_SHARE == 0


def _learned(examples: Sequence[Example]) -> list[Example]:
    """The examples to learn from, no more than `MOST` of a class."""
    used, chosen = Counter[str](), list[Example]()
    for example in sorted(examples, key=lambda one: (_lot(one.dialogue), one.dialogue.id)):
        if not _is_test(example) and used[example.name] < MOST:
            used[example.name] += 1
            chosen.append(example)
    return chosen


class Lessons(NamedTuple):
    """Counts of n-grams to learn from, and the class of each row."""

    counts: Matrix
    names: list[str]


def _department_lessons(examples: Sequence[Example]) -> Lessons:
    words = [(word, name) for name, some in department_words().items() for word in some]
    learned = _learned(examples)
    grams = [views.department_grams for views in _looked(learned)]
    return _together(words, grams, learned)


def _scenario_lessons(examples: Sequence[Example]) -> Lessons:
    learned = _learned(examples)
    grams = [views.scenario_grams for views in _looked(learned)]
    return _together(list(_asked()), grams, learned)


def _looked(examples: Sequence[Example]) -> Iterator[Views]:
    for some in _batches(examples):
        yield Looker(None).views([example.dialogue for example in some], None)


def _batches(examples: Sequence[Example]) -> Iterator[Sequence[Example]]:
    return (examples[start : start + AT_ONCE] for start in range(0, len(examples), AT_ONCE))


def _together(texts: Sequence[tuple[str, str]], grams: Sequence[Matrix], learned: Sequence[Example]) -> Lessons:
    from scipy.sparse import vstack

    counts = vstack([count_grams([text for text, _ in texts]), *grams]).tocsr()
    return Lessons(counts, [*(name for _, name in texts), *(example.name for example in learned)])


def _asked() -> Iterator[tuple[str, str]]:
    """The words of scenarios, and every way to ask about some topics taken from the words of the departments."""
    lots = random.Random(_SEED)
    topics = [word for words in department_words().values() for word in words]
    yield from ((word, name) for name, words in scenario_words().items() for word in words)
    for name, forms in scenario_forms().items():
        for form in forms:
            if ANYTHING in form:
                for topic in lots.sample(topics, TOPICS):
                    yield form.replace(ANYTHING, topic), name


def _learn(lessons: Lessons, classes: tuple[str, ...]) -> Head:
    from sklearn.linear_model import LogisticRegression

    rarity = rarity_of(lessons.counts)
    model = LogisticRegression(C=STRENGTH, max_iter=200, class_weight="balanced")
    seen = np.unique(lessons.counts.indices)
    model.fit(weigh(lessons.counts, rarity)[:, seen], lessons.names)
    order = [list(model.classes_).index(name) for name in classes]
    weights, bias = model.coef_[order].T, model.intercept_[order]
    largest = np.sort(np.argsort(-np.abs(weights).max(axis=1), kind="stable")[:KEPT])
    kept = weights[largest].astype(np.float32)
    return Head(classes, seen[largest].astype(np.int64), rarity, kept, bias.astype(np.float32))


def _tested(classifier: Classifier, examples: Sequence[Example], kind: Kind, looker: Looker) -> Score:
    """How the classifier decides the examples held back."""
    head = classifier.department if kind == DEPARTMENT else classifier.scenario
    held_back = [example for example in examples if _is_test(example)]
    true, decided = [example.name for example in held_back], list[str]()
    alone: dict[str, list[str]] = {}
    for some in _batches(held_back):
        dialogues = [example.dialogue for example in some]
        views = looker.views(dialogues, looker.named(dialogues))
        guesses = classifier.departments(views) if kind == DEPARTMENT else classifier.scenarios(views)
        decided += (guess.name for guess in guesses)
        for name, odds in _parts(head, views, kind).items():
            alone.setdefault(name, []).extend(guess.name for guess in best(odds, head.classes))
    return Score(
        classes=list(head.classes),
        trained=Counter(example.name for example in _learned(examples)),
        tested=Counter(true),
        confusion=confusion_of(head.classes, true, decided),
        alone={name: sum(map(eq, true, some)) / len(true) for name, some in alone.items()},
    )


def _parts(head: Head, views: Views, kind: Kind) -> dict[str, Scores]:
    """The log odds of each kind of evidence by itself."""
    if kind == SCENARIO:
        return {"n-grams": head.logits(views.scenario_grams), "words": views.scenario_words}
    parts = {"n-grams": head.logits(views.department_grams), "words": views.department_words}
    return parts if views.by_graph is None else {**parts, "graph": views.by_graph}
