from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from corpus.records import Prompt
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records, write_records
from foundation.manifest import read_manifest
from training.generate import read_prompts
from training.policy import SamplePair, hold_out
from training.ppo import adapt, estimate, penalise, policy_loss, token_rewards, train_ppo, value_loss, whiten
from training.recipes import Lora, Model, PPORecipe, RewardRecipe
from training.reward import train_reward


@pytest.fixture(scope="module")
def reward_folder(rankings_file: Path, tiny: Path) -> Path:
    folder = tiny.parent / "ppo_reward_model"
    model, lora = Model(path=tiny), Lora(rank=8, alpha=16)
    train_reward(
        RewardRecipe(rankings=rankings_file, output=folder, model=model, lora=lora, epochs=6, learning_rate=3e-3)
    )
    return folder


@pytest.fixture
def recipe(prompts_file: Path, tiny: Path, reward_folder: Path, tmp_path: Path) -> PPORecipe:
    return PPORecipe(
        prompts=prompts_file,
        output=tmp_path / "policy",
        model=Model(path=tiny),
        reward_model=reward_folder,
        lora=Lora(rank=8, alpha=16),
        iterations=10,
        episodes=16,
        minibatch=8,
        epochs=4,
        learning_rate=5e-3,
        max_new_tokens=12,
        missing_end_score=None,
    )


