"""PPO against numbers worked by hand, and whole iterations against a reference in numpy that shares no code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.actor import load_actor
from training.generate import read_prompts
from training.judge import judge_of
from training.policy import encode
from training.ppo import Trainer, estimate, policy_loss, token_rewards, value_loss, whiten
from training.recipes import PPORecipe

Grid = NDArray[Any]


def test_two_answers_by_hand() -> None:
    """Answers of 3 and 2 tokens; KL weight 0.5, gamma 1, lambda 0.5, clip 0.2."""
    mask = torch.tensor([[True, True, True], [True, True, False]])
    kl = torch.tensor([[0.2, -0.4, 0.6], [1.0, 0.0, 0.0]])
    rewards = token_rewards(torch.tensor([2.0, -1.0]), kl, mask, 0.5)
    assert rewards.flatten().tolist() == pytest.approx([-0.1, 0.2, 1.7, -0.5, -1.0, 0.0], abs=1e-6)
    values = torch.tensor([[0.5, 1.0, 1.5], [0.0, -0.5, 0.0]])
    advantages, returns = estimate(rewards, values, 1.0, 0.5)
    # surprises: -0.1 + 1 - 0.5 = 0.4, 0.2 + 1.5 - 1 = 0.7, 1.7 - 1.5 = 0.2; -0.5 - 0.5 - 0 = -1, -1 + 0.5 = -0.5
    assert advantages.flatten().tolist() == pytest.approx([0.8, 0.8, 0.2, -1.25, -0.5, 0.0], abs=1e-6)
    assert returns.flatten().tolist() == pytest.approx([1.3, 1.8, 1.7, -1.25, -1.0, 0.0], abs=1e-6)
    # mean of the five 0.01, variance (0.79^2 + 0.79^2 + 0.19^2 + 1.26^2 + 0.51^2) / 5 = 0.6264
    expected = [(value - 0.01) / 0.6264**0.5 for value in (0.8, 0.8, 0.2, -1.25, -0.5)]
    assert whiten(advantages, mask, shift=True)[mask].tolist() == pytest.approx(expected, abs=1e-6)
    ratio = torch.tensor([[1.5, 1.0, 0.5], [0.5, 1.5, 1.0]])
    loss, _, clipped = policy_loss(ratio.log(), torch.zeros(2, 3), advantages, mask, 0.2)
    # -min(r A, clip(r) A): -0.96, -0.8, -0.1, and for the negative ones +1.0, +0.75
    assert loss.item() == pytest.approx((-0.96 - 0.8 - 0.1 + 1.0 + 0.75) / 5, abs=1e-6)
    assert clipped.item() == pytest.approx(2 / 5)
    new = torch.tensor([[1.0, 1.0, 1.0], [-1.0, -0.5, 0.0]])
    # squared errors, of the value | of old value and at most 0.2 more or less:
    # 0.09 | 0.36, 0.64 | 0.64, 0.49 | 0.16, 0.0625 | 1.1025, 0.25 | 0.25
    assert value_loss(new, values, returns, mask, 0.2).item() == pytest.approx(
        0.5 * (0.36 + 0.64 + 0.49 + 1.1025 + 0.25) / 5, abs=1e-6
    )


class Reference:
    """The same again by loops over answers of their own length, in float64."""

    def __init__(self, recipe: PPORecipe, coefficient: float) -> None:
        self.recipe = recipe
        self.coefficient = coefficient

    def credit(
        self, scores: Sequence[float], logprobs: list[Grid], reference: list[Grid], values: list[Grid]
    ) -> tuple[list[Grid], list[Grid]]:
        rewards = []
        for score, new, old in zip(scores, logprobs, reference, strict=True):
            row = -self.coefficient * (new - old)
            row[-1] += score
            rewards.append(row)
        if self.recipe.whiten_rewards:
            pool = np.concatenate(rewards)
            rewards = [(row - pool.mean()) / np.sqrt(pool.var() + 1e-8) + pool.mean() for row in rewards]
        advantages, returns = [], []
        for row, value in zip(rewards, values, strict=True):
            surprises = row + self.recipe.discount * np.append(value[1:], 0.0) - value
            decay = self.recipe.discount * self.recipe.gae_lambda
            advantage = np.array(
                [
                    sum(decay**ahead * surprises[place + ahead] for ahead in range(len(row) - place))
                    for place in range(len(row))
                ]
            )
            advantages.append(advantage)
            returns.append(advantage + value)
        if self.recipe.whiten_advantages:
            pool = np.concatenate(advantages)
            advantages = [(row - pool.mean()) / np.sqrt(pool.var() + 1e-8) for row in advantages]
        return advantages, returns

    def losses(
        self,
        new: list[Grid],
        old: list[Grid],
        advantages: list[Grid],
        new_values: list[Grid],
        old_values: list[Grid],
        returns: list[Grid],
    ) -> tuple[float, float, float]:
        policy, value, binding = [], [], []
        for logprob, before, advantage in zip(new, old, advantages, strict=True):
            ratio = np.exp(logprob - before)
            free, bound = ratio * advantage, np.clip(ratio, 1 - self.recipe.clip, 1 + self.recipe.clip) * advantage
            policy += list(-np.minimum(free, bound))
            binding += list(bound < free)
        for estimated, before, target in zip(new_values, old_values, returns, strict=True):
            kept = np.clip(estimated, before - self.recipe.value_clip, before + self.recipe.value_clip)
            value += list(np.maximum((estimated - target) ** 2, (kept - target) ** 2) / 2)
        return float(np.mean(policy)), float(np.mean(value)), float(np.mean(binding))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"whiten_over": "minibatch", "whiten_rewards": True, "discount": 0.9, "rows_per_pass": 3},
        {"whiten_advantages": False, "value_adapter": False, "missing_end_score": -1.0, "clip": 0.05},
    ],
    ids=["defaults", "by minibatch", "one trunk"],
)
def test_whole_iterations_against_the_reference(ppo_recipe: PPORecipe, changes: dict[str, Any]) -> None:
    """The trainer's second iteration, all its minibatches: what the model said is recorded, the rest is recomputed."""
    recipe = msgspec.structs.replace(ppo_recipe, kl_coefficient=0.3, **changes)
    actor = load_actor(recipe.model.path, recipe)  # type: ignore[arg-type]
    prompts = encode(actor.tokenizer, read_prompts(recipe.prompts), recipe.max_prompt_tokens)
    trainer = Trainer(recipe, actor, judge_of(recipe.reward_model, actor), prompts)
    trainer.iterate(1)
    rollout = trainer.roll_out(trainer.answer(2))
    lengths = rollout.mask.sum(1).tolist()
    assert len(set(lengths)) > 1, "answers of one length would hide faults"
    old, reference, old_values = (
        [row[:length].double().numpy() for row, length in zip(getattr(rollout, name), lengths, strict=True)]
        for name in ("logprobs", "reference", "values")
    )
    scores = rollout.scores.double().tolist()
    said: list[tuple[torch.Tensor, torch.Tensor]] = []
    actor.register_forward_hook(lambda _module, _inputs, output: said.append(output))
    told = [figures.tolist() for figures in trainer.update(rollout, 2)]

    oracle = Reference(recipe, trainer.kl_coefficient)
    everything = oracle.credit(scores, old, reference, old_values)
    for row, length in enumerate(lengths):
        assert rollout.advantages[row, :length].tolist() == pytest.approx(
            oracle.credit(scores, old, reference, old_values)[0][row].tolist(), abs=1e-5
        )
    assert {figures[3] for figures in told[:1]} == {0.0}
    forwards = iter(said)
    for step, (policy, value, clipped, _, _) in enumerate(told):
        epoch, place = divmod(step, recipe.episodes // recipe.minibatch)
        rows = order_of(recipe, 2, epoch)[place * recipe.minibatch : (place + 1) * recipe.minibatch]
        new, new_values = [], []
        while len(new) < len(rows):
            for logprobs, estimated in zip(*next(forwards), strict=True):
                length = lengths[rows[len(new)]]
                new.append(logprobs[:length].detach().double().numpy())
                new_values.append(estimated[:length].detach().double().numpy())
        pick = lambda rows_of: [rows_of[row] for row in rows]  # noqa: B023, E731
        advantages, returns = (
            oracle.credit(pick(scores), pick(old), pick(reference), pick(old_values))
            if recipe.whiten_over == "minibatch"
            else map(pick, everything)
        )
        expected = oracle.losses(new, pick(old), advantages, new_values, pick(old_values), returns)
        assert (policy, value, clipped) == pytest.approx(expected, abs=1e-6)


def order_of(recipe: PPORecipe, iteration: int, epoch: int) -> list[int]:
    """The documented order of episodes in an epoch."""
    if epoch == 0:
        return list(range(recipe.episodes))
    return np.random.default_rng((recipe.seed, 6, iteration, epoch)).permutation(recipe.episodes).tolist()


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_advantages_by_their_definition(seed: int, discount: float, gae_lambda: float) -> None:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 8, size=5)
    mask = np.arange(7) < lengths[:, None]
    kl, values = random.normal(size=(5, 7)) * mask, random.normal(size=(5, 7)) * mask
    scores = random.normal(size=5)
    rewards = token_rewards(*(torch.tensor(each) for each in (scores, kl, mask)), 0.3)
    advantages, returns = estimate(rewards, torch.tensor(values), discount, gae_lambda)
    for row, length in enumerate(lengths):
        reward = -0.3 * kl[row, :length]
        reward[-1] += scores[row]
        surprises = reward + discount * np.append(values[row, 1:length], 0.0) - values[row, :length]
        for place in range(length):
            weights = (discount * gae_lambda) ** np.arange(length - place)
            expected = float((weights * surprises[place:]).sum())
            assert advantages[row, place].item() == pytest.approx(expected, abs=1e-6)
            assert returns[row, place].item() == pytest.approx(expected + values[row, place], abs=1e-6)
        assert not advantages[row, length:].any()
