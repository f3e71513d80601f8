"""Around PPO: which prompts are held out, how a policy is measured on them, and what is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from corpus.records import Prompt
from foundation.errors import ZhongjingError, needs_extra
from foundation.files import new_folder
from foundation.jsonl import write_records
from foundation.manifest import FileEntry, entry_of, read_manifest, write_manifest
from foundation.progress import track
from training.actor import Actor
from training.drawing import Drawer, LocalDrawer
from training.measures import interval, mean
from training.models import encode_prompt, entry_of_model, save
from training.policy_report import write_policy_report
from training.recipes import PPORecipe, RLOORecipe, parameters
from training.runtime import machine
from training.scoring import KIND as JUDGE
from training.scoring import RewardModel
from training.watch import signs_of_hacking

with needs_extra("train", "training with PPO"):
    from accelerate.utils import gather_object

KIND = "policy"
BATCH = 64
HELD_OUT = 3


class PPOStep(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `history.jsonl`: one rollout and its updates.

    Reward is the mean score of its answers, as it was learned from (with the fixed score for those that never end);
    KL is in nats per answer, entropy (of what was drawn) in nats per token, length in tokens; `ended` is the share of
    answers that ended by themselves, `repetition` of runs of four tokens that an answer had before.
    `first_ratio_deviation` is how far the first minibatch's probability ratios are from 1: exactly 0.
    """

    iteration: int
    reward: float
    kl: float
    kl_coefficient: float
    length: float
    ended: float
    repetition: float
    entropy: float
    policy_loss: float
    value_loss: float
    clip_fraction: float
    gradient_norm: float
    learning_rate: float
    first_ratio_deviation: float


class PPOMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """`metrics.json`: normalised rewards on the same held-out prompts, decoding and seeds, before and after.

    Intervals are 95 % bootstraps by prompt, `reward_gain` paired; lengths are in characters; `kl` is the mean of
    the last tenth of the iterations; `cut_prompts` counts those over the limit, `warnings` are signs of a hacked
    reward.
    """

    train_prompts: int
    test_prompts: int
    samples: int
    reward_before: float
    reward_after: float
    reward_gain: float
    reward_before_interval: tuple[float, float]
    reward_after_interval: tuple[float, float]
    reward_gain_interval: tuple[float, float]
    length_before: float
    length_after: float
    kl: float
    iterations: int
    episodes: int
    cut_prompts: int
    warnings: list[str]


class PPOResult(msgspec.Struct, frozen=True, kw_only=True):
    """What `train_ppo` wrote, and how it went."""

    folder: Path
    metrics: PPOMetrics
    history: list[PPOStep]

    def summary(self) -> str:
        """The result in a few lines."""
        told = self.metrics
        low, high = told.reward_gain_interval
        cut = f", {told.cut_prompts} prompts lost their oldest turns to the limit" if told.cut_prompts else ""
        warnings = "".join(f"\nlook at the answers: {words}, while the reward rose" for words in told.warnings)
        return (
            f"policy written to {self.folder}\n"
            f"mean reward on {told.test_prompts} held-out prompts, {told.samples} answers each: "
            f"{told.reward_before:+.3f} -> {told.reward_after:+.3f}, gain {told.reward_gain:+.3f} "
            f"(95 % interval {low:+.3f} to {high:+.3f})\n"
            f"KL to the reference {told.kl:.2f} nats per answer, answers of {told.length_before:.0f} -> "
            f"{told.length_after:.0f} characters, {told.episodes} episodes in {told.iterations} iterations"
            f"{cut}{warnings}"
        )


class Encoded(msgspec.Struct, frozen=True):
    """A prompt and its tokens; `shortened` where it lost turns to the limit."""

    prompt: Prompt
    tokens: list[int]
    shortened: bool


class Samples(msgspec.Struct, frozen=True):
    """Answers and their rewards, both by prompt and sample."""

    texts: list[list[str]]
    rewards: list[list[float]]

    @property
    def length(self) -> float:
        """Mean length of an answer in characters."""
        return mean([float(len(text)) for texts in self.texts for text in texts])


