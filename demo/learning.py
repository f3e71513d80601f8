"""The stages that need torch: the stand-in, the answers, the reward model, PPO."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from demo.answers import Loaded, load_answers
from demo.figures import share
from demo.inputs import Inputs
from demo.stages import Road
from foundation.cli import say
from foundation.errors import MissingExtraError

if TYPE_CHECKING:
    from training.policy import PPOResult
    from training.reward import RewardResult

DRAWN = (("tiny-cool", 0.6), ("tiny-warm", 1.0), ("tiny-hot", 1.4))
NEW_TOKENS = 48
TRAINING = ("torch", "transformers", "peft", "accelerate")


@dataclass(frozen=True)
class Effort:
    """How long to train the stand-in. The default is a demo's, far from what a real model needs."""

    tiny_steps: int = 240
    reward_epochs: int = 6
    ppo_iterations: int = 14


def require_training() -> None:
    """Say now what is missing, not after minutes of work."""
    if not all(map(find_spec, TRAINING)):
        raise MissingExtraError("train", "the reward model and PPO at the end of the road")


def stand_in(road: Road, version: Path, seed: int, effort: Effort) -> None:
    """Build the tiny model at `tiny_model`, and say that it is one."""
    from training.tiny import NOTICE, TinyResult, build_tiny

    start = time.monotonic()
    folder = road.folder / "tiny_model"
    say(f"    No pretrained model is at hand: a tiny Llama is built and trained on this corpus, {NOTICE}.")
    built, reused = road.run(
        "tiny model",
        lambda: build_tiny(version, folder, seed=seed, steps=effort.tiny_steps),
        TinyResult,
        inputs=[version],
        outputs=[folder],
        parameters={"seed": seed, "steps": effort.tiny_steps},
    )
    note = (
        f"a Llama of {built.parameters / 1e6:.2f} M weights, {built.vocabulary:,} tokens, "
        f"loss {built.loss_first:.2f} -> {built.loss_last:.2f}"
    )
    road.tell("tiny model", built.dialogues, 1, note, reused=reused, since=start)


def find_answers(road: Road, inputs: Inputs, version: Path, prompts: Path, seed: int) -> None:
    """Write `outputs.jsonl`: the sample's own answers, or drawn ones and the doctor's."""
    if inputs.answers is None:
        _draw(road, prompts, seed)
    else:
        _load(road, inputs.answers, version, prompts)


def _load(road: Road, answers: Path, version: Path, prompts: Path) -> None:
    start = time.monotonic()
    outputs, truth = road.folder / "outputs.jsonl", road.folder / "truth.jsonl"
    loaded, reused = road.run(
        "answers",
        lambda: load_answers(answers, version, prompts, outputs, truth),
        Loaded,
        inputs=[answers, version, prompts],
        outputs=[outputs, truth],
        parameters={},
    )
    note = f"{loaded.outputs} answers of the sample loaded for {loaded.prompts} prompts"
    road.tell("answers", loaded.prompts, loaded.outputs, note, reused=reused, since=start)


def _draw(road: Road, prompts: Path, seed: int) -> None:
    from training.generate import GenerateResult, generate
    from training.recipes import Answerer, GenerateRecipe, parameters

    start = time.monotonic()
    folder, outputs = road.folder / "tiny_model", road.folder / "outputs.jsonl"
    (road.folder / "truth.jsonl").unlink(missing_ok=True)
    recipe = GenerateRecipe(
        prompts=prompts,
        output=outputs,
        include_reference=True,
        max_prompt_tokens=256,
        seed=seed,
        models=[
            Answerer(name=name, path=folder, temperature=temperature, max_new_tokens=NEW_TOKENS)
            for name, temperature in DRAWN
        ],
    )
    result, reused = road.run(
        "answers",
        lambda: generate(recipe),
        GenerateResult,
        inputs=[prompts, folder],
        outputs=[outputs],
        parameters=parameters(recipe),
    )
    note = f"{result.outputs} answers to {result.prompts} prompts: the doctor's own and {len(DRAWN)} drawn"
    road.tell("answers", result.prompts, result.outputs, note, reused=reused, since=start)


def learn_reward(road: Road, seed: int, effort: Effort) -> RewardResult:
    """Train `reward_model` on the release."""
    from training.recipes import Lora, Model, RewardRecipe, parameters
    from training.reward import RewardResult, train_reward

    start = time.monotonic()
    release, folder, tiny = (road.folder / name for name in ("release", "reward_model", "tiny_model"))
    recipe = RewardRecipe(
        rankings=release / "rankings.jsonl",
        output=folder,
        model=Model(path=tiny),
        lora=Lora(rank=16, alpha=32),
        epochs=effort.reward_epochs,
        learning_rate=5e-3,
        prompts_per_batch=8,
        max_tokens=512,
        seed=seed,
    )
    result, reused = road.run(
        "reward model",
        lambda: train_reward(recipe),
        RewardResult,
        inputs=[release, tiny],
        outputs=[folder],
        parameters=parameters(recipe),
    )
    told = result.metrics
    note = (
        f"loss {told.loss_first:.2f} -> {told.loss_last:.2f}; held-out pairs right {share(told.test_accuracy)} "
        f"of {told.test_pairs}"
    )
    road.tell("reward model", told.train_pairs + told.test_pairs, 1, note, reused=reused, since=start)
    return result


def learn_policy(road: Road, prompts: Path, seed: int, effort: Effort) -> PPOResult:
    """Train `policy` against the reward model."""
    from training.policy import PPOResult
    from training.ppo import train_ppo
    from training.recipes import Lora, Model, PPORecipe, parameters

    start = time.monotonic()
    tiny, reward_model, folder = (road.folder / name for name in ("tiny_model", "reward_model", "policy"))
    recipe = PPORecipe(
        prompts=prompts,
        output=folder,
        model=Model(path=tiny),
        reward_model=reward_model,
        lora=Lora(rank=16, alpha=32),
        iterations=effort.ppo_iterations,
        episodes=32,
        epochs=3,
        learning_rate=3e-3,
        max_new_tokens=NEW_TOKENS,
        max_prompt_tokens=96,
        missing_end_score=None,
        seed=seed,
    )
    result, reused = road.run(
        "PPO",
        lambda: train_ppo(recipe),
        PPOResult,
        inputs=[prompts, tiny, reward_model],
        outputs=[folder],
        parameters=parameters(recipe),
    )
    told = result.metrics
    note = (
        f"mean reward on held-out prompts {told.reward_before:+.2f} -> {told.reward_after:+.2f}, "
        f"KL {told.kl:.1f} nats per answer"
    )
    road.tell("PPO", told.episodes, 1, note, reused=reused, since=start)
    return result
