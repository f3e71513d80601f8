"""The implementation details of RLHF with PPO (Huang et al.), one test each, in the order of `docs/training.md`.

Those of the reward model alone are in test_reward.py and test_quality.py.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from corpus.records import Message
from foundation.errors import ZhongjingError
from training.actor import Actor, load_actor
from training.drawing import LocalDrawer, cut, decoding_config, draw_tokens, padded, stop_token
from training.fitting import trainable
from training.generate import read_prompts
from training.judge import judge_of
from training.models import encode_prompt
from training.policy import encode
from training.ppo import Rollout, Trainer, adapt, credit, in_turn, penalise, take, token_rewards, whiten
from training.recipes import Lora, Model, PPORecipe, RewardRecipe
from training.stepping import set_epsilon


@pytest.fixture
def actor(ppo_recipe: PPORecipe, tiny: Path) -> Actor:
    return load_actor(tiny, ppo_recipe)


@pytest.fixture
def trainer(ppo_recipe: PPORecipe, actor: Actor) -> Trainer:
    return trainer_of(ppo_recipe, actor)


def trainer_of(recipe: PPORecipe, actor: Actor) -> Trainer:
    prompts = encode(actor.tokenizer, read_prompts(recipe.prompts), recipe.max_prompt_tokens)
    return Trainer(recipe, actor, judge_of(recipe.reward_model, actor), prompts)


def coded(actor: Actor, recipe: PPORecipe, count: int = 4) -> list[list[int]]:
    return [one.tokens for one in encode(actor.tokenizer, read_prompts(recipe.prompts), 200)[:count]]


def test_defaults_are_the_papers() -> None:
    recipe = PPORecipe(prompts=Path("p"), output=Path("o"), model=Model(path=Path("m")), reward_model=Path("r"))
    paper = {
        "temperature": 0.7,
        "epochs": 4,
        "kl_coefficient": 0.05,
        "kl_horizon": 10_000.0,
        "discount": 1.0,
        "gae_lambda": 0.95,
        "clip": 0.2,
        "value_clip": 0.2,
        "value_coefficient": 0.1,
        "adam_epsilon": 1e-5,
        "missing_end_score": -1.0,
        "whiten_rewards": False,
        "whiten_advantages": True,
        "value_start": "zero",
    }
    assert {name: getattr(recipe, name) for name in paper} == paper


def test_every_detail_in_the_document_names_tests_that_exist() -> None:
    here = Path(__file__).parent
    code = "\n".join(path.read_text("utf-8") for path in here.glob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)", code))
    page = (here.parents[1] / "docs" / "training.md").read_text("utf-8")
    rows = re.findall(r"^\| ([GRP]\d+) \|.*\| ([^|]*) \|$", page, re.MULTILINE)
    groups = {"G": 6, "R": 3, "P": 11}
    assert [name for name, _ in rows] == [f"{group}{n + 1}" for group, count in groups.items() for n in range(count)]
    for name, cell in rows:
        named = set(re.findall(r"test_\w+(?=`)", cell))
        assert named and named <= there, name


def test_values_and_rewards_read_prompt_and_answer_together(actor: Actor, trainer: Trainer) -> None:
    torch.nn.init.normal_(actor.value.weight)
    answer = [40, 41, 42]
    tokens, real, _ = padded([[1, 5, 30], [1, 5, 31]], [answer, answer], actor.tokenizer.pad_token_id)
    with torch.no_grad():
        _, values = actor(tokens, real, 3, 1.0)
    assert (values[0] != values[1]).all()
    asked = [[Message("user", text)] for text in ("我头痛一天了", "我咳嗽三天了")]
    (first,), (second,) = trainer.judge.rewards(asked, [["请先休息，多喝水。"]] * 2)
    assert first != second


def test_pad_is_a_token_of_its_own_and_prompts_are_cut(actor: Actor, ppo_recipe: PPORecipe) -> None:
    assert actor.tokenizer.pad_token_id not in (None, actor.tokenizer.eos_token_id)
    messages = read_prompts(ppo_recipe.prompts)[0].messages
    (whole, cut_whole), (short, cut_short) = (encode_prompt(actor.tokenizer, messages, limit) for limit in (1000, 20))
    assert (cut_whole, cut_short) == (False, True)
    assert len(short) <= 20 < len(whole)
    assert short == encode_prompt(actor.tokenizer, messages[-1:], 20)[0], "the newest turn stays whole"
    trainer = trainer_of(msgspec.structs.replace(ppo_recipe, max_prompt_tokens=20), actor)
    assert sum(encoded.shortened for encoded in trainer.prompts) == 20


def test_positions_make_left_padding_invisible(actor: Actor) -> None:
    tokens = torch.tensor([[1, 5, 40, 41, 6, 42, 43, 44]])
    shifted = torch.cat([torch.zeros(1, 3, dtype=torch.long), tokens], 1)
    torch.nn.init.normal_(actor.value.weight)
    with torch.no_grad():
        plain = actor(tokens, torch.ones_like(tokens), 3, 0.7)
        padded_left = actor(shifted, shifted.ne(0).long(), 3, 0.7)
    for one, other in zip(plain, padded_left, strict=True):
        assert one[0].tolist() == pytest.approx(other[0].tolist(), abs=1e-5)


def test_what_follows_the_stop_token_counts_for_nothing(actor: Actor, ppo_recipe: PPORecipe) -> None:
    drawer = LocalDrawer(actor.plain, actor.tokenizer, msgspec.structs.replace(ppo_recipe, max_new_tokens=4))
    prompts = coded(actor, ppo_recipe) * 4
    answers = drawer.draw(prompts, [(0, number) for number in range(16)])
    ended = [answer for answer in answers if answer[-1] == drawer.stop]
    assert 0 < len(ended) < 16
    assert all(drawer.stop not in answer[:-1] for answer in answers)
    assert all(len(answer) == 4 for answer in answers if answer[-1] != drawer.stop)
    _, real, mask = padded(prompts, answers, actor.tokenizer.pad_token_id)
    assert mask.sum(1).tolist() == [len(answer) for answer in answers]
    assert real.sum(1).tolist() == [len(prompt) + len(answer) for prompt, answer in zip(prompts, answers, strict=True)]


@given(st.lists(st.integers(0, 5), max_size=8))
def test_an_answer_is_cut_after_its_first_stop(answer: list[int]) -> None:
    short = cut(answer, 3)
    assert answer[: len(short)] == short
    assert short[-1:] == [3] if 3 in answer else short == answer
    assert 3 not in short[:-1]


def test_any_token_may_be_the_stop(actor: Actor) -> None:
    assert stop_token(actor.tokenizer, None) == actor.tokenizer.eos_token_id
    assert actor.tokenizer.decode([stop_token(actor.tokenizer, "。")]) == "。"
    with pytest.raises(ZhongjingError, match="must be one token"):
        stop_token(actor.tokenizer, "请先休息，多喝水。")


def test_the_learning_rate_falls_linearly_to_nothing(trainer: Trainer) -> None:
    trainer.recipe = msgspec.structs.replace(trainer.recipe, epochs=1)
    rates = [trainer.iterate(iteration)[0].learning_rate for iteration in (1, 2, 3)]
    assert rates == pytest.approx([0.005, 0.0045, 0.004])
    assert trainer.schedule.lr_lambdas[0](10) == 0.0


def test_every_episode_has_a_seed_of_its_own(actor: Actor, ppo_recipe: PPORecipe) -> None:
    """Drawn together or apart, as one process or another would: the same answers; another seed, another answer."""
    drawer = LocalDrawer(actor.plain, actor.tokenizer, msgspec.structs.replace(ppo_recipe, temperature=1.0))
    prompts, seeds = coded(actor, ppo_recipe, 6), [(0, 5, number) for number in range(6)]
    together = drawer.draw(prompts, seeds)
    assert [drawer.draw([prompt], [seed])[0] for prompt, seed in zip(prompts, seeds, strict=True)] == together
    assert len({tuple(answer) for answer in drawer.draw(prompts[:1] * 6, seeds)}) > 3


def test_answers_are_drawn_from_the_models_distribution(actor: Actor, ppo_recipe: PPORecipe) -> None:
    """First tokens of many draws against the softmax of the logits over the temperature (chi-squared)."""
    recipe = msgspec.structs.replace(ppo_recipe, max_new_tokens=1, temperature=1.3)
    drawer, prompt = LocalDrawer(actor.plain, actor.tokenizer, recipe), coded(actor, ppo_recipe)[0]
    draws = 4000
    first = np.array(drawer.draw([prompt] * draws, [(1, number) for number in range(draws)]))[:, 0]
    with torch.no_grad():
        wanted = (actor.plain(torch.tensor([prompt])).logits[0, -1] / 1.3).double().softmax(-1).numpy()
    common = np.argsort(-wanted)[:8]
    expected = np.append(wanted[common], 1 - wanted[common].sum()) * draws
    found = np.append([(first == token).sum() for token in common], (~np.isin(first, common)).sum())
    assert ((found - expected) ** 2 / expected).sum() < 26.1, "99.9 % of chi-squared with 8 degrees of freedom"


def test_greedy_generation_of_the_library_is_the_limit_of_low_temperature(actor: Actor, ppo_recipe: PPORecipe) -> None:
    recipe = msgspec.structs.replace(ppo_recipe, temperature=1e-4)
    prompts = coded(actor, ppo_recipe)
    config = decoding_config(actor.tokenizer, temperature=0, max_new_tokens=recipe.max_new_tokens)
    _, _, greedy = draw_tokens(actor.plain, actor.tokenizer, prompts, config)
    drawn = LocalDrawer(actor.plain, actor.tokenizer, recipe).draw(prompts, [(number,) for number in range(4)])
    assert drawn == [cut(answer, actor.tokenizer.eos_token_id) for answer in greedy.tolist()]


def test_the_reward_comes_with_the_last_token_alone() -> None:
    mask = torch.tensor([[True, True, False], [True, True, True], [True, False, False]])
    rewards = token_rewards(torch.tensor([1.0, 2.0, 3.0]), torch.zeros(3, 3), mask, 0.1)
    assert rewards.tolist() == [[0, 1, 0], [0, 0, 2], [3, 0, 0]]


def test_the_reward_head_starts_small(tiny: Path) -> None:
    """Deviation 0.02, whatever the base: first scores are near 0 and a pair's first loss near log 2."""
    recipe = RewardRecipe(rankings=tiny, output=tiny, model=Model(path=tiny), lora=None)
    heads = [
        trainable(tiny, msgspec.structs.replace(recipe, seed=seed))[0].score.weight.detach().flatten()
        for seed in range(20)
    ]
    weights = torch.cat(heads)
    assert weights.std().item() == pytest.approx(0.02, rel=0.1)
    assert abs(weights.mean().item()) < 0.002
    assert not torch.equal(heads[0], heads[1]), "another seed, another head"
    again, _ = trainable(tiny, recipe)
    assert torch.equal(again.score.weight.flatten(), heads[0]) and again.score.bias is None


