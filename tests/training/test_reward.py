from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

from corpus.records import Message, RankedPrompt
from foundation.errors import ZhongjingError
from foundation.jsonl import write_records
from foundation.manifest import read_manifest
from training.measures import interval, kendall_tau, pair_hits
from training.packing import collate, encode_answers, scores, share
from training.rankings import Pair, ordered_pairs, read_rankings
from training.recipes import Lora, Model, RewardRecipe
from training.reward import kwise_loss, train_reward
from training.scoring import RewardModel

CPU = torch.device("cpu")
VOCABULARY = 50


def classifier(attention: str) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_labels=1,
        pad_token_id=0,
        attn_implementation=attention,
    )
    return LlamaForSequenceClassification(config).eval()


MODELS = {attention: classifier(attention) for attention in ("sdpa", "eager")}


def alone(model: Any, tokens: list[int], left: int = 0, right: int = 0) -> float:
    """The score of one conversation by the library's own forward, padded on either side."""
    padded = torch.tensor([[0] * left + tokens + [0] * right])
    mask = torch.tensor([[0] * left + [1] * len(tokens) + [0] * right])
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        return float(model(input_ids=padded, attention_mask=mask, position_ids=positions).logits[0, 0])


conversation = st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=40)
prompts = st.lists(st.tuples(conversation, st.lists(conversation, min_size=1, max_size=6)), min_size=1, max_size=4)


@pytest.mark.parametrize("attention", MODELS)
@settings(max_examples=40, deadline=None)
@given(prompts=prompts, left=st.integers(0, 5), right=st.integers(0, 5))
def test_packed_scores_are_those_of_separate_forwards(attention: str, prompts: Any, left: int, right: int) -> None:
    model = MODELS[attention]
    rows = [share([prefix + own for own in answers]) for prefix, answers in prompts]
    with torch.no_grad():
        packed = scores(model, collate(rows, 0, CPU))
    for row, got in zip(rows, packed.tolist(), strict=True):
        expected = [alone(model, tokens, left, right) for tokens in row.full]
        assert got[: len(expected)] == pytest.approx(expected, abs=1e-5)
        assert not any(got[len(expected) :])


@given(prompt=conversation, answers=st.lists(conversation, min_size=1, max_size=6))
def test_sharing_loses_nothing(prompt: list[int], answers: list[list[int]]) -> None:
    whole = [prompt + answer for answer in answers]
    row = share(whole)
    assert row.full == whole
    assert all(row.own)
    assert len(row.shared) >= len(prompt) - (min(map(len, answers)) == 0)


def test_conversations_are_cut_from_the_oldest_turns(tiny: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    turns = [Message("user", "头痛三天了"), Message("assistant", "多久了？"), Message("user", "怎么办？")]
    answers = ["多喝水", "请先休息，多喝水。" * 3]
    whole = encode_answers(tokenizer, turns, answers, 1000)
    longest = max(map(len, whole.full))
    assert not whole.truncated
    exact = encode_answers(tokenizer, turns, answers, longest)
    assert exact == whole
    shorter = encode_answers(tokenizer, turns, answers, longest - 1)
    assert shorter.truncated
    assert shorter.full == encode_answers(tokenizer, turns[2:], answers, 1000).full
    for limit in range(1, longest):
        row = encode_answers(tokenizer, turns, answers, limit)
        assert row.truncated and max(map(len, row.full)) <= limit and all(row.own)


def test_the_loss_is_equation_one_of_instructgpt() -> None:
    values = torch.tensor([[2.0, 1.0, 0.5, -1.0], [0.0, 3.0, 0.0, 0.0]])
    pairs = [[Pair(0, 1), Pair(0, 2, 0.5), Pair(3, 2)], [Pair(1, 0)]]

    def term(margin: float) -> float:
        return float(np.log1p(np.exp(-margin)))

    expected = ((term(1.0) + 0.5 * term(1.5) + term(-1.5)) / 3 + term(3.0)) / 2
    assert kwise_loss(values, pairs).item() == pytest.approx(expected, abs=1e-6)


def test_the_loss_is_trls_on_the_same_pairs(
    tiny: Path, tmp_path: Path, make_separable: Callable[..., RankedPrompt]
) -> None:
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=1, dtype="float32")
    model.config.pad_token_id = tokenizer.pad_token_id
    example = make_separable(1, "train")
    texts = [response.text for response in example.responses]
    pairs = [Pair(better, worse) for better, worse in ordered_pairs([0, 1, 2, 3])]
    prompt = msgspec.to_builtins(example.prompt)
    rows = [
        {
            "prompt": prompt,
            "chosen": [{"role": "assistant", "content": texts[pair.better]}],
            "rejected": [{"role": "assistant", "content": texts[pair.worse]}],
        }
        for pair in pairs
    ]
    arguments = RewardConfig(output_dir=str(tmp_path), use_cpu=True, report_to="none", disable_tqdm=True, bf16=False)
    trainer = RewardTrainer(model, args=arguments, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    model.eval()
    with torch.no_grad():
        theirs = trainer.compute_loss(model, trainer.data_collator([trainer.train_dataset[n] for n in range(6)]))
        row = encode_answers(tokenizer, example.prompt, texts, 1000)
        ours = kwise_loss(scores(model, collate([row], tokenizer.pad_token_id, CPU)), [pairs])
    assert ours.item() == pytest.approx(float(theirs), abs=1e-5)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=7), st.data())
def test_kendall_tau_is_scipys(tiers: list[int], data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(-2, 2), min_size=len(tiers), max_size=len(tiers)))
    expected = scipy.stats.kendalltau(values, [-tier for tier in tiers]).statistic
    assert kendall_tau([float(value) for value in values], tiers) == pytest.approx(np.nan_to_num(expected))


