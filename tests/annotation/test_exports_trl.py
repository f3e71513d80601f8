"""The exported preferences as `datasets` reads them, in the hands of TRL's own trainers."""

from __future__ import annotations

import pytest

from annotation.releases.exports import export
from annotation.simulation.experts import simulate

TEMPLATE = (
    "{% for message in messages %}<s>{{ message['role'] }}:{{ message['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant:{% endif %}"
)


@pytest.fixture
def preferences(database, made, tmp_path):
    from datasets import load_dataset

    with database.write() as session:
        campaign = made.campaign(session, prompts=5)
        simulate(session, campaign, seed=1)
        export(session, campaign, tmp_path / "release", seed=1)
    files = str(tmp_path / "release" / "preferences.jsonl")
    return load_dataset("json", data_files=files, cache_dir=str(tmp_path / "cache"), split="train")


@pytest.fixture
def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    characters = sorted(set("userassistant:0123456789" + "".join(chr(code) for code in range(0x4E00, 0x5200))))
    vocabulary = {token: number for number, token in enumerate(["<pad>", "<unk>", "<s>", "</s>", *characters])}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=plain,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        chat_template=TEMPLATE,
    )


def tiny(tokenizer):
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def options(folder):
    return {
        "output_dir": str(folder),
        "max_steps": 2,
        "per_device_train_batch_size": 2,
        "report_to": [],
        "use_cpu": True,
        "save_strategy": "no",
        "disable_tqdm": True,
        "bf16": False,
    }


def test_datasets_reads_every_column(preferences):
    assert set(preferences.column_names) == {
        "prompt", "chosen", "rejected", "margin", "weight", "prompt_id", "pair_id", "split", "opinions",
    }  # fmt: skip
    assert len(preferences) > 5
    assert set(preferences["split"]) == {"train", "test"}


def test_the_reward_trainer_takes_the_rows_as_they_are(preferences, tokenizer, tmp_path):
    from transformers import LlamaForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    config = tiny(tokenizer)
    config.num_labels = 1
    model = LlamaForSequenceClassification(config)
    arguments = RewardConfig(**options(tmp_path / "out"))
    trainer = RewardTrainer(model=model, args=arguments, train_dataset=preferences, processing_class=tokenizer)
    assert trainer.train().training_loss > 0


def test_the_dpo_trainer_takes_the_rows_as_they_are(preferences, tokenizer, tmp_path):
    from transformers import LlamaForCausalLM
    from trl import DPOConfig, DPOTrainer

    model, reference = LlamaForCausalLM(tiny(tokenizer)), LlamaForCausalLM(tiny(tokenizer))
    arguments = DPOConfig(**options(tmp_path / "out"))
    trainer = DPOTrainer(
        model=model, ref_model=reference, args=arguments, train_dataset=preferences, processing_class=tokenizer
    )
    assert trainer.train().training_loss > 0


def test_trl_finds_in_the_implicit_form_what_the_explicit_one_says(preferences, tmp_path):
    from datasets import load_dataset
    from trl.data_utils import extract_prompt, is_conversational

    files = str(tmp_path / "release" / "implicit.jsonl")
    implicit = load_dataset("json", data_files=files, cache_dir=str(tmp_path / "cache"), split="train")
    for whole, parts in zip(implicit, preferences, strict=True):
        assert is_conversational(whole)
        found = extract_prompt({"chosen": whole["chosen"], "rejected": whole["rejected"]})
        assert {key: found[key] for key in ("prompt", "chosen", "rejected")} == {
            key: parts[key] for key in ("prompt", "chosen", "rejected")
        }


def test_openrlhf_cuts_its_rows_where_the_answer_begins(preferences, tokenizer, tmp_path):
    """As its reward data set does with a prompt key: both conversations by the chat template, the prompt taken off."""
    import json

    lines = (tmp_path / "release" / "openrlhf-train.jsonl").read_text("utf-8").splitlines()
    assert lines
    for row in map(json.loads, lines):
        prompt = tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
        for key in ("chosen", "rejected"):
            whole = tokenizer.apply_chat_template(row["prompt"] + row[key], tokenize=False)
            assert whole[len(prompt) :] == f"{row[key][0]['content']}</s>"
            assert whole.startswith(prompt)
        assert 0 < row["margin"] <= 1