class Numbers:
    """Random (B, R) numbers, 0 after each answer's end, and the same thing by loops in numpy."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.lengths = random.integers(1, 8, size=5)
        self.mask = np.arange(7) < self.lengths[:, None]
        draw = lambda: random.normal(size=self.mask.shape) * self.mask  # noqa: E731
        self.kl, self.values, self.old_values, self.logprobs, self.old = draw(), draw(), draw(), draw(), draw()
        self.advantages, self.returns = draw(), draw()
        self.scores = random.normal(size=5)

    def torch(self, name: str) -> torch.Tensor:
        return torch.tensor(getattr(self, name))


seeds = st.integers(0, 10_000)


@settings(deadline=None)
@given(seeds, st.floats(0, 1), st.floats(0, 1))
def test_advantages_by_their_definition(seed: int, discount: float, gae_lambda: float) -> None:
    world = Numbers(seed)
    rewards = token_rewards(world.torch("scores"), world.torch("kl"), world.torch("mask"), 0.3)
    advantages, returns = estimate(rewards, world.torch("values"), discount, gae_lambda)
    for row, length in enumerate(world.lengths):
        reward = -0.3 * world.kl[row, :length]
        reward[-1] += world.scores[row]
        values = np.append(world.values[row, :length], 0.0)
        surprises = reward + discount * values[1:] - values[:-1]
        for place in range(length):
            weights = (discount * gae_lambda) ** np.arange(length - place)
            expected = float((weights * surprises[place:]).sum())
            assert advantages[row, place].item() == pytest.approx(expected, abs=1e-6)
            assert returns[row, place].item() == pytest.approx(expected + world.values[row, place], abs=1e-6)
        assert not advantages[row, length:].any()


@settings(deadline=None)
@given(seeds)
def test_losses_by_loops(seed: int) -> None:
    world = Numbers(seed)
    mask = world.torch("mask")
    loss, ratio, clipped = policy_loss(
        world.torch("logprobs"), world.torch("old"), world.torch("advantages"), mask, 0.2
    )
    value = value_loss(world.torch("values"), world.torch("old_values"), world.torch("returns"), mask, 0.2)
    policy_terms, value_terms, binding = [], [], []
    for row, length in enumerate(world.lengths):
        for place in range(length):
            share = float(np.exp(world.logprobs[row, place] - world.old[row, place]))
            advantage = world.advantages[row, place]
            free, bound = share * advantage, min(max(share, 0.8), 1.2) * advantage
            policy_terms.append(-min(free, bound))
            binding.append(bound < free)
            new, old, target = (getattr(world, name)[row, place] for name in ("values", "old_values", "returns"))
            kept = min(max(new, old - 0.2), old + 0.2)
            value_terms.append(0.5 * max((new - target) ** 2, (kept - target) ** 2))
            assert ratio[row, place].item() == pytest.approx(share, abs=1e-6)
    assert loss.item() == pytest.approx(np.mean(policy_terms), abs=1e-6)
    assert value.item() == pytest.approx(np.mean(value_terms), abs=1e-6)
    assert clipped.item() == pytest.approx(np.mean(binding), abs=1e-6)


@given(seeds)
def test_whitening_with_and_without_the_shift(seed: int) -> None:
    world = Numbers(seed)
    values, mask = world.torch("kl"), world.torch("mask")
    inside = values[mask]
    for shift, mean in ((True, 0.0), (False, inside.mean().item())):
        white = whiten(values, mask, shift=shift)
        assert white[mask].mean().item() == pytest.approx(mean, abs=1e-6)
        assert white[mask].std(correction=0).item() == pytest.approx(1, abs=1e-4) or len(inside) < 2
        assert not white[~mask].any()


def test_the_end_that_is_missing_has_its_price() -> None:
    scores, ended = torch.tensor([0.5, 2.0]), torch.tensor([True, False])
    assert penalise(scores, ended, -1.0).tolist() == [0.5, -1.0]
    assert penalise(scores, ended, None).tolist() == [0.5, 2.0]


def test_the_kl_weight_follows_its_target(recipe: PPORecipe) -> None:
    recipe = msgspec.structs.replace(recipe, kl_target=2.0, kl_horizon=160.0)
    assert adapt(0.1, 2.0, recipe) == pytest.approx(0.1)
    assert adapt(0.1, 2.2, recipe) == pytest.approx(0.1 * 1.01)
    assert adapt(0.1, 9.0, recipe) == pytest.approx(0.1 * 1.02)
    assert adapt(0.1, 0.0, recipe) == pytest.approx(0.1 * 0.98)
    assert adapt(0.1, 9.0, msgspec.structs.replace(recipe, kl_target=None)) == 0.1


def test_the_mean_reward_rises(recipe: PPORecipe, tiny: Path) -> None:
    result = train_ppo(recipe)
    metrics = result.metrics
    assert metrics.reward_gain_interval[0] > 0
    assert metrics.reward_gain == pytest.approx(metrics.reward_after - metrics.reward_before)
    assert result.history[0].kl == 0.0 < metrics.kl
    assert all(step.first_ratio_deviation == 0.0 for step in result.history)
    assert "before" not in result.summary() and f"{metrics.reward_gain:+.3f}" in result.summary()
    folder = recipe.output
    assert read_manifest(folder, "policy").counts == {"train_prompts": 15, "test_prompts": 5}
    assert len(list(read_records(folder / "samples.jsonl", SamplePair))) == 5 * recipe.samples
    assert not any(str(folder.parent) in file.read_text("utf-8") for file in folder.glob("*.json*"))
    policy, base = AutoModelForCausalLM.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(tiny)
    assert {name for name, _ in policy.named_parameters()} == {name for name, _ in base.named_parameters()}
    assert any((new != old).any() for new, old in zip(policy.parameters(), base.parameters(), strict=True))


def test_the_same_seed_gives_the_same_bytes(recipe: PPORecipe, tmp_path: Path) -> None:
    for name in "ab":
        train_ppo(msgspec.structs.replace(recipe, iterations=2, samples=1, output=tmp_path / name / "policy"))
    assert read_manifest(tmp_path / "a" / "policy").sha256 == read_manifest(tmp_path / "b" / "policy").sha256


def test_all_options_together(recipe: PPORecipe) -> None:
    changes: dict[str, Any] = {
        "iterations": 2,
        "samples": 1,
        "whiten_rewards": True,
        "whiten_advantages": False,
        "kl_target": 1.0,
        "missing_end_score": -1.0,
        "episodes": 12,
        "kl_horizon": 100.0,
        "discount": 0.9,
    }
    history = train_ppo(msgspec.structs.replace(recipe, **changes)).history
    assert history[1].kl_coefficient < history[0].kl_coefficient


def test_a_loss_that_is_no_number_stops_with_the_prompts(recipe: PPORecipe) -> None:
    with pytest.raises(ZhongjingError, match=r"not a finite number, prompts p-"):
        train_ppo(msgspec.structs.replace(recipe, learning_rate=1e30, samples=1))
    assert not recipe.output.exists()


def test_whole_dialogues_are_held_out(prompts_file: Path, tmp_path: Path) -> None:
    prompts = read_prompts(prompts_file)
    twins = prompts + [msgspec.structs.replace(prompt, prompt_id=f"{prompt.prompt_id}b") for prompt in prompts]
    train, held_out = hold_out(twins, 0.25, 0, prompts_file)
    assert (len(train), len(held_out)) == (30, 10)
    assert not {prompt.dialogue_id for prompt in train} & {prompt.dialogue_id for prompt in held_out}
    write_records(tmp_path / "one.jsonl", prompts[:1])
    with pytest.raises(ZhongjingError, match="two dialogues"):
        hold_out(list(read_records(tmp_path / "one.jsonl", Prompt)), 0.5, 0, tmp_path)
