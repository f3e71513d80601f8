"""The step that says what dialogues are about and how they go: department, scenario, and the course of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec

from corpus.classification.classifier import KIND, Classifier, default_model
from corpus.classification.inquiry import course_of
from corpus.classification.views import Looker
from corpus.records import Dialogue, Profile
from corpus.sets import SetWriter, StageResult, plan_step
from corpus.steps import Change, map_step
from foundation.manifest import read_manifest

STAGE = "classify"
SHIPPED = "shipped"
AT_ONCE = 250
"""Dialogues looked at together: more would cost memory and save nothing."""


class ClassifyOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`model` is the folder of a trained model, the shipped one where it is left out.

    A department that the file states stays. One that it does not is filled in where the classifier is at least
    `min_confidence` sure.
    """

    model: str | None = None
    min_confidence: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0


class Classify(msgspec.Struct, frozen=True):
    """The step, with the graph that tells it more."""

    options: ClassifyOptions
    graph: Path | None

    def start(self) -> Change:
        """Open the model and the graph."""
        model = default_model() if self.options.model is None else Classifier.open(Path(self.options.model))
        looker = Looker(self.graph)

        def change(dialogues: Sequence[Dialogue], writer: SetWriter) -> Iterator[Dialogue]:
            for dialogue in profiled(dialogues, model, looker):
                filled = self._filled(dialogue)
                _count(filled, writer)
                yield filled

        return change

    def _filled(self, dialogue: Dialogue) -> Dialogue:
        profile = dialogue.profile
        assert profile is not None
        sure = profile.department_confidence >= self.options.min_confidence
        return msgspec.structs.replace(
            dialogue,
            department=profile.department if dialogue.department is None and sure else dialogue.department,
            scenario=profile.scenario,
        )


def classify(
    source: Path,
    out: Path,
    *,
    graph: Path | None = None,
    options: ClassifyOptions | None = None,
    processes: int | None = None,
    reuse: bool = False,
) -> StageResult:
    """Fill `Dialogue.profile`, `scenario` and missing `department`s of the set `source`; nothing is left out."""
    chosen = options or ClassifyOptions()
    model = SHIPPED if chosen.model is None else read_manifest(Path(chosen.model), KIND).sha256
    plan = plan_step(STAGE, source, {"model": model, "min_confidence": chosen.min_confidence}, graph=graph)
    return map_step(plan, out, Classify(chosen, graph), processes=processes, reuse=reuse)


def states_department(dialogue: Dialogue) -> bool:
    """Whether the department is the file's own word; what this step filled in earlier is no statement."""
    return dialogue.department is not None and (dialogue.profile is None or dialogue.profile.stated)


def profiled(dialogues: Sequence[Dialogue], model: Classifier, looker: Looker) -> Iterator[Dialogue]:
    """The dialogues with their profiles, in order, and with the department that their file states."""
    for start in range(0, len(dialogues), AT_ONCE):
        yield from _profiled(dialogues[start : start + AT_ONCE], model, looker)


def _profiled(dialogues: Sequence[Dialogue], model: Classifier, looker: Looker) -> Iterator[Dialogue]:
    named = looker.named(dialogues)
    views = looker.views(dialogues, named)
    turns = iter(named) if named is not None else None
    for dialogue, department, scenario in zip(dialogues, model.departments(views), model.scenarios(views), strict=True):
        course = course_of(dialogue, list(islice(turns, len(dialogue.messages))) if turns is not None else None)
        stated = states_department(dialogue)
        profile = Profile(
            department=department.name,
            department_confidence=department.confidence,
            scenario=scenario.name,
            scenario_confidence=scenario.confidence,
            stated=stated,
            **course._asdict(),
        )
        yield msgspec.structs.replace(dialogue, department=dialogue.department if stated else None, profile=profile)


def _count(dialogue: Dialogue, writer: SetWriter) -> None:
    profile = dialogue.profile
    assert profile is not None
    writer.details["departments_stated"] += profile.stated
    writer.details["departments_filled_in"] += not profile.stated and dialogue.department is not None
    writer.details["departments_left_open"] += dialogue.department is None
    writer.details["stated_and_decided_alike"] += profile.stated and dialogue.department == profile.department
    writer.details["questions_answered"] += profile.questions
    writer.add("inquiry", profile.inquiry)
    writer.add("gained", profile.gained)
    writer.add("completeness", profile.completeness)
