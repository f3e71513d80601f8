"""Around PPO: which prompts are held out, how a policy is measured on them, and what is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from corpus.records import Prompt
from foundation.errors import ZhongjingError
from foundation.files import new_folder
from foundation.jsonl import write_records
from foundation.manifest import entry_of, write_manifest
from foundation.progress import track
from training.generate import decoding_config, draw_texts
from training.measures import interval, mean
from training.models import encode_prompt, entry_of_model, save
from training.recipes import PPORecipe, parameters
from training.runtime import seeded
from training.scoring import RewardModel

KIND = "policy"
BATCH = 32


class PPOStep(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `history.jsonl`: one rollout and its updates. Reward is the mean score of its answers, as it was
    learned from (with the fixed score for those that never end); KL is in nats per answer, length in tokens."""

    iteration: int
    reward: float
    kl: float
    kl_coefficient: float
    length: float
    policy_loss: float
    value_loss: float
    clip_fraction: float
    first_ratio_deviation: float


class PPOMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """`metrics.json`: normalised rewards on the same held-out prompts, decoding and seeds, before and after.

    Intervals are 95 % bootstraps by prompt, `reward_gain` paired; lengths are in characters; `kl` is the mean of
    the last tenth of the iterations.
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


class PPOResult(msgspec.Struct, frozen=True, kw_only=True):
    """What `train_ppo` wrote, and how it went."""

    folder: Path
    metrics: PPOMetrics
    history: list[PPOStep]

    def summary(self) -> str:
        """The result in a few lines."""
        told = self.metrics
        low, high = told.reward_gain_interval
        return (
            f"policy written to {self.folder}\n"
            f"mean reward on {told.test_prompts} held-out prompts, {told.samples} answers each: "
            f"{told.reward_before:+.3f} -> {told.reward_after:+.3f}, gain {told.reward_gain:+.3f} "
            f"(95 % interval {low:+.3f} to {high:+.3f})\n"
            f"KL to the reference {told.kl:.2f} nats per answer, answers of {told.length_before:.0f} -> "
            f"{told.length_after:.0f} characters, {told.episodes} episodes in {told.iterations} iterations"
        )


class Samples(msgspec.Struct, frozen=True):
    """Answers and their rewards, both by prompt and sample."""

    texts: list[list[str]]
    rewards: list[list[float]]


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


def sample(
    model: Any, tokenizer: Any, reward_model: RewardModel, prompts: Sequence[Prompt], recipe: PPORecipe
) -> Samples:
    """`recipe.samples` answers to each prompt, scored; the draws depend on the seed alone."""
    config = decoding_config(tokenizer, temperature=recipe.temperature, max_new_tokens=recipe.max_new_tokens)
    coded = [encode_prompt(tokenizer, prompt.messages, recipe.max_prompt_tokens)[0] for prompt in prompts]
    texts: list[list[str]] = [[] for _ in prompts]
    for number in track(range(recipe.samples), "answering held-out prompts"):
        for start in range(0, len(prompts), BATCH):
            with seeded(recipe.seed, 3, number, start):
                drawn = draw_texts(model, tokenizer, coded[start : start + BATCH], config)
            for place, text in enumerate(drawn, start=start):
                texts[place].append(text)
    return Samples(texts, reward_model.rewards([prompt.messages for prompt in prompts], texts))


def compare(
    before: Samples, after: Samples, history: Sequence[PPOStep], recipe: PPORecipe, train_prompts: int
) -> PPOMetrics:
    """The figures of `metrics.json`."""
    first, last = ([mean(row) for row in samples.rewards] for samples in (before, after))
    gains = [late - early for early, late in zip(first, last, strict=True)]
    tail = history[-max(1, len(history) // 10) :]
    return PPOMetrics(
        train_prompts=train_prompts,
        test_prompts=len(first),
        samples=recipe.samples,
        reward_before=mean(first),
        reward_after=mean(last),
        reward_gain=mean(gains),
        reward_before_interval=interval([[value] for value in first], recipe.seed),
        reward_after_interval=interval([[value] for value in last], recipe.seed),
        reward_gain_interval=interval([[value] for value in gains], recipe.seed),
        length_before=_length(before),
        length_after=_length(after),
        kl=mean([step.kl for step in tail]),
        iterations=len(history),
        episodes=len(history) * recipe.episodes,
    )


def save_policy(
    recipe: PPORecipe,
    base: Path,
    model: Any,
    tokenizer: Any,
    metrics: PPOMetrics,
    history: Sequence[PPOStep],
    prompts: Sequence[Prompt],
    before: Samples,
    after: Samples,
) -> None:
    """Write the model with its adapters merged, tokenizer, metrics, history and samples."""
    with new_folder(recipe.output) as folder:
        save(model, tokenizer, folder)
        (folder / "metrics.json").write_bytes(msgspec.json.format(msgspec.json.encode(metrics), indent=2) + b"\n")
        write_records(folder / "history.jsonl", history)
        write_records(folder / "samples.jsonl", _pairs(prompts, before, after))
        write_manifest(
            folder,
            kind=KIND,
            name=recipe.output.name,
            inputs=[entry_of(recipe.prompts), entry_of_model(base), entry_of(recipe.reward_model)],
            parameters=parameters(recipe),
            counts={"train_prompts": metrics.train_prompts, "test_prompts": metrics.test_prompts},
        )


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


def _length(samples: Samples) -> float:
    return mean([float(len(text)) for texts in samples.texts for text in texts])
