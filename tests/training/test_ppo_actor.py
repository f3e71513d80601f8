"""One base in several roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from training.actor import POLICY, VALUE, Actor, load_actor
from training.drawing import LocalDrawer
from training.generate import read_prompts
from training.judge import judge_of, start_value
from training.models import load_causal, render
from training.ppo import train_ppo
from training.recipes import PPORecipe
from training.scoring import RewardModel
from training.tiny import build_tiny

TOKENS = torch.tensor([[0, 0, 1, 5, 40, 41, 6, 42], [1, 5, 50, 51, 52, 6, 43, 44]])
REAL = TOKENS.ne(0).long()


def stirred(folder: Path, recipe: PPORecipe) -> Actor:
    """An actor all of whose trained weights have moved."""
    actor = load_actor(folder, recipe)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in actor.trained().values():
            weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
    return actor


def gradients(actor: Actor) -> dict[str, torch.Tensor]:
    logprobs, values = actor(TOKENS, REAL, 3, 0.7)
    (logprobs.square().mean() + values.square().mean()).backward()
    return {name: weight.grad for name, weight in actor.trained().items() if weight.grad is not None}


def test_the_reference_is_the_base_whatever_was_trained(ppo_recipe: PPORecipe, tiny: Path) -> None:
    plain, _ = load_causal(tiny)
    for lora in (ppo_recipe.lora, None):
        actor = stirred(tiny, msgspec.structs.replace(ppo_recipe, lora=lora))
        with torch.no_grad():
            reference, values = actor(TOKENS, REAL, 3, 0.7, reference=True)
            logits = plain(TOKENS, attention_mask=REAL, position_ids=(REAL.cumsum(1) - 1).clamp(min=0)).logits
            policy, _ = actor(TOKENS, REAL, 3, 0.7)
        expected = (logits[:, 4:7] / 0.7).log_softmax(-1).gather(-1, TOKENS[:, 5:, None]).squeeze(-1)
        assert reference.flatten().tolist() == pytest.approx(expected.flatten().tolist(), abs=1e-5)
        assert not values.any()
        assert (policy - reference).abs().max() > 1e-2


def test_policy_and_value_function_have_weights_of_their_own(ppo_recipe: PPORecipe, tiny: Path) -> None:
    actor = stirred(tiny, ppo_recipe)
    with torch.no_grad():
        before = actor(TOKENS, REAL, 3, 1.0)
        for name, weight in actor.trained().items():
            if f".{POLICY}." in name:
                weight.mul_(2.0)
        after = actor(TOKENS, REAL, 3, 1.0)
    assert (after[0] != before[0]).any()
    assert torch.equal(after[1], before[1])


def test_every_trained_weight_gets_a_gradient(ppo_recipe: PPORecipe, tiny: Path) -> None:
    for value_adapter in (True, False):
        actor = stirred(tiny, msgspec.structs.replace(ppo_recipe, value_adapter=value_adapter))
        found = gradients(actor)
        assert set(found) == set(actor.trained())
        assert all(gradient.any() for gradient in found.values())
        assert any(f".{VALUE}." in name for name in found) == value_adapter


@pytest.mark.parametrize("changes", [{}, {"value_adapter": False}, {"lora": None}], ids=str)
def test_activations_computed_twice_give_the_same_gradients(
    ppo_recipe: PPORecipe, tiny: Path, changes: dict[str, Any]
) -> None:
    """The backward pass comes when another adapter has spoken since: each layer must find its own again."""
    found = []
    for checkpointing in (False, True):
        recipe = msgspec.structs.replace(ppo_recipe, gradient_checkpointing=checkpointing, **changes)
        found.append(gradients(stirred(tiny, recipe)))
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        assert torch.allclose(gradient, found[1][name], atol=1e-6), name


def test_activations_are_computed_twice_only_where_there_are_gradients(ppo_recipe: PPORecipe, tiny: Path) -> None:
    """Else the key-value cache of generation would be thrown away."""
    answers = []
    for checkpointing in (False, True):
        recipe = msgspec.structs.replace(ppo_recipe, gradient_checkpointing=checkpointing)
        actor = stirred(tiny, recipe)
        actor(TOKENS, REAL, 3, 1.0)
        drawer = LocalDrawer(actor.plain, actor.tokenizer, recipe)
        answers.append(drawer.draw([[1, 5, 40, 41], [1, 5, 50]], [(0,), (1,)]))
        assert actor.plain(TOKENS, use_cache=True).past_key_values.get_seq_length() == TOKENS.shape[1]
    assert answers[0] == answers[1]


def test_the_merged_policy_is_a_plain_model_that_says_the_same(ppo_recipe: PPORecipe, tiny: Path) -> None:
    actor = stirred(tiny, ppo_recipe)
    with torch.no_grad():
        spoken = actor.plain(TOKENS).logits
        merged = actor.merged()
        assert torch.allclose(merged(TOKENS).logits, spoken, atol=1e-4)
    plain, _ = load_causal(tiny)
    assert {name for name, _ in merged.named_parameters()} == {name for name, _ in plain.named_parameters()}


def test_the_reward_model_shares_the_base_it_was_trained_on(
    ppo_recipe: PPORecipe, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    actor = stirred(tiny, ppo_recipe)
    weights = sum(weight.numel() for weight in load_causal(tiny)[0].parameters())
    judge = judge_of(ppo_recipe.reward_model, actor)
    assert capsys.readouterr().err == ""
    adapters = sum(weight.numel() for name, weight in actor.named_parameters() if "lora" in name)
    assert sum(weight.numel() for weight in actor.parameters()) == weights + adapters + actor.value.in_features + 1
    prompts = [prompt.messages for prompt in read_prompts(ppo_recipe.prompts)]
    answers = [["请先休息，多喝水。", "不知道", "按时吃药"]] * len(prompts)
    apart, shared = (model.rewards(prompts, answers) for model in (RewardModel(ppo_recipe.reward_model), judge))
    for one, other in zip(apart, shared, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    with torch.no_grad():
        before = actor(TOKENS, REAL, 3, 1.0)
        judge.rewards(prompts[:1], answers[:1])
        assert torch.equal(actor(TOKENS, REAL, 3, 1.0)[0], before[0]), "the policy speaks again afterwards"
    assert not any("reward" in name for name in actor.trained())


def test_a_reward_model_of_another_base_is_a_model_of_its_own(
    ppo_recipe: PPORecipe, tiny: Path, version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_tiny(version, tmp_path / "other", steps=20, vocabulary=500, hidden=64, layers=2, seed=1)
    judge_of(ppo_recipe.reward_model, load_actor(tmp_path / "other", ppo_recipe))
    assert "it was trained on another base" in capsys.readouterr().err
    judge_of(ppo_recipe.reward_model, load_actor(tiny, msgspec.structs.replace(ppo_recipe, lora=None)))
    assert "all weights of the policy are trained" in capsys.readouterr().err


def test_the_value_function_may_start_as_the_reward_model(ppo_recipe: PPORecipe, tiny: Path) -> None:
    recipe = msgspec.structs.replace(ppo_recipe, value_start="reward", iterations=2)
    actor = load_actor(tiny, recipe)
    judge = judge_of(recipe.reward_model, actor)
    start_value(actor, judge)
    prompt = read_prompts(recipe.prompts)[0].messages
    ((reward,),) = judge.rewards([prompt], [["请先休息，多喝水。"]])
    tokens = torch.tensor([[*render(actor.tokenizer, prompt, "请先休息，多喝水。"), 0]])
    with torch.no_grad():
        _, values = actor(tokens, torch.ones_like(tokens), 1, 1.0)
    assert values.item() == pytest.approx(reward, abs=1e-4), "the value before what follows the last token"
    assert any(f".{VALUE}." in name for name in actor.trained())
    assert train_ppo(recipe).metrics.iterations == 2


def test_full_training_keeps_one_frozen_copy(ppo_recipe: PPORecipe, tiny: Path) -> None:
    actor = load_actor(tiny, msgspec.structs.replace(ppo_recipe, lora=None))
    weights = sum(weight.numel() for weight in load_causal(tiny)[0].parameters())
    frozen = [weight for weight in actor.parameters() if not weight.requires_grad]
    assert sum(weight.numel() for weight in frozen) == weights
    assert sum(weight.numel() for weight in actor.trained().values()) == weights + actor.value.in_features + 1