class SamplePair(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `samples.jsonl`: what the model wrote before and after, from the same seed; no patient's words."""

    prompt_id: str
    sample: int
    before: str
    after: str
    reward_before: float
    reward_after: float


def hold_out(prompts: Sequence[Prompt], share: float, seed: int, path: Path) -> tuple[list[Prompt], list[Prompt]]:
    """Training and held-out prompts; those of one dialogue stay together."""
    dialogues = sorted({prompt.dialogue_id for prompt in prompts})
    if len(dialogues) < 2:
        raise ZhongjingError("prompts of two dialogues at least are needed, to hold one out", where=path)
    count = min(max(1, round(len(dialogues) * share)), len(dialogues) - 1)
    places = np.random.default_rng(seed).permutation(len(dialogues))[:count]
    kept = {dialogues[place] for place in places}
    train = [prompt for prompt in prompts if prompt.dialogue_id not in kept]
    return train, [prompt for prompt in prompts if prompt.dialogue_id in kept]


def encode(tokenizer: Any, prompts: Sequence[Prompt], limit: int) -> list[Encoded]:
    """Prompts as tokens, at most `limit` each: the oldest turns go first."""
    coded = [(prompt, *encode_prompt(tokenizer, prompt.messages, limit)) for prompt in prompts]
    return [Encoded(prompt, tokens, shortened) for prompt, tokens, shortened in coded]


def sample(
    drawer: Drawer, tokenizer: Any, judge: RewardModel, prompts: Sequence[Encoded], recipe: PPORecipe | RLOORecipe
) -> Samples:
    """`recipe.samples` answers to each prompt, scored; the draws depend on the seed alone. Processes share the work."""
    wanted = [(place, number) for place in range(len(prompts)) for number in range(recipe.samples)]
    mine = wanted[machine().process_index :: machine().num_processes]
    answers: list[list[int]] = []
    for start in track(range(0, len(mine), BATCH), "answering held-out prompts"):
        part = mine[start : start + BATCH]
        seeds = [(recipe.seed, HELD_OUT, place, number) for place, number in part]
        answers += drawer.draw([prompts[place].tokens for place, _ in part], seeds)
    texts = [text.strip() for text in tokenizer.batch_decode(answers, skip_special_tokens=True)]
    rewards = judge.rewards([prompts[place].prompt.messages for place, _ in mine], [[text] for text in texts])
    found = dict(gather_object(list(zip(mine, zip(texts, rewards, strict=True), strict=True))))
    rows = [[found[place, number] for number in range(recipe.samples)] for place in range(len(prompts))]
    return Samples([[text for text, _ in row] for row in rows], [[reward for _, (reward,) in row] for row in rows])


def compare(
    before: Samples, after: Samples, history: Sequence[PPOStep], recipe: PPORecipe, train: Sequence[Encoded]
) -> PPOMetrics:
    """The figures of `metrics.json`."""
    first, last = ([mean(row) for row in samples.rewards] for samples in (before, after))
    gains = [late - early for early, late in zip(first, last, strict=True)]
    tail = history[-max(1, len(history) // 10) :]
    return PPOMetrics(
        train_prompts=len(train),
        test_prompts=len(first),
        samples=recipe.samples,
        reward_before=mean(first),
        reward_after=mean(last),
        reward_gain=mean(gains),
        reward_before_interval=interval([[value] for value in first], recipe.seed),
        reward_after_interval=interval([[value] for value in last], recipe.seed),
        reward_gain_interval=interval([[value] for value in gains], recipe.seed),
        length_before=before.length,
        length_after=after.length,
        kl=mean([step.kl for step in tail]),
        iterations=len(history),
        episodes=len(history) * recipe.episodes,
        cut_prompts=sum(encoded.shortened for encoded in train),
        warnings=signs_of_hacking(history),
    )


def inputs_of(recipe: PPORecipe, base: Path) -> dict[str, FileEntry]:
    """The files that a run's result depends on; a reward model that is missing is an error."""
    read_manifest(recipe.reward_model, JUDGE)
    inputs = {"prompts": recipe.prompts, "reward_model": recipe.reward_model}
    if recipe.ptx:
        read_manifest(recipe.ptx)
        inputs["ptx"] = recipe.ptx
    return {name: entry_of(path) for name, path in inputs.items()} | {"model": entry_of_model(base)}


def conclude(
    recipe: PPORecipe,
    base: Path,
    actor: Actor,
    judge: RewardModel,
    train: Sequence[Encoded],
    held_out: Sequence[Prompt],
    history: Sequence[PPOStep],
) -> PPOResult:
    """Answer the held-out prompts as the policy and as the reference, from the same seeds; write the policy folder:
    the model with its adapter merged, tokenizer, metrics, history, samples and report."""
    coded = encode(actor.tokenizer, held_out, recipe.max_prompt_tokens)
    after = sample(LocalDrawer(actor.plain, actor.tokenizer, recipe), actor.tokenizer, judge, coded, recipe)
    with actor.role(None):
        drawer = LocalDrawer(actor.reference or actor.plain, actor.tokenizer, recipe)
        before = sample(drawer, actor.tokenizer, judge, coded, recipe)
    metrics = compare(before, after, history, recipe, train)
    if machine().is_main_process:
        pairs = _pairs(held_out, before, after)
        inputs = inputs_of(recipe, base)
        with new_folder(recipe.output) as folder:
            save(actor.merged(), actor.tokenizer, folder)
            (folder / "metrics.json").write_bytes(msgspec.json.format(msgspec.json.encode(metrics), indent=2) + b"\n")
            write_records(folder / "history.jsonl", history)
            write_records(folder / "samples.jsonl", pairs)
            write_policy_report(folder / "report.html", recipe, metrics, history, pairs, inputs)
            write_manifest(
                folder,
                kind=KIND,
                name=recipe.output.name,
                inputs=list(inputs.values()),
                parameters=parameters(recipe),
                counts={"train_prompts": metrics.train_prompts, "test_prompts": metrics.test_prompts},
            )
    machine().wait_for_everyone()
    return PPOResult(folder=recipe.output, metrics=metrics, history=list(history))


def _pairs(prompts: Sequence[Prompt], before: Samples, after: Samples) -> list[SamplePair]:
    return [
        SamplePair(
            prompt_id=prompt.prompt_id,
            sample=number,
            before=before.texts[place][number],
            after=after.texts[place][number],
            reward_before=round(before.rewards[place][number], 6),
            reward_after=round(after.rewards[place][number], 6),
        )
        for place, prompt in enumerate(prompts)
        for number in range(len(before.texts[place]))
    ]
