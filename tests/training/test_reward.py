from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from corpus.records import Judgement, RankedPrompt
from foundation.errors import ZhongjingError
from foundation.jsonl import write_records
from foundation.manifest import read_manifest
from foundation.rejects import read_rejects
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


def test_trl_loads_the_folder_as_it_is(trained: Path, tmp_path: Path, rankings_file: Path) -> None:
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    example = read_rankings(rankings_file).test[0]
    prompt = msgspec.to_builtins(example.prompt)
    better, worse = example.pairs[0].better, example.pairs[0].worse
    row = {"prompt": prompt} | {
        side: [{"role": "assistant", "content": example.answers[place]}]
        for side, place in (("chosen", better), ("rejected", worse))
    }
    arguments = RewardConfig(output_dir=str(tmp_path), use_cpu=True, report_to="none", disable_tqdm=True, bf16=False)
    trainer = RewardTrainer(str(trained), args=arguments, train_dataset=Dataset.from_list([row]))
    batch = trainer.data_collator([trainer.train_dataset[0]])
    with torch.no_grad():
        theirs = trainer.model.eval()(**{name: batch[name] for name in ("input_ids", "attention_mask")}).logits
    ours = RewardModel(trained)
    told = ours.rewards([example.prompt], [[example.answers[better], example.answers[worse]]])[0]
    scale, shift = ours.normalisation.standard_deviation, ours.normalisation.mean
    assert [reward * scale + shift for reward in told] == pytest.approx(theirs.flatten().tolist(), abs=1e-5)


@pytest.fixture(scope="module")
def trained(rankings_file: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "rm"
    train_reward(recipe_of(rankings_file, tiny, folder, epochs=1))
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "plackett-luce", "weight_by_agreement": True},
        {"margin": 1.0, "label_smoothing": 0.05, "centring": 0.01},
        {"precision": "bf16"},
    ],
)
def test_every_objective_and_bfloat16_learn(
    rankings_file: Path, tiny: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    metrics = train_reward(recipe_of(rankings_file, tiny, tmp_path / "rm", **changes)).metrics
    assert metrics.test_accuracy is not None and metrics.test_accuracy >= 0.9


def test_preferences_teach_the_same_as_the_rankings_they_came_from(
    rankings_file: Path, tiny: Path, tmp_path: Path
) -> None:
    rankings = read_rankings(rankings_file)
    rows = [
        {
            "prompt": msgspec.to_builtins(example.prompt),
            "chosen": [{"role": "assistant", "content": example.answers[pair.better]}],
            "rejected": [{"role": "assistant", "content": example.answers[pair.worse]}],
            "margin": pair.margin,
            "prompt_id": example.prompt_id,
            "split": split,
        }
        for split, examples in (("train", rankings.train), ("test", rankings.test))
        for example in examples
        for pair in example.pairs
    ]
    write_records(tmp_path / "p.jsonl", rows)
    whole = recipe_of(rankings_file, tiny, tmp_path / "whole", epochs=2)
    changes = {"rankings": None, "preferences": tmp_path / "p.jsonl", "output": tmp_path / "pairs"}
    pairs = msgspec.structs.replace(whole, **changes)
    one, other = train_reward(pairs), train_reward(whole)
    assert [step.loss for step in one.history] == pytest.approx([step.loss for step in other.history], abs=1e-5)
    assert one.metrics.test_accuracy == pytest.approx(other.metrics.test_accuracy)


def judged(ranked: RankedPrompt) -> RankedPrompt:
    """Three experts who agree with the consensus, and one who has it the other way round."""
    tiers = ranked.consensus.tiers
    orders = {"A": tiers, "B": tiers, "C": tiers, "odd": tiers[::-1]}
    judgements = [
        Judgement(expert=expert, dimension="overall", tiers=order, seconds=1.0, guideline_version="1")
        for expert, order in orders.items()
    ]
    return msgspec.structs.replace(ranked, judgements=judgements)


def test_each_expert_is_left_out_once(tiny: Path, tmp_path: Path, make_separable: Callable[..., RankedPrompt]) -> None:
    rows = [judged(make_separable(number, "test" if number % 4 == 0 else "train")) for number in range(48)]
    write_records(tmp_path / "r.jsonl", rows)
    result = train_reward(recipe_of(tmp_path / "r.jsonl", tiny, tmp_path / "rm", leave_one_out=True, epochs=6))
    found = {left.expert: left for left in result.metrics.without_expert}
    assert found.keys() == {"A", "B", "C", "odd"}
    assert found["odd"].held_out is not None and found["odd"].held_out.accuracy < 0.1
    assert found["A"].held_out is not None and found["A"].held_out.accuracy > 0.9
    assert {left.train_prompts for left in found.values()} == {36}
    assert "left out of training" in result.summary()


def test_rewards_are_normalised_on_the_doctors_answers_where_there_are_enough(
    tiny: Path, tmp_path: Path, make_separable: Callable[..., RankedPrompt]
) -> None:
    rows = []
    for number in range(12):
        ranked = make_separable(number, "train")
        best = msgspec.structs.replace(ranked.responses[0], model="reference-doctor")
        rows.append(msgspec.structs.replace(ranked, responses=[best, *ranked.responses[1:]]))
    write_records(tmp_path / "r.jsonl", rows)
    train_reward(recipe_of(tmp_path / "r.jsonl", tiny, tmp_path / "rm", epochs=1))
    ours = RewardModel(tmp_path / "rm")
    assert (ours.normalisation.source, ours.normalisation.answers) == ("reference-doctor", 12)
    rewards = ours.rewards([row.prompt for row in rows], [[row.responses[0].text] for row in rows])
    assert (np.mean(rewards), np.std(rewards)) == pytest.approx((0, 1), abs=1e-3)


def test_a_tokenizer_without_template_or_pad(rankings_file: Path, tiny: Path, tmp_path: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=1)
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    template, tokenizer.chat_template, tokenizer.pad_token = tokenizer.chat_template, None, None
    model.save_pretrained(tmp_path / "bare")
    tokenizer.save_pretrained(tmp_path / "bare")
    recipe = recipe_of(rankings_file, tmp_path / "bare", tmp_path / "rm", epochs=1)
    with pytest.raises(ZhongjingError, match="no chat template"):
        train_reward(recipe)
    (tmp_path / "chat.jinja").write_text(template, "utf-8")
    told = Model(path=tmp_path / "bare", chat_template=tmp_path / "chat.jinja")
    train_reward(msgspec.structs.replace(recipe, model=told))
    saved = AutoTokenizer.from_pretrained(tmp_path / "rm")
    assert saved.chat_template == template
    assert saved.pad_token_id not in (None, saved.eos_token_id)
    assert json.loads((tmp_path / "rm" / "config.json").read_text())["pad_token_id"] == saved.pad_token_id


def test_rows_left_out_are_said_and_listed(
    tiny: Path, tmp_path: Path, make_separable: Callable[..., RankedPrompt], capsys: pytest.CaptureFixture[str]
) -> None:
    write_records(tmp_path / "r.jsonl", [make_separable(number, "train") for number in range(4)])
    with (tmp_path / "r.jsonl").open("a") as stream:
        stream.write('{"prompt_id": 7}\n')
    result = train_reward(recipe_of(tmp_path / "r.jsonl", tiny, tmp_path / "rm", epochs=1))
    assert result.metrics.left_out == {"bad_row": 1}
    assert "1 rows left out: 1 bad_row" in capsys.readouterr().err
    assert [(reject.line, reject.reason) for reject in read_rejects(tmp_path / "rm" / "rejects.jsonl")] == [
        (5, "bad_row")
    ]
