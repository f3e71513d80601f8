"""Whole runs: the reward rises, the same seed gives the same bytes, and what stops a run says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from transformers import AutoModelForCausalLM

from corpus.records import Prompt
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records, write_records
from foundation.manifest import read_manifest
from training.checkpoints import partial_folder
from training.generate import read_prompts
from training.logs import logs_folder
from training.policy import PPOStep, SamplePair, hold_out
from training.ppo import train_ppo
from training.recipes import PPORecipe
from training.watch import repetition, signs_of_hacking


def test_the_mean_reward_rises(ppo_recipe: PPORecipe, tiny: Path) -> None:
    recipe = msgspec.structs.replace(ppo_recipe, log_to=("tensorboard",))
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
    assert not partial_folder(folder).exists()
    assert list(logs_folder(folder).glob("events.out.tfevents.*"))
    page = (folder / "report.html").read_text("utf-8")
    assert "奖励作弊" in page and "kl_coefficient" in page
    assert read_manifest(tiny).sha256 in page


def test_answers_are_quoted_only_where_that_is_allowed(ppo_recipe: PPORecipe) -> None:
    for allowed in (False, True):
        recipe = msgspec.structs.replace(ppo_recipe, iterations=1, samples=1, epochs=1, show_texts=allowed)
        train_ppo(recipe)
        answer = next(read_records(recipe.output / "samples.jsonl", SamplePair)).before
        assert len(answer) > 2
        assert (answer in (recipe.output / "report.html").read_text("utf-8")) == allowed


def test_the_same_seed_gives_the_same_bytes(ppo_recipe: PPORecipe, tmp_path: Path) -> None:
    folders = [tmp_path / name / "policy" for name in "ab"]
    for folder in folders:
        train_ppo(msgspec.structs.replace(ppo_recipe, iterations=2, samples=1, output=folder))
    assert read_manifest(folders[0]).sha256 == read_manifest(folders[1]).sha256


@pytest.mark.parametrize(
    "changes",
    [
        {
            "whiten_rewards": True,
            "whiten_advantages": False,
            "kl_target": 1.0,
            "missing_end_score": -1.0,
            "episodes": 12,
            "kl_horizon": 100.0,
            "discount": 0.9,
            "stop_token": "。",
            "adam_epsilon_hat": True,
            "whiten_over": "minibatch",
        },
        {"lora": None, "learning_rate": 1e-4, "rows_per_pass": 4, "gradient_checkpointing": True},
        {"precision": "bf16", "value_adapter": False},
    ],
    ids=["options", "all weights", "bfloat16"],
)
def test_other_ways_to_train(ppo_recipe: PPORecipe, changes: dict[str, Any]) -> None:
    recipe = msgspec.structs.replace(ppo_recipe, iterations=2, samples=1, **changes)
    history = train_ppo(recipe).history
    assert history[0].kl == 0.0 != history[1].kl
    assert (history[1].kl_coefficient < history[0].kl_coefficient) == (recipe.kl_target is not None)


def test_the_average_of_the_weights_is_kept(ppo_recipe: PPORecipe, tmp_path: Path) -> None:
    """A decay near 1 keeps the policy where it started, one near 0 takes it where it went."""
    last = train_ppo(msgspec.structs.replace(ppo_recipe, iterations=2, samples=1, output=tmp_path / "last"))
    near = {}
    for decay in (1e-9, 1 - 1e-9):
        recipe = msgspec.structs.replace(ppo_recipe, iterations=2, samples=1, output=tmp_path / "mean", ema=decay)
        near[decay] = train_ppo(recipe).metrics
    assert near[1e-9].reward_after == pytest.approx(last.metrics.reward_after, abs=1e-4)
    assert near[1 - 1e-9].reward_gain == pytest.approx(0, abs=1e-4)
    assert last.metrics.reward_gain != 0


def test_ptx_keeps_the_doctors_replies_likely(ppo_recipe: PPORecipe, version: Path, tmp_path: Path) -> None:
    """With all weight on the doctors' replies the policy comes nearer to them than it started."""
    from training.actor import load_actor
    from training.replies import Replies

    recipe = msgspec.structs.replace(
        ppo_recipe, iterations=6, samples=1, max_new_tokens=30, ptx=version, ptx_coefficient=50.0, learning_rate=2e-3
    )
    train_ppo(recipe)
    losses = []
    for folder in (ppo_recipe.model.path, recipe.output):
        actor = load_actor(folder, recipe)  # type: ignore[arg-type]
        replies = Replies(recipe, actor.tokenizer)
        with torch.no_grad():
            losses.append(sum(replies.loss(actor, (9, number), 0).item() for number in range(8)) / 8)
    assert losses[1] < losses[0] - 0.02


def test_a_loss_that_is_no_number_stops_with_the_prompts(ppo_recipe: PPORecipe) -> None:
    with pytest.raises(ZhongjingError, match=r"not a finite number, prompts p-"):
        train_ppo(msgspec.structs.replace(ppo_recipe, learning_rate=1e30, samples=1))
    assert not ppo_recipe.output.exists()


