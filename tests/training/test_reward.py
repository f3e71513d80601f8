from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from corpus.records import RankedPrompt
from foundation.errors import ZhongjingError
from foundation.jsonl import write_records
from foundation.manifest import read_manifest
from training.checkpoints import partial_folder
from training.rankings import read_rankings
from training.recipes import Lora, Model, RewardRecipe
from training.reward import train_reward
from training.scoring import RewardModel


def recipe_of(rankings: Path, tiny: Path, output: Path, **changes: Any) -> RewardRecipe:
    recipe = RewardRecipe(
        rankings=rankings,
        output=output,
        model=Model(path=tiny),
        epochs=12,
        learning_rate=6e-3,
        prompts_per_batch=8,
    )
    return msgspec.structs.replace(recipe, **changes)


@pytest.mark.parametrize("lora", [Lora(rank=16, alpha=32), None])
def test_training_learns_saves_and_loads_as_any_classifier(
    rankings_file: Path, tiny: Path, tmp_path: Path, lora: Lora | None
) -> None:
    result = train_reward(
        recipe_of(rankings_file, tiny, tmp_path / "rm", lora=lora, learning_rate=6e-3 if lora else 3e-3)
    )
    metrics = result.metrics
    assert metrics.test_accuracy is not None and metrics.test_accuracy >= 0.95
    assert metrics.test_kendall_tau is not None and metrics.test_kendall_tau > 0.85
    assert metrics.loss_last < metrics.loss_first
    assert (metrics.train_prompts, metrics.test_prompts) == (48, 16)
    folder = tmp_path / "rm"
    assert read_manifest(folder, "reward-model").parameters["epochs"] == 12
    assert not any(str(tmp_path) in file.read_text("utf-8") for file in folder.glob("*.json*"))

    ours = RewardModel(folder)
    examples = read_rankings(rankings_file).train
    rewards = ours.rewards([example.prompt for example in examples], [example.answers for example in examples])
    flat = np.concatenate(rewards)
    assert (flat.mean(), flat.std()) == pytest.approx((0, 1), abs=1e-4)

    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    example = examples[0]
    for answer, reward in zip(example.answers, rewards[0], strict=True):
        turns = [*msgspec.to_builtins(example.prompt), {"role": "assistant", "content": answer}]
        inputs = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)
        with torch.no_grad():
            score = model(**inputs).logits.item()
        normalised = (score - ours.normalisation.mean) / ours.normalisation.standard_deviation
        assert normalised == pytest.approx(reward, abs=1e-4)


def test_the_same_seed_gives_the_same_bytes(rankings_file: Path, tiny: Path, tmp_path: Path) -> None:
    for name in "ab":
        train_reward(recipe_of(rankings_file, tiny, tmp_path / name / "rm", epochs=1))
    assert read_manifest(tmp_path / "a" / "rm").sha256 == read_manifest(tmp_path / "b" / "rm").sha256


def test_truncation_is_counted_and_no_held_out_prompt_is_said(
    tiny: Path, tmp_path: Path, make_separable: Callable[..., RankedPrompt]
) -> None:
    write_records(tmp_path / "r.jsonl", [make_separable(number, "train") for number in range(4)])
    result = train_reward(recipe_of(tmp_path / "r.jsonl", tiny, tmp_path / "rm", epochs=1, max_tokens=30))
    assert result.metrics.truncated == 4
    assert result.metrics.test_accuracy is None
    assert "no held-out prompt" in result.summary()


def test_a_loss_that_is_no_number_stops_with_its_rows_and_keeps_the_checkpoint(
    rankings_file: Path, tiny: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(rankings_file, tiny, tmp_path / "rm", learning_rate=1e30, lora=None, checkpoint_every=1)
    with pytest.raises(ZhongjingError, match=r"not a finite number at step \d+, rows: line \d+ \(p-\d+\)") as caught:
        train_reward(recipe)
    assert "the checkpoint of step" in str(caught.value)
    assert not (tmp_path / "rm").exists()
    state = torch.load(partial_folder(tmp_path / "rm") / "checkpoint.pt", weights_only=True)
    assert all(weight.isfinite().all() for weight in state["weights"].values())


def test_a_model_spoilt_by_its_last_step_is_not_written(rankings_file: Path, tiny: Path, tmp_path: Path) -> None:
    changes = {"learning_rate": 1e30, "epochs": 1, "prompts_per_batch": 100}
    with pytest.raises(ZhongjingError, match="not finite numbers"):
        train_reward(recipe_of(rankings_file, tiny, tmp_path / "rm", **changes))
    assert not (tmp_path / "rm").exists()


def test_a_folder_that_is_no_reward_model_is_refused(tiny: Path) -> None:
    with pytest.raises(ZhongjingError, match="a reward-model was expected"):
        RewardModel(tiny)
