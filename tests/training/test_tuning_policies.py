"""DPO and RLOO through TRL on the export that trains the reward model, and all tiny recipes by their commands."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

import foundation.cli
import training.cli
from corpus.mixing.mix import mix
from corpus.mixing.pretrain_text import write_texts
from corpus.records import Message
from foundation.errors import ZhongjingError
from foundation.manifest import read_manifest
from training.comparing import compare_runs
from training.models import render
from training.preferences import read_preferences
from training.recipes import DPORecipe, Lora, Model, RLOORecipe
from training.scoring import RewardModel
from training.tuning.dpo import coded, implicit_margins, pairs_of, train_dpo
from training.tuning.likelihood import surprises
from training.tuning.rloo import reward_function, train_rloo

SHIPPED = Path(__file__).parents[2] / "training" / "recipes" / "tiny"


@pytest.fixture
def dpo(preferences_file: Path, tiny: Path, tmp_path: Path) -> DPORecipe:
    return DPORecipe(
        preferences=preferences_file,
        output=tmp_path / "dpo",
        model=Model(path=tiny),
        lora=Lora(rank=8, alpha=16.0),
        batch=32,
        rows_per_pass=32,
        learning_rate=3e-3,
        log_to=(),
    )


@pytest.fixture
def rloo(prompts_file: Path, reward_folder: Path, tiny: Path, tmp_path: Path) -> RLOORecipe:
    return RLOORecipe(
        prompts=prompts_file,
        reward_model=reward_folder,
        output=tmp_path / "rloo",
        model=Model(path=tiny),
        lora=Lora(rank=8, alpha=16.0),
        batch=32,
        rows_per_pass=32,
        epochs=10,
        learning_rate=1e-2,
        schedule="linear",
        warmup=0.0,
        samples=2,
        max_new_tokens=12,
        log_to=(),
    )


def test_dpo_puts_pairs_it_never_saw_in_the_experts_order(dpo: DPORecipe) -> None:
    result = train_dpo(dpo)
    told = result.metrics
    assert told.loss_first == pytest.approx(math.log(2), abs=1e-5), "policy and reference are one at first"
    assert told.loss_last < 0.6
    assert told.test_accuracy is not None and told.test_accuracy > 0.9
    assert told.margin is not None and told.margin > 0.1
    assert read_manifest(dpo.output, "policy").counts == {"train_pairs": 204, "test_pairs": 68}
    page = (dpo.output / "report.html").read_text("utf-8")
    assert "多喝水" not in page
    AutoModelForCausalLM.from_pretrained(dpo.output)


def test_implicit_rewards_by_their_definition(dpo: DPORecipe, tiny: Path) -> None:
    """beta x (log-ratio of the better answer - that of the worse), with log-probabilities summed by hand."""
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    before = AutoModelForCausalLM.from_pretrained(tiny)
    after = AutoModelForCausalLM.from_pretrained(tiny)
    with torch.no_grad():
        for weight in after.parameters():
            weight.mul_(1.1)
    pairs = pairs_of(tokenizer, read_preferences(dpo.preferences).test, 500)[:3]

    def likelihood(model: Any, prompt: list[Message], answer: str) -> float:
        whole, start = render(tokenizer, prompt, answer), len(render(tokenizer, prompt))
        with torch.no_grad():
            logs = model(torch.tensor([whole])).logits[0].log_softmax(-1)
        return sum(logs[place - 1, whole[place]].item() for place in range(start, len(whole)))

    rows = [coded(tokenizer, pair.prompt, text) for pair in pairs for text in (pair.chosen, pair.rejected)]
    found = implicit_margins(surprises(before, rows), surprises(after, rows), 0.3)
    for pair, margin in zip(pairs, found, strict=True):
        ratios = [
            likelihood(after, pair.prompt, text) - likelihood(before, pair.prompt, text)
            for text in (pair.chosen, pair.rejected)
        ]
        assert margin == pytest.approx(0.3 * (ratios[0] - ratios[1]), abs=1e-4)


def test_long_prompts_lose_their_oldest_turns_before_dpo(dpo: DPORecipe, tiny: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    examples = read_preferences(dpo.preferences).train[:4]
    pairs = pairs_of(tokenizer, examples, 30)
    assert {pair.cut for pair in pairs} == {True, False}
    for pair in pairs:
        assert pair.prompt[-1].role == "user"
        assert max(len(render(tokenizer, pair.prompt, text)) for text in (pair.chosen, pair.rejected)) <= 30


def test_rloo_raises_the_reward_and_is_compared_with_dpo(rloo: RLOORecipe, dpo: DPORecipe) -> None:
    result = train_rloo(rloo)
    told = result.metrics
    assert told.reward_gain_interval[0] > 0
    assert (told.train_prompts, told.test_prompts) == (15, 5)
    assert told.episodes == told.steps * 32
    figures = result.history[-1].figures
    assert figures["reward"] > result.history[0].figures["reward"]
    train_dpo(msgspec.structs.replace(dpo, epochs=0.3))
    names = {row[0] for row in compare_runs([rloo.output, dpo.output]).figures}
    assert {"reward_gain", "test_accuracy"} <= names


def test_trl_is_given_our_rewards(reward_folder: Path) -> None:
    judge = RewardModel(reward_folder)
    asked = [[{"role": "user", "content": "头痛"}], [{"role": "user", "content": "咳嗽"}]]
    told = [[{"role": "assistant", "content": f" {text}"}] for text in ("多喝水，请先休息", "不知道")]
    found = reward_function(judge)(prompts=asked, completions=told, completion_ids=None)
    messages = [[Message("user", "头痛")], [Message("user", "咳嗽")]]
    assert found == [row[0] for row in judge.rewards(messages, [["多喝水，请先休息"], ["不知道"]])]


def test_fewer_prompts_than_a_step_asks_for_are_refused(rloo: RLOORecipe) -> None:
    with pytest.raises(ZhongjingError, match="15 training prompts are fewer than the 16"):
        train_rloo(msgspec.structs.replace(rloo, batch=64))


def test_the_shipped_tiny_recipes_run_one_after_the_other(
    version: Path,
    prompts_file: Path,
    preferences_file: Path,
    rankings_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Beside what `corpus mix` and `corpus pretrain-text` write, as they say; the stand-in is smaller here, and there
    are fewer steps."""
    part = {"share": 1.0, "sources": [{"path": str(version), "cap": 40}]}
    (tmp_path / "kinds.yaml").write_text(yaml.safe_dump({"kinds": {"multi-turn": part}}), "utf-8")
    mix(tmp_path / "kinds.yaml", tmp_path / "mix")
    (tmp_path / "book.txt").write_text(
        "\n\n".join(f"第{page}章。头痛者宜休息，多喝水。" * 9 for page in range(40)), "utf-8"
    )
    write_texts(None, [tmp_path / "book.txt"], tmp_path / "pretrain_text")
    shutil.copy(prompts_file, tmp_path / "prompts.jsonl")
    (tmp_path / "release").mkdir()
    for file in (preferences_file, rankings_file):
        shutil.copy(file, tmp_path / "release" / file.name)
    small = {"corpus": str(version), "steps": 20, "vocabulary": 450, "hidden": 32, "layers": 1}
    bases = {
        "pretrain": "tiny_model",
        "sft": "pretrained",
        "reward": "sft_model",
        "dpo": "sft_model",
        "rloo": "sft_model",
    }
    app = foundation.cli.group("test")
    training.cli.add_commands(app)
    for stage, base in bases.items():
        recipe = yaml.safe_load((SHIPPED / f"{stage}.yaml").read_text("utf-8"))
        recipe |= {"epochs": 1, "model": {"path": base} | ({"tiny": small} if stage == "pretrain" else {})}
        recipe |= {"max_new_tokens": 8} if stage == "rloo" else {}
        (tmp_path / f"{stage}.yaml").write_text(yaml.safe_dump(recipe), "utf-8")
        assert foundation.cli.run(app, ["train", stage, str(tmp_path / f"{stage}.yaml")]) == 0, stage
    told = capsys.readouterr().out
    parts = ("document: ", "multi-turn: ", "reward model written", "by implicit reward", "mean reward on")
    assert [part for part in parts if part not in told] == []
    assert not list(tmp_path.glob("*.partial"))
