"""REINFORCE with a leave-one-out baseline against a reward model: sample, train by TRL's `RLOOTrainer`, measure, write.

Held-out prompts, decoding, seeds and reward model are those of `train ppo`, so that the two can be laid side by side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from corpus.records import Message
from foundation.errors import ZhongjingError, needs_extra
from foundation.manifest import claim_folder, entry_of, read_manifest
from foundation.report import Section, Tile, table
from training.drawing import LocalDrawer
from training.generate import read_prompts
from training.measures import interval, mean
from training.models import entry_of_model, newest
from training.policy import KIND, Samples, encode, hold_out, sample
from training.recipes import RLOORecipe
from training.run_report import Curve
from training.scoring import KIND as JUDGE
from training.scoring import RewardModel
from training.tuning.running import TuneStep, arguments, finish, ready, run, starting
from training.tuning.writing import Outcome, Page, write_run

with needs_extra("train", "training with RLOO"):
    from datasets import Dataset
    from trl import RLOOConfig, RLOOTrainer

CURVES = (
    Curve("奖励  reward", ("figures.reward",), "mean reward"),
    Curve("与参考模型的 KL  KL to the reference", ("figures.kl",), "nats per token"),
    Curve("长度  length", ("figures.completions/mean_length",), "tokens"),
    Curve("损失  loss", ("loss",), "loss"),
    Curve("学习率  learning rate", ("learning_rate",), "learning rate"),
)


class RLOOMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """`metrics.json`: normalised rewards on the same held-out prompts, decoding and seeds, before and after.

    Intervals are 95 % bootstraps by prompt, that of the gain paired; lengths are in characters.
    """

    train_prompts: int
    test_prompts: int
    samples: int
    reward_before: float
    reward_after: float
    reward_gain: float
    reward_gain_interval: tuple[float, float]
    length_before: float
    length_after: float
    steps: int
    episodes: int
    cut_prompts: int


class RLOOResult(msgspec.Struct, frozen=True, kw_only=True):
    """What `train_rloo` wrote, and how it went."""

    folder: Path
    metrics: RLOOMetrics
    history: list[TuneStep]

    def summary(self) -> str:
        """The result in a few lines."""
        told = self.metrics
        low, high = told.reward_gain_interval
        return (
            f"policy written to {self.folder}\n"
            f"mean reward on {told.test_prompts} held-out prompts, {told.samples} answers each: "
            f"{told.reward_before:+.3f} -> {told.reward_after:+.3f}, gain {told.reward_gain:+.3f} "
            f"(95 % interval {low:+.3f} to {high:+.3f})\n"
            f"answers of {told.length_before:.0f} -> {told.length_after:.0f} characters, {told.episodes} episodes in "
            f"{told.steps} steps, {told.cut_prompts} prompts lost their oldest turns to the limit"
        )


def train_rloo(recipe: RLOORecipe, *, afresh: bool = False) -> RLOOResult:
    """Train a policy, compare it with where it started on prompts held out, write the policy folder.

    An interrupted run of the same recipe and data goes on from its checkpoint, unless `afresh`.
    """
    claim_folder(recipe.output, KIND)
    read_manifest(recipe.reward_model, JUDGE)
    train, held_out = hold_out(read_prompts(recipe.prompts), recipe.held_out, recipe.seed, recipe.prompts)
    if len(train) < recipe.batch // recipe.answers:
        raise ZhongjingError(
            f"{len(train)} training prompts are fewer than the {recipe.batch // recipe.answers} of one step",
            where=recipe.prompts,
            hint="lower batch",
        )
    base = ready(recipe, afresh=afresh)
    files = {"prompts": recipe.prompts, "reward_model": recipe.reward_model}
    inputs = {name: entry_of(path) for name, path in files.items()} | {"model": entry_of_model(base)}
    model, tokenizer, adapters = starting(recipe, base)
    judge = RewardModel(recipe.reward_model)
    unseen = encode(tokenizer, held_out, recipe.max_prompt_tokens)
    before = sample(LocalDrawer(model, tokenizer, recipe), tokenizer, judge, unseen, recipe)
    shown = [newest(tokenizer, prompt.messages, recipe.max_prompt_tokens) for prompt in train]

    def make(watch: Any) -> RLOOTrainer:
        return RLOOTrainer(
            model=model,
            reward_funcs=reward_function(judge),
            args=RLOOConfig(**arguments(recipe), **_drawing(recipe)),
            train_dataset=Dataset.from_list([{"prompt": msgspec.to_builtins(messages)} for messages in shown]),
            processing_class=tokenizer,
            peft_config=adapters,
            callbacks=[watch],
        )

    trained, history = run(make, recipe, inputs, f"RLOO on {len(train):,} prompts")
    after = sample(LocalDrawer(trained, tokenizer, recipe), tokenizer, judge, unseen, recipe)
    cut = sum(len(kept) < len(prompt.messages) for kept, prompt in zip(shown, train, strict=True))
    metrics = _metrics(recipe, before, after, len(train), len(history), cut)
    outcome = Outcome(
        kind=KIND,
        inputs=inputs,
        metrics=metrics,
        history=history,
        rejects=[],
        counts={"train_prompts": metrics.train_prompts, "test_prompts": metrics.test_prompts},
    )
    write_run(recipe, trained, tokenizer, outcome, _page(metrics))
    finish(recipe)
    return RLOOResult(folder=recipe.output, metrics=metrics, history=history)


def reward_function(judge: RewardModel) -> Any:
    """The reward model as TRL asks it: conversations and one answer to each."""

    def reward(prompts: list[Any], completions: list[Any], **_: Any) -> list[float]:
        asked = [[Message(turn["role"], turn["content"]) for turn in prompt] for prompt in prompts]
        told = [[completion[0]["content"].strip()] for completion in completions]
        return [value for (value,) in judge.rewards(asked, told)]

    return reward


def _drawing(recipe: RLOORecipe) -> dict[str, Any]:
    return {
        "num_generations": recipe.answers,
        "max_completion_length": recipe.max_new_tokens,
        "temperature": recipe.temperature,
        "beta": recipe.beta,
    }


def _metrics(recipe: RLOORecipe, before: Samples, after: Samples, prompts: int, steps: int, cut: int) -> RLOOMetrics:
    first, last = ([mean(row) for row in samples.rewards] for samples in (before, after))
    gains = [late - early for early, late in zip(first, last, strict=True)]
    return RLOOMetrics(
        train_prompts=prompts,
        test_prompts=len(first),
        samples=recipe.samples,
        reward_before=mean(first),
        reward_after=mean(last),
        reward_gain=mean(gains),
        reward_gain_interval=interval([[value] for value in gains], recipe.seed),
        length_before=before.length,
        length_after=after.length,
        steps=steps,
        episodes=steps * recipe.batch,
        cut_prompts=cut,
    )


def _page(metrics: RLOOMetrics) -> Page:
    low, high = metrics.reward_gain_interval
    tiles = [
        Tile(
            f"{metrics.reward_before:+.2f} → {metrics.reward_after:+.2f}", "留出提示的平均奖励  mean reward, held out"
        ),
        Tile(f"{metrics.reward_gain:+.2f} ({low:+.2f} to {high:+.2f})", "提升与 95% 区间  gain, 95 % interval"),
        Tile(f"{metrics.length_before:.0f} → {metrics.length_after:.0f}", "回答字数  characters an answer"),
    ]
    rows: list[tuple[Any, ...]] = [
        ("prompts, training and held out", f"{metrics.train_prompts}, {metrics.test_prompts}"),
        ("answers per held-out prompt", metrics.samples),
        ("steps, answers drawn", f"{metrics.steps}, {metrics.episodes}"),
    ]
    intro = (
        "留出的提示、解码与种子前后相同。Same held-out prompts, decoding and seeds before and after; paired by prompt."
    )
    return Page(
        title="RLOO",
        tiles=tiles,
        sections=[Section("奖励", "Reward", intro, [table(("", "value"), rows)])],
        curves=CURVES,
    )