def test_a_spoilt_row_is_named_and_the_last_checkpoint_kept(
    ppo_recipe: PPORecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    import training.ppo

    recipe = msgspec.structs.replace(ppo_recipe, iterations=4, checkpoint_every=1)
    original = training.ppo.value_loss
    calls: list[int] = []

    def failing(values: torch.Tensor, *others: Any) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 20:
            values[2] = torch.nan
        return original(values, *others)

    monkeypatch.setattr(training.ppo, "value_loss", failing)
    with pytest.raises(ZhongjingError, match=r"not a finite number, prompts p-\d+\n") as caught:
        train_ppo(recipe)
    assert "last checkpoint is kept" in str(caught.value)
    saved = torch.load(partial_folder(recipe.output) / "checkpoint.pt", weights_only=True)
    assert saved["step"] == 2
    assert all(weight.isfinite().all() for weight in saved["weights"].values())


def test_answers_that_are_all_empty_stop_the_run(ppo_recipe: PPORecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    import training.drawing

    monkeypatch.setattr(
        training.drawing.LocalDrawer, "draw", lambda self, prompts, _: [[self.stop] for _prompt in prompts]
    )
    with pytest.raises(ZhongjingError, match="all 16 answers of iteration 1 are empty"):
        train_ppo(ppo_recipe)
    assert not ppo_recipe.output.exists()


def test_memory_that_runs_out_names_the_settings_to_lower(
    ppo_recipe: PPORecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real allocation that no machine has: one that the value loss asks for."""
    import training.ppo

    monkeypatch.setattr(training.ppo, "value_loss", lambda *_: torch.empty(2**60))
    with pytest.raises(ZhongjingError, match="out of memory") as caught:
        train_ppo(ppo_recipe)
    assert "rows_per_pass" in str(caught.value) and "gradient_checkpointing" in str(caught.value)


def test_a_missing_or_damaged_reward_model_is_one_clear_error(
    ppo_recipe: PPORecipe, reward_folder: Path, tmp_path: Path
) -> None:
    import shutil

    with pytest.raises(ZhongjingError, match="nowhere"):
        train_ppo(msgspec.structs.replace(ppo_recipe, reward_model=tmp_path / "nowhere"))
    damaged = tmp_path / "damaged"
    shutil.copytree(reward_folder, damaged)
    (damaged / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(ZhongjingError, match="cannot be loaded"):
        train_ppo(msgspec.structs.replace(ppo_recipe, reward_model=damaged))


def test_prompts_over_the_limit_are_counted_and_said(ppo_recipe: PPORecipe) -> None:
    result = train_ppo(msgspec.structs.replace(ppo_recipe, iterations=1, samples=1, max_prompt_tokens=20))
    assert result.metrics.cut_prompts == result.metrics.train_prompts == 15
    assert "15 prompts lost their oldest turns" in result.summary()


def test_whole_dialogues_are_held_out(prompts_file: Path, tmp_path: Path) -> None:
    prompts = read_prompts(prompts_file)
    twins = prompts + [msgspec.structs.replace(prompt, prompt_id=f"{prompt.prompt_id}b") for prompt in prompts]
    train, held_out = hold_out(twins, 0.25, 0, prompts_file)
    assert (len(train), len(held_out)) == (30, 10)
    assert not {prompt.dialogue_id for prompt in train} & {prompt.dialogue_id for prompt in held_out}
    write_records(tmp_path / "one.jsonl", prompts[:1])
    with pytest.raises(ZhongjingError, match="two dialogues"):
        hold_out(list(read_records(tmp_path / "one.jsonl", Prompt)), 0.5, 0, tmp_path)


def test_repetition_by_hand() -> None:
    assert repetition([[1, 2, 3, 4, 5]]) == 0.0
    assert repetition([[1, 1, 1, 1, 1, 1]]) == pytest.approx(2 / 3), "three runs of four, one of them new"
    assert repetition([[1, 2, 3, 4], [1, 2, 3, 4]]) == 0.0, "what another answer said is no repetition"
    assert repetition([[], [1]]) == 0.0


def test_signs_of_a_hacked_reward() -> None:
    def steps(**last: float) -> list[PPOStep]:
        plain = dict.fromkeys(PPOStep.__struct_fields__, 0.0) | {"length": 20.0, "ended": 0.9, "repetition": 0.1}
        return [PPOStep(**plain), PPOStep(**plain | {"reward": 1.0} | last)]  # type: ignore[arg-type]

    assert signs_of_hacking(steps()) == signs_of_hacking([]) == []
    assert signs_of_hacking(steps(length=60.0)) == ["answers grew from 20 to 60 tokens"]
    assert signs_of_hacking(steps(length=60.0, reward=-1.0)) == []
    assert len(signs_of_hacking(steps(length=5.0, repetition=0.6, ended=0.1))) == 3