def test_logits_are_divided_by_the_temperature(actor: Actor) -> None:
    tokens = torch.tensor([[1, 5, 40, 41, 6, 42, 43, 44]])
    with torch.no_grad():
        found, _ = actor(tokens, torch.ones_like(tokens), 3, 0.7)
        logits = actor.plain(input_ids=tokens).logits[0, 4:7] / 0.7
    assert found[0].tolist() == pytest.approx(logits.log_softmax(-1)[range(3), [42, 43, 44]].tolist(), abs=1e-5)


def test_the_value_head_starts_at_zero(actor: Actor) -> None:
    assert not actor.value.weight.any() and not actor.value.bias.any()
    tokens = torch.tensor([[1, 5, 40, 41]])
    assert not actor(tokens, torch.ones_like(tokens), 2, 1.0)[1].any()


def test_nothing_is_ever_dropped(ppo_recipe: PPORecipe, actor: Actor) -> None:
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        attention_dropout=0.9,
    )
    dropping = Actor(LlamaForCausalLM(config), actor.tokenizer, ppo_recipe).train()
    tokens = torch.tensor([[1, 5, 40, 41]])
    first, second = (dropping(tokens, torch.ones_like(tokens), 2, 1.0)[0].tolist() for _ in range(2))
    assert first == second


