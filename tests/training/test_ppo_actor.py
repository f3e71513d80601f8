"""One base in several roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from training.actor import POLICY, VALUE, Actor, load_actor
from training.drawing import LocalDrawer
from training.models import load_causal
from training.recipes import PPORecipe

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


def test_full_training_keeps_one_frozen_copy(ppo_recipe: PPORecipe, tiny: Path) -> None:
    actor = load_actor(tiny, msgspec.structs.replace(ppo_recipe, lora=None))
    weights = sum(weight.numel() for weight in load_causal(tiny)[0].parameters())
    frozen = [weight for weight in actor.parameters() if not weight.requires_grad]
    assert sum(weight.numel() for weight in frozen) == weights
    assert sum(weight.numel() for weight in actor.trained().values()) == weights + actor.value.in_features + 1
