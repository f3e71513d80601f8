"""The reward model from top to bottom: read what experts ordered, train on it, measure, normalise, write.

`training/packing.py` encodes a prompt once for its answers, `training/losses.py` says what is minimised,
`training/fitting.py` does it, `training/quality.py` measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from foundation.cli import warn
from foundation.files import new_folder
from foundation.jsonl import write_records
from foundation.manifest import FileEntry, claim_folder, entry_of, write_manifest
from foundation.rejects import write_rejects
from training.adapters import ADAPTER
from training.checkpoints import Checkpoints, identity, start_afresh
from training.examples import Example, Examples
from training.fitting import Fit, RewardStep, fit
from training.leave_out import LeftOut, leave_each_out
from training.logs import HISTORY
from training.measures import mean
from training.models import entry_of_model, load_tokenizer, model_folder, save
from training.packing import Row, encode_answers
from training.preferences import read_preferences
from training.quality import Quality, Scores, measure, pair_accuracy
from training.rankings import read_rankings
from training.recipes import REFERENCE, RewardRecipe, parameters
from training.reward_report import write_reward_report
from training.runtime import machine, prepare
from training.scoring import KIND, NORMALISATION, Normalisation, raw_scores

ENOUGH = 10
REJECTS = "rejects.jsonl"


class RewardMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """`metrics.json`. `held_out` is None where no prompt was kept for it; `without_expert` is empty unless asked for.

    `without_pairs` counts prompts with one answer or all tied, `left_out` all rows that were not used, by reason.
    """

    train_prompts: int
    train_pairs: int
    test_prompts: int
    test_pairs: int
    without_pairs: int
    left_out: dict[str, int]
    truncated: int
    steps: int
    loss_first: float
    loss_last: float
    train_accuracy: float
    test_accuracy: float | None
    test_accuracy_interval: tuple[float, float] | None
    test_kendall_tau: float | None
    test_length_accuracy: float | None
    held_out: Quality | None
    without_expert: list[LeftOut]


class RewardResult(msgspec.Struct, frozen=True, kw_only=True):
    """What `train_reward` wrote, and how it went."""

    folder: Path
    metrics: RewardMetrics
    history: list[RewardStep]

    def summary(self) -> str:
        """The result in a few lines."""
        told = self.metrics
        lines = [
            f"reward model written to {self.folder}",
            f"{told.train_prompts} training prompts ({told.train_pairs} pairs), {told.without_pairs} without an "
            f"ordered pair left out, {told.truncated} cut to the limit",
            f"loss {told.loss_first:.3f} -> {told.loss_last:.3f} in {told.steps} steps, "
            f"training pairs right: {told.train_accuracy:.1%}",
        ]
        if told.held_out is None or told.test_accuracy_interval is None:
            return "\n".join([*lines, "no held-out prompt: nothing is known about unseen ones"])
        low, high = told.test_accuracy_interval
        tau = "" if told.test_kendall_tau is None else f"Kendall tau {told.test_kendall_tau:.2f}, "
        lines += [
            f"held-out pairs right: {told.test_accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}; the longer "
            f"answer: {told.test_length_accuracy:.1%}), {tau}{told.test_prompts} prompts, {told.test_pairs} pairs",
            f"calibration error {told.held_out.calibration_error:.3f}, correlation with length "
            f"{told.held_out.length.correlation:+.2f}",
        ]
        if left := [left.held_out.accuracy for left in told.without_expert if left.held_out is not None]:
            held_out = mean(left)
            lines.append(f"agreement with experts that were left out of training: {held_out:.1%} (mean of each)")
        return "\n".join([*lines, f"report: {self.folder / 'report.html'}"])


def train_reward(recipe: RewardRecipe, *, afresh: bool = False) -> RewardResult:
    """Train on the train split, measure on the test split, write the model folder.

    An interrupted run of the same recipe and data goes on from its checkpoint, unless `afresh`.
    """
    prepare()
    claim_folder(recipe.output, KIND)
    examples = read_examples(recipe)
    with machine().main_process_first():
        base = model_folder(recipe.model, recipe.output)
    if afresh and machine().is_main_process:
        start_afresh(recipe.output)
    machine().wait_for_everyone()
    inputs = inputs_of(recipe, base)
    known = identity(recipe, inputs)
    tokenizer = load_tokenizer(base, recipe.model.chat_template)
    train, test = (encoded(tokenizer, split, recipe.max_tokens) for split in (examples.train, examples.test))
    _tell(examples, [*train, *test])
    left_out: list[LeftOut] = []
    if recipe.leave_one_out:
        left_out = leave_each_out(recipe, base, (examples.train, train), (examples.test, test), known)
    fitted = fit(recipe, base, examples.train, train, recipe.output, known)
    scores = raw_scores(fitted.model, train), raw_scores(fitted.model, test)
    metrics = _metrics(examples, (train, test), scores, fitted, left_out, recipe)
    if machine().is_main_process:
        normalisation = normalise(examples.train, scores[0], recipe)
        _save(recipe, inputs, fitted, normalisation, metrics, examples, scores[1])
    Checkpoints(recipe.output, known).remove()
    return RewardResult(folder=recipe.output, metrics=metrics, history=fitted.history)


def read_examples(recipe: RewardRecipe) -> Examples:
    """What the recipe names: rankings, or pairs."""
    if recipe.rankings is not None:
        return read_rankings(recipe.rankings)
    assert recipe.preferences is not None
    return read_preferences(recipe.preferences)


def inputs_of(recipe: RewardRecipe, base: Path) -> dict[str, FileEntry]:
    """The files that decide the result, by what they are."""
    files = {"rankings": recipe.rankings, "preferences": recipe.preferences, "template": recipe.model.chat_template}
    return {name: entry_of(path) for name, path in files.items() if path} | {"model": entry_of_model(base)}


def encoded(tokenizer: Any, examples: Sequence[Example], limit: int) -> list[Row]:
    """Each prompt with its answers as one row of tokens."""
    return [encode_answers(tokenizer, example.prompt, example.answers, limit) for example in examples]


def normalise(examples: Sequence[Example], scores: Sequence[Scores], recipe: RewardRecipe) -> Normalisation:
    """Mean and deviation of the doctors' own answers where the recipe says so and there are ten, else of all."""
    everything = [value for values in scores for value in values]
    reference = [
        value
        for example, values in zip(examples, scores, strict=True)
        for model, value in zip(example.models, values, strict=True)
        if model == REFERENCE
    ]
    chosen = recipe.normalise_on == "reference" and len(reference) >= ENOUGH
    values = np.array(reference if chosen else everything)
    return Normalisation(
        mean=float(values.mean()),
        standard_deviation=max(float(values.std()), 1e-6),
        answers=len(values),
        source=REFERENCE if chosen else "all",
        max_tokens=recipe.max_tokens,
        attention=recipe.attention,
    )


