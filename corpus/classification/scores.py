"""How well a classifier decides, counted on examples that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How a decision did on examples that it was not trained on.

    `confusion` has a row a true class, a column a decided one, both as in `classes`. `macro_f1` is the mean over the
    classes that have test examples. `alone` is the accuracy of each kind of evidence by itself.
    """

    classes: list[str]
    trained: dict[str, int]
    tested: dict[str, int]
    confusion: list[list[int]]
    alone: dict[str, float]

    @property
    def accuracy(self) -> float | None:
        """Share of test examples decided right; None without any."""
        total = sum(map(sum, self.confusion))
        return sum(row[place] for place, row in enumerate(self.confusion)) / total if total else None

    @property
    def macro_f1(self) -> float | None:
        """See above; None without test examples."""
        scores = [f1 for name, (_, _, f1) in self.by_class().items() if self.tested.get(name)]
        return sum(scores) / len(scores) if scores else None

    def by_class(self) -> dict[str, tuple[float, float, float]]:
        """Precision, recall and F1 of each class; 0 where there is nothing to divide by."""
        found: dict[str, tuple[float, float, float]] = {}
        for place, name in enumerate(self.classes):
            right = self.confusion[place][place]
            decided, true = sum(row[place] for row in self.confusion), sum(self.confusion[place])
            precision, recall = right / decided if decided else 0.0, right / true if true else 0.0
            found[name] = precision, recall, 2 * right / (decided + true) if decided + true else 0.0
        return found

    def without(self, examples: Mapping[str, int]) -> list[str]:
        """The classes that have none of these examples."""
        return [name for name in self.classes if not examples.get(name)]


class Taught(msgspec.Struct, frozen=True, kw_only=True):
    """What training led to, as in `metrics.json`; `scenario` is None where no example says which it is."""

    read: int
    labelled: int
    rejected: int
    department: Score
    scenario: Score | None

    def lines(self) -> Iterator[str]:
        """What a person wants to know at once."""
        yield f"{self.read:,} rows read, {self.rejected:,} of them no dialogue, {self.labelled:,} name a department"
        for kind, score in (("department", self.department), ("scenario", self.scenario)):
            if score is not None and score.accuracy is not None:
                yield (
                    f"{kind}: {sum(score.trained.values()):,} trained on, {sum(score.tested.values()):,} held back; "
                    f"accuracy {score.accuracy:.1%}, macro F1 {score.macro_f1:.3f}"
                )

    def warnings(self) -> Iterator[str]:
        """What could not be learned or tested for want of examples."""
        for kind, score in (("department", self.department), ("scenario", self.scenario)):
            if score is None:
                yield f"no example says its {kind}: learned from the vocabulary alone, and not tested"
                continue
            if untaught := score.without(score.trained):
                yield f"no example of the {kind} {', '.join(untaught)}: known by the vocabulary alone"
            if untested := score.without(score.tested):
                yield f"no test example of the {kind} {', '.join(untested)}: macro F1 leaves it out"


def confusion_of(classes: Sequence[str], true: Sequence[str], decided: Sequence[str]) -> list[list[int]]:
    """Counts with a row a true class and a column a decided one."""
    places = {name: place for place, name in enumerate(classes)}
    confusion = [[0] * len(classes) for _ in classes]
    for one, other in zip(true, decided, strict=True):
        confusion[places[one]][places[other]] += 1
    return confusion
