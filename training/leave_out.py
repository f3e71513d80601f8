"""Held-out experts: the reward model trained once more without each expert, judged on that expert alone.

InstructGPT (arXiv 2203.02155, section 3.5 and appendix E.2) asks in this way whether a model learns what people
prefer, or what these people prefer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from foundation.files import new_file
from training.checkpoints import Identity, partial_folder
from training.examples import Example
from training.fitting import fit
from training.packing import Row
from training.quality import Accuracy, expert_accuracy
from training.rankings import OVERALL, without_expert
from training.recipes import RewardRecipe
from training.runtime import machine
from training.scoring import raw_scores

Encoded = tuple[Sequence[Example], Sequence[Row]]


class LeftOut(msgspec.Struct, frozen=True):
    """One expert: the accuracy, on this expert's own orders of held-out prompts, of a model that never saw any of
    them, and how many prompts it was trained on; None where the others decide nothing to train on."""

    expert: str
    held_out: Accuracy | None
    train_prompts: int


def leave_each_out(
    recipe: RewardRecipe,
    base: Path,
    train: Encoded,
    test: Encoded,
    identity: Identity,
) -> list[LeftOut]:
    """One training per expert who ordered both splits; a finished one is kept in the run's partial folder."""
    result = []
    for number, expert in enumerate(_experts(train[0], test[0])):
        place = partial_folder(recipe.output) / f"without-{number}"
        left_out = {**identity, "left out": expert}
        result.append(_finished(place) or _leave_out(expert, recipe, base, train, test, place, left_out))
    return result


def _leave_out(
    expert: str,
    recipe: RewardRecipe,
    base: Path,
    train: Encoded,
    test: Encoded,
    place: Path,
    identity: Identity,
) -> LeftOut:
    examples = without_expert(train[0], expert)
    if not examples:
        return LeftOut(expert, None, 0)
    rows = dict(zip((example.prompt_id for example in train[0]), train[1], strict=True))
    quiet = msgspec.structs.replace(recipe, log_to=())
    fitted = fit(quiet, base, examples, [rows[example.prompt_id] for example in examples], place, identity)
    accuracy = expert_accuracy(test[0], raw_scores(fitted.model, test[1]), expert)
    done = LeftOut(expert, accuracy, len(examples))
    if machine().is_main_process:
        with new_file(place) as temporary:
            temporary.write_bytes(msgspec.json.encode(done))
    return done


def _experts(train: Sequence[Example], test: Sequence[Example]) -> Iterator[str]:
    """Those who ordered answers of both splits, by name."""
    seen, asked = ({o.expert for e in split for o in e.opinions if o.dimension == OVERALL} for split in (train, test))
    yield from sorted(seen & asked)


def _finished(place: Path) -> LeftOut | None:
    return msgspec.json.decode(place.read_bytes(), type=LeftOut) if place.is_file() else None