def test_hits_and_interval() -> None:
    assert pair_hits([2.0, 1.0, 1.0], [0, 1, 2]) == [1.0, 1.0, 0.5]
    assert pair_hits([2.0, 1.0], [0, 0]) == []
    groups = [[random.Random(number).gauss(1, 1)] for number in range(200)]
    low, high = interval(groups, 0)
    reference = scipy.stats.bootstrap(
        (np.array(groups)[:, 0],), np.mean, method="percentile", rng=0
    ).confidence_interval
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=0.02)


def test_ties_make_no_pair_and_all_tied_is_counted(tmp_path: Path, make_ranked: Callable[..., RankedPrompt]) -> None:
    path = tmp_path / "r.jsonl"
    rows = [
        make_ranked(1, ["a", "b", "c", "d"], [[3], [1], [0, 2]], "train"),
        make_ranked(2, ["a", "b"], [[0, 1]], "train"),
        make_ranked(3, ["a"], [[0]], "test"),
    ]
    write_records(path, rows)
    rankings = read_rankings(path, weight_by_margin=True)
    assert rankings.without_pairs == 2 and rankings.test == []
    pairs = {(pair.better, pair.worse) for pair in rankings.train[0].pairs}
    assert pairs == {(3, 0), (3, 1), (3, 2), (1, 0), (1, 2)}
    assert {pair.weight for pair in rankings.train[0].pairs} == {0.5}
    assert rankings.train[0].tiers == [2, 1, 2, 0]


@pytest.mark.parametrize("change", ["prompt_id", "dialogue_id", "prompt"])
def test_a_shared_prompt_or_dialogue_is_refused(
    tmp_path: Path, change: str, make_separable: Callable[..., RankedPrompt]
) -> None:
    first, second = make_separable(1, "train"), make_separable(2, "test")
    write_records(tmp_path / "r.jsonl", [first, msgspec.structs.replace(second, **{change: getattr(first, change)})])
    with pytest.raises(ZhongjingError) as caught:
        read_rankings(tmp_path / "r.jsonl", weight_by_margin=False)
    assert ":2" in str(caught.value)


def test_damaged_rankings_name_the_line(tmp_path: Path, make_separable: Callable[..., RankedPrompt]) -> None:
    good = make_separable(1, "train")
    consensus = good.consensus
    damaged = [
        msgspec.structs.replace(good, consensus=msgspec.structs.replace(consensus, tiers=consensus.tiers[1:])),
        msgspec.structs.replace(good, consensus=msgspec.structs.replace(consensus, tiers=[*consensus.tiers, ["o-x"]])),
        msgspec.structs.replace(good, consensus=msgspec.structs.replace(consensus, margins={})),
    ]
    for row in damaged:
        write_records(tmp_path / "r.jsonl", [row])
        with pytest.raises(ZhongjingError, match=r"r\.jsonl:1"):
            read_rankings(tmp_path / "r.jsonl", weight_by_margin=True)
    write_records(tmp_path / "r.jsonl", [])
    with pytest.raises(ZhongjingError, match="no training prompt"):
        read_rankings(tmp_path / "r.jsonl", weight_by_margin=False)


def recipe_of(rankings: Path, tiny: Path, output: Path, **changes: Any) -> RewardRecipe:
    recipe = RewardRecipe(
        rankings=rankings,
        output=output,
        model=Model(path=tiny),
        epochs=12,
        learning_rate=6e-3,
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
    examples = read_rankings(rankings_file, weight_by_margin=False).train
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
        train_reward(recipe_of(rankings_file, tiny, tmp_path / name, epochs=1))
    assert read_manifest(tmp_path / "a").sha256 == read_manifest(tmp_path / "b").sha256


def test_truncation_is_counted_and_no_held_out_prompt_is_said(
    tiny: Path, tmp_path: Path, make_separable: Callable[..., RankedPrompt]
) -> None:
    write_records(tmp_path / "r.jsonl", [make_separable(number, "train") for number in range(4)])
    result = train_reward(recipe_of(tmp_path / "r.jsonl", tiny, tmp_path / "rm", epochs=1, max_tokens=30))
    assert result.metrics.truncated == 4
    assert result.metrics.test_accuracy is None
    assert "no held-out prompt" in result.summary()


def test_a_loss_that_is_no_number_stops_with_the_prompts(rankings_file: Path, tiny: Path, tmp_path: Path) -> None:
    recipe = recipe_of(rankings_file, tiny, tmp_path / "rm", learning_rate=1e30, lora=None)
    with pytest.raises(ZhongjingError, match=r"not a finite number at step \d+, prompts p-"):
        train_reward(recipe)
    assert not (tmp_path / "rm").exists()


def test_a_model_spoilt_by_its_last_step_is_not_written(rankings_file: Path, tiny: Path, tmp_path: Path) -> None:
    changes = {"learning_rate": 1e30, "epochs": 1, "prompts_per_batch": 100}
    with pytest.raises(ZhongjingError, match="not finite numbers"):
        train_reward(recipe_of(rankings_file, tiny, tmp_path / "rm", **changes))
    assert not (tmp_path / "rm").exists()


def test_preferences_are_not_rankings(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"prompt": [], "chosen": [], "rejected": []}\n', "utf-8")
    with pytest.raises(ZhongjingError, match=r"give the rankings\.jsonl"):
        read_rankings(tmp_path / "p.jsonl", weight_by_margin=False)


def test_a_folder_that_is_no_reward_model_is_refused(tiny: Path) -> None:
    with pytest.raises(ZhongjingError, match="a reward-model was expected"):
        RewardModel(tiny)