def _tell(examples: Examples, rows: Sequence[Row]) -> None:
    """Say what was left out or cut, once."""
    if not machine().is_main_process:
        return
    if examples.rejects:
        told = ", ".join(f"{count} {reason}" for reason, count in examples.reasons.items())
        warn(f"{len(examples.rejects)} rows left out: {told}; each is named in {REJECTS} of the output")
    if cut := sum(row.truncated for row in rows):
        warn(f"{cut} of {len(rows)} prompts are over max_tokens and lose their oldest turns")


def _metrics(
    examples: Examples,
    rows: tuple[Sequence[Row], Sequence[Row]],
    scores: tuple[Sequence[Scores], Sequence[Scores]],
    fitted: Fit,
    left_out: list[LeftOut],
    recipe: RewardRecipe,
) -> RewardMetrics:
    held_out = measure(examples.test, scores[1], recipe.seed)
    losses = [step.loss for step in fitted.history]
    return RewardMetrics(
        train_prompts=len(examples.train),
        train_pairs=sum(len(example.pairs) for example in examples.train),
        test_prompts=len(examples.test),
        test_pairs=sum(len(example.pairs) for example in examples.test),
        without_pairs=sum(reject.reason in ("one_answer", "all_tied") for reject in examples.rejects),
        left_out=examples.reasons,
        truncated=sum(row.truncated for split in rows for row in split),
        steps=len(losses),
        loss_first=losses[0],
        loss_last=mean(losses[-max(1, len(losses) // 10) :]),
        train_accuracy=pair_accuracy(examples.train, scores[0]).accuracy,
        test_accuracy=held_out.accuracy.accuracy if held_out else None,
        test_accuracy_interval=held_out.accuracy_interval if held_out else None,
        test_kendall_tau=held_out.kendall_tau if held_out else None,
        test_length_accuracy=held_out.length.choosing_longer if held_out else None,
        held_out=held_out,
        without_expert=left_out,
    )


def _save(
    recipe: RewardRecipe,
    inputs: Mapping[str, FileEntry],
    fitted: Fit,
    normalisation: Normalisation,
    metrics: RewardMetrics,
    examples: Examples,
    test_scores: Sequence[Scores],
) -> None:
    """The folder: a model that `AutoModelForSequenceClassification` loads, its adapter alone for PPO, and figures."""
    with new_folder(recipe.output) as folder:
        save(fitted.model, fitted.tokenizer, folder)
        if fitted.adapter is not None:
            fitted.adapter.write(folder / ADAPTER)
        for name, content in ((NORMALISATION, normalisation), ("metrics.json", metrics)):
            (folder / name).write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
        write_records(folder / HISTORY, fitted.history)
        write_rejects(folder / REJECTS, examples.rejects)
        write_reward_report(
            folder / "report.html", recipe, inputs, metrics, normalisation, fitted.history, examples.test, test_scores
        )
        write_manifest(
            folder,
            kind=KIND,
            name=recipe.output.name,
            inputs=inputs.values(),
            parameters=parameters(recipe),
            counts={"train_prompts": metrics.train_prompts, "test_prompts": metrics.test_prompts},
        )
