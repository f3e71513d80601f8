"""Direct preference optimisation on the pairs of a release: read, train by TRL's `DPOTrainer`, measure, write.

The implicit reward of an answer is beta times the log-ratio of its likelihood after training to that before
(arXiv 2305.18290, equation 5); it is measured here on the pairs held out, apart from what TRL computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from corpus.records import Message
from foundation.cli import warn
from foundation.errors import needs_extra
from foundation.manifest import claim_folder, entry_of
from foundation.report import Section, Tile, table
from training.examples import Example
from training.measures import interval, mean
from training.models import entry_of_model, load_tokenizer, newest, render
from training.policy import KIND
from training.preferences import read_preferences
from training.recipes import DPORecipe
from training.run_report import Curve
from training.tuning.likelihood import surprises
from training.tuning.running import TuneStep, arguments, finish, ready, run, starting
from training.tuning.turns import IGNORED, Tokens
from training.tuning.writing import Outcome, Page, write_run

with needs_extra("train", "training with DPO"):
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

CURVES = (
    Curve("损失  loss", ("loss",), "mean loss per pair"),
    Curve("偏好对正确  pairs right", ("figures.rewards/accuracies",), "share"),
    Curve("隐含奖励差  margin of implicit rewards", ("figures.rewards/margins",), "beta x nats"),
    Curve("学习率  learning rate", ("learning_rate",), "learning rate"),
)


class Pair(msgspec.Struct, frozen=True):
    """A prompt, cut to the limit where it must be, with the better and the worse answer."""

    prompt_id: str
    prompt: list[Message]
    chosen: str
    rejected: str
    cut: bool


class DPOMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """`metrics.json`. A held-out pair is right where its implicit rewards are in the experts' order; the interval is
    a 95 % bootstrap by prompt; `margin` is the mean difference. None where no pair is held out."""

    train_pairs: int
    test_pairs: int
    left_out: dict[str, int]
    cut: int
    steps: int
    loss_first: float
    loss_last: float
    test_accuracy: float | None
    test_accuracy_interval: tuple[float, float] | None
    margin: float | None


class DPOResult(msgspec.Struct, frozen=True, kw_only=True):
    """What `train_dpo` wrote, and how it went."""

    folder: Path
    metrics: DPOMetrics
    history: list[TuneStep]

    def summary(self) -> str:
        """The result in a few lines."""
        told = self.metrics
        lines = [
            f"policy written to {self.folder}",
            f"loss {told.loss_first:.3f} -> {told.loss_last:.3f} in {told.steps} steps on {told.train_pairs} pairs, "
            f"{told.cut} prompts cut to the limit",
        ]
        if told.test_accuracy is None or told.test_accuracy_interval is None:
            return "\n".join([*lines, "no pair was held out: nothing is known about unseen ones"])
        low, high = told.test_accuracy_interval
        return "\n".join(
            [
                *lines,
                f"held-out pairs right by implicit reward: {told.test_accuracy:.1%} "
                f"(95 % interval {low:.1%} to {high:.1%}), mean margin {told.margin:+.3f}, {told.test_pairs} pairs",
            ]
        )


def train_dpo(recipe: DPORecipe, *, afresh: bool = False) -> DPOResult:
    """Train on the pairs of the train split, measure on those of the test split, write the policy folder.

    An interrupted run of the same recipe and data goes on from its checkpoint, unless `afresh`.
    """
    claim_folder(recipe.output, KIND)
    examples = read_preferences(recipe.preferences)
    if examples.rejects:
        warn(f"{len(examples.rejects)} rows left out: {examples.reasons}; each is named in rejects.jsonl of the output")
    base = ready(recipe, afresh=afresh)
    tokenizer = load_tokenizer(base, recipe.model.chat_template)
    train, test = (pairs_of(tokenizer, split, recipe.max_tokens) for split in (examples.train, examples.test))
    inputs = {"preferences": entry_of(recipe.preferences), "model": entry_of_model(base)}
    model, tokenizer, adapters = starting(recipe, base)
    unseen = [coded(tokenizer, pair.prompt, text) for pair in test for text in (pair.chosen, pair.rejected)]
    before = surprises(model, unseen)

    def make(watch: Any) -> DPOTrainer:
        return DPOTrainer(
            model=model,
            args=DPOConfig(
                **arguments(recipe),
                beta=recipe.beta,
                loss_type=[recipe.loss],
                label_smoothing=recipe.label_smoothing,
                max_length=recipe.max_tokens,
            ),
            train_dataset=dataset_of(train),
            processing_class=tokenizer,
            peft_config=adapters,
            callbacks=[watch],
        )

    trained, history = run(make, recipe, inputs, f"DPO on {len(train):,} pairs")
    margins = implicit_margins(before, surprises(trained, unseen), recipe.beta)
    metrics = _metrics(train, test, margins, history, examples.reasons)
    outcome = Outcome(
        kind=KIND,
        inputs=inputs,
        metrics=metrics,
        history=history,
        rejects=examples.rejects,
        counts={"train_pairs": metrics.train_pairs, "test_pairs": metrics.test_pairs},
    )
    write_run(recipe, trained, tokenizer, outcome, _page(metrics))
    finish(recipe)
    return DPOResult(folder=recipe.output, metrics=metrics, history=history)


def pairs_of(tokenizer: Any, examples: Sequence[Example], limit: int) -> list[Pair]:
    """All pairs of all prompts. A prompt over the limit with either answer loses its oldest turns; an answer that is
    over it by itself loses its end, which TRL does."""
    return [
        _cut(tokenizer, example, example.answers[pair.better], example.answers[pair.worse], limit)
        for example in examples
        for pair in example.pairs
    ]


def coded(tokenizer: Any, prompt: Sequence[Message], answer: str) -> Tokens:
    """A prompt and an answer, of which the answer counts."""
    whole, start = render(tokenizer, prompt, answer), len(render(tokenizer, prompt))
    return Tokens(whole, [IGNORED] * start + whole[start:])


def dataset_of(pairs: Sequence[Pair]) -> Any:
    """The explicit form that `DPOTrainer` takes."""

    def said(text: str) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": text}]

    rows = [
        {
            "prompt": msgspec.to_builtins(pair.prompt),
            "chosen": said(pair.chosen),
            "rejected": said(pair.rejected),
        }
        for pair in pairs
    ]
    return Dataset.from_list(rows)


def implicit_margins(before: Sequence[float], after: Sequence[float], beta: float) -> list[float]:
    """Per pair: implicit reward of the better answer minus that of the worse, from what all answers, the better and
    the worse of each pair in turn, were unlikely by in nats."""
    gains = [beta * (first - last) for first, last in zip(before, after, strict=True)]
    return [better - worse for better, worse in zip(gains[::2], gains[1::2], strict=True)]


def _cut(tokenizer: Any, example: Example, chosen: str, rejected: str, limit: int) -> Pair:
    kept = newest(tokenizer, example.prompt, limit, chosen, rejected)
    return Pair(example.prompt_id, kept, chosen, rejected, len(kept) < len(example.prompt))


def _metrics(
    train: Sequence[Pair],
    test: Sequence[Pair],
    margins: Sequence[float],
    history: Sequence[TuneStep],
    left_out: dict[str, int],
) -> DPOMetrics:
    hits: dict[str, list[float]] = {}
    for pair, margin in zip(test, margins, strict=True):
        hits.setdefault(pair.prompt_id, []).append(float(margin > 0) + float(margin == 0) / 2)
    losses = [step.loss for step in history]
    return DPOMetrics(
        train_pairs=len(train),
        test_pairs=len(test),
        left_out=left_out,
        cut=sum(pair.cut for pair in [*train, *test]),
        steps=len(losses),
        loss_first=losses[0],
        loss_last=mean(losses[-max(1, len(losses) // 10) :]),
        test_accuracy=mean([hit for group in hits.values() for hit in group]) if hits else None,
        test_accuracy_interval=interval(list(hits.values()), 0) if hits else None,
        margin=mean(margins) if hits else None,
    )


def _page(metrics: DPOMetrics) -> Page:
    tiles = [
        Tile(f"{metrics.train_pairs:,}", "训练偏好对  training pairs"),
        Tile(f"{metrics.loss_first:.3f} → {metrics.loss_last:.3f}", "损失  loss"),
    ]
    rows: list[tuple[Any, ...]] = []
    if metrics.test_accuracy is not None and metrics.test_accuracy_interval is not None:
        low, high = metrics.test_accuracy_interval
        tiles.append(Tile(f"{metrics.test_accuracy:.1%}", "留出对准确率  held-out pairs right"))
        rows = [
            ("right", f"{metrics.test_accuracy:.1%} ({low:.1%} to {high:.1%})"),
            ("margin", f"{metrics.margin:+.3f}"),
        ]
    intro = (
        f"{metrics.test_pairs} 对；隐含奖励 = beta × 训练前后对数似然之差。"
        "Implicit reward: beta times the log-ratio of an answer's likelihood after and before; intervals by prompt."
    )
    section = Section("留出偏好对", "Held-out pairs", intro, [table(("", "value"), rows)] if rows else [])
    return Page(title="DPO", tiles=tiles, sections=[section], curves=CURVES)