def test_the_end_that_is_missing_has_its_price() -> None:
    scores, ended = torch.tensor([0.5, 2.0]), torch.tensor([True, False])
    assert penalise(scores, ended, -1.0).tolist() == [0.5, -1.0]
    assert penalise(scores, ended, None).tolist() == [0.5, 2.0]


def test_an_answer_without_its_end_gets_the_fixed_score_in_a_rollout(ppo_recipe: PPORecipe, actor: Actor) -> None:
    recipe = msgspec.structs.replace(ppo_recipe, missing_end_score=-7.0, max_new_tokens=4)
    trainer = trainer_of(recipe, actor)
    episodes = trainer.answer(1)
    rollout = trainer.roll_out(episodes)
    scores = rollout.scores.tolist()
    assert {one.ended for one in episodes} == {True, False}
    assert scores == pytest.approx([one.reward if one.ended else -7.0 for one in episodes])


def test_minibatches_are_shuffled_anew_in_every_epoch(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout = trainer.roll_out(trainer.answer(1))
    rollout.scores = torch.arange(16.0)
    seen: list[list[float]] = []
    monkeypatch.setattr(trainer, "descend", lambda batch, _seed: seen.append(batch.scores.tolist()))
    list(trainer.update(rollout, 1))
    epochs = [[*first, *second] for first, second in zip(seen[::2], seen[1::2], strict=True)]
    assert epochs[0] == list(range(16))
    assert all(sorted(epoch) == epochs[0] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_every_prompt_comes_once_before_any_comes_again() -> None:
    turns = [[in_turn(3, 7, index) for index in range(start, start + 7)] for start in (0, 7, 14)]
    assert all(sorted(turn) == list(range(7)) for turn in turns)
    assert turns[0] != turns[1] != turns[2]


def test_first_ratio_is_exactly_one_and_first_kl_exactly_nothing(trainer: Trainer) -> None:
    for iteration in (1, 2, 3):
        step, _ = trainer.iterate(iteration)
        assert step.first_ratio_deviation == 0.0
        assert (step.kl == 0.0) == (iteration == 1)
        assert step.clip_fraction > 0


@pytest.mark.parametrize("changes", [{"rows_per_pass": 3}, {"value_adapter": False}, {"lora": None}], ids=str)
def test_ratio_and_kl_are_exact_in_every_mode(ppo_recipe: PPORecipe, changes: dict[str, Any], tiny: Path) -> None:
    recipe = msgspec.structs.replace(ppo_recipe, learning_rate=1e-3, epochs=1, **changes)
    trainer = trainer_of(recipe, load_actor(tiny, recipe))
    steps = [trainer.iterate(iteration)[0] for iteration in (1, 2)]
    assert [step.first_ratio_deviation for step in steps] == [0.0, 0.0]
    assert steps[0].kl == 0.0 != steps[1].kl


def test_the_kl_penalty_is_per_token(trainer: Trainer) -> None:
    trainer.iterate(1)
    rollout = trainer.roll_out(trainer.answer(2))
    kl = rollout.logprobs - rollout.reference
    rewards = token_rewards(rollout.scores, kl, rollout.mask, 0.5)
    ends = torch.nn.functional.one_hot(rollout.mask.sum(1) - 1, rollout.mask.shape[1])
    assert torch.allclose(rewards, -0.5 * kl + ends * rollout.scores[:, None])
    assert not kl[~rollout.mask].any()


@given(st.integers(0, 10_000))
def test_whitening_with_and_without_the_shift(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = torch.tensor(np.arange(7) < random.integers(1, 8, size=5)[:, None])
    values = torch.tensor(random.normal(size=(5, 7))) * mask
    inside = values[mask]
    for shift, mean in ((True, 0.0), (False, inside.mean().item())):
        white = whiten(values, mask, shift=shift)
        assert white[mask].mean().item() == pytest.approx(mean, abs=1e-6)
        assert white[mask].std(correction=0).item() == pytest.approx(1, abs=1e-4) or len(inside) < 2
        assert not white[~mask].any()


def test_whitening_over_the_rollout_or_over_each_minibatch(trainer: Trainer) -> None:
    rollout = trainer.roll_out(trainer.answer(1))
    rows = np.arange(8)
    part = take(rollout, rows)
    assert abs(part.advantages[part.mask].mean().item()) > 1e-3
    own = credit(part, trainer.recipe, 0.05)
    assert own.advantages[own.mask].mean().item() == pytest.approx(0, abs=1e-6)
    assert own.returns[own.mask].tolist() == pytest.approx(part.returns[part.mask].tolist(), abs=1e-5)


def test_the_kl_weight_follows_its_target(ppo_recipe: PPORecipe) -> None:
    recipe = msgspec.structs.replace(ppo_recipe, kl_target=2.0, kl_horizon=160.0)
    assert adapt(0.1, 2.0, recipe) == pytest.approx(0.1)
    assert adapt(0.1, 2.2, recipe) == pytest.approx(0.1 * 1.01)
    assert adapt(0.1, 9.0, recipe) == pytest.approx(0.1 * 1.02)
    assert adapt(0.1, 0.0, recipe) == pytest.approx(0.1 * 0.98)
    assert adapt(0.1, 9.0, msgspec.structs.replace(recipe, kl_target=None)) == 0.1


def test_adams_epsilon_as_pytorch_and_as_tensorflow_take_it(trainer: Trainer) -> None:
    assert trainer.optimizer.param_groups[0]["eps"] == 1e-5
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    adam = torch.optim.Adam([weight], lr=0.1, eps=0.3)
    expected, first, second = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    for step, gradient in enumerate(np.random.default_rng(0).normal(size=(5, 2)), start=1):
        weight.grad = torch.tensor(gradient)
        set_epsilon(adam, 0.3)
        adam.step()
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        rate = 0.1 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        expected -= rate * first / (np.sqrt(second) + 0.3)
        assert weight.tolist() == pytest.approx(expected.tolist(), abs=1e-12)


def test_gradients_are_clipped(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    norms = []
    original = trainer.optimizer.step

    def stepping() -> None:
        norms.append(sum(weight.grad.norm() ** 2 for weight in trainer.actor.trained().values()).sqrt().item())
        original()

    monkeypatch.setattr(trainer.optimizer, "step", stepping)
    trainer.recipe = msgspec.structs.replace(trainer.recipe, max_grad_norm=1e-3)
    step, _ = trainer.iterate(1)
    assert step.gradient_norm > 1e-3
    assert norms == pytest.approx([1e-3] * 8, rel=1e-3)


def test_a_rollout_is_nothing_after_its_answers_ends(trainer: Trainer) -> None:
    trainer.iterate(1)
    rollout = trainer.roll_out(trainer.answer(2))
    for name in ("logprobs", "reference", "values", "advantages", "returns"):
        assert not getattr(rollout, name)[~rollout.mask].any(), name


def test_rows_are_taken_without_columns_of_padding(trainer: Trainer) -> None:
    rollout = trainer.roll_out(trainer.answer(1))
    shortest = int(rollout.mask.sum(1).argmin())
    part: Rollout = take(rollout, np.array([shortest]))
    assert part.mask.all() and part.real.all()
    assert part.tokens[0].tolist() == rollout.tokens[shortest][rollout.real[shortest].bool()].tolist()


def test_a_lora_of_rank_is_what_is_trained(actor: Actor) -> None:
    assert {name.split(".")[-2] for name in actor.trained() if "lora" in name} == {"policy", "value"}
    assert {name for name in actor.trained() if "lora" not in name} == {"value.weight", "value.bias"}
    assert Lora().rank == 32
