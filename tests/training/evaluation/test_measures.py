"""Automatic measures, held against the libraries on the same texts."""

from __future__ import annotations

from pathlib import Path

import pytest
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from corpus.records import Message, Prompt
from training.evaluation.answers import Answer
from training.evaluation.encoder import bert_scorer
from training.evaluation.items import Item
from training.evaluation.measures import Characters, Measured, distinct, measure, measure_doctor
from training.evaluation.recipe import Measures

REFERENCES = ["请先休息，多喝水。", "您好，头痛多久了？", "建议到医院做 CT 检查。", "不客气。", None]
ANSWERS = ["请休息，多喝热水。", "您好，有发烧吗？", "建议做CT。", "不客气。", "多喝水"]


class Spaces:
    def tokenize(self, text: str) -> list[str]:
        return text.split()


@pytest.fixture
def items() -> list[Item]:
    return [
        Item(
            test="t",
            kind="multi-turn",
            row=f"d{number // 2}",
            prompt=Prompt(
                prompt_id=f"p{number}",
                messages=[Message("user", "怎么办？")],
                dialogue_id=f"d{number // 2}",
                dataset_version="t",
                reference=reference,
            ),
        )
        for number, reference in enumerate(REFERENCES)
    ]


@pytest.fixture
def measured(items: list[Item]) -> Measured:
    answers = {item.id: Answer(text=text) for item, text in zip(items, ANSWERS, strict=True)}
    return measure("m", items, answers, Measures(), 0)


def test_bleu_and_rouge_are_the_libraries(measured: Measured) -> None:
    texts, references = ANSWERS[:4], [text for text in REFERENCES if text]
    assert measured.references == 4 and measured.bleu is not None
    assert measured.bleu.value == pytest.approx(BLEU(tokenize="zh").corpus_score(texts, [references]).score)
    assert measured.bleu.interval[0] <= measured.bleu.value <= measured.bleu.interval[1]
    spaced = RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=Spaces())
    cut = Characters().tokenize
    for name in ("rouge1", "rouge2", "rougeL"):
        scores = [
            spaced.score(" ".join(cut(reference)), " ".join(cut(text)))[name].fmeasure
            for text, reference in zip(texts, references, strict=True)
        ]
        assert getattr(measured, name).value == pytest.approx(100 * sum(scores) / 4)


def test_characters_words_and_digits_are_tokens() -> None:
    assert Characters().tokenize("做 CT检查，38.5度 ok") == [*"做", "ct", *"检查，38.5度", "ok"]


def test_distinct_counts_different_grams_over_all_answers() -> None:
    assert distinct(["好好", "好"], 1) == pytest.approx(100 / 3)
    assert distinct(["好好好"], 2) == pytest.approx(50)
    assert distinct([""], 1) is None


def test_inquiry_and_length_are_of_the_answers_there_are(measured: Measured, items: list[Item]) -> None:
    assert measured.inquiry is not None and measured.inquiry.value == pytest.approx(20)
    assert measured.characters is not None
    assert measured.characters.value == pytest.approx(sum(map(len, ANSWERS)) / 5)
    answers = {item.id: Answer(fault="timeout") for item in items}
    silent = measure("m", items, answers, Measures(), 0)
    assert (silent.answers, silent.inquiry, silent.bleu, silent.distinct_1) == (0, None, None, None)
    assert silent.faults == {"timeout": 5}
    doctor = measure_doctor(items, Measures(), 0)
    assert doctor is not None and doctor.answers == 4
    assert doctor.inquiry is not None and doctor.inquiry.value == pytest.approx(25)


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """A small BERT with random weights over characters."""
    characters = sorted({character for text in (*ANSWERS, *filter(None, REFERENCES)) for character in text})
    entries = {name: number for number, name in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *characters])}
    tokenizer = Tokenizer(models.WordPiece(entries, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    fast.save_pretrained(tmp_path / "bert")
    config = BertConfig(
        vocab_size=len(entries), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


def test_bert_score_compares_with_an_encoder_of_a_folder(encoder: Path, items: list[Item]) -> None:
    score = bert_scorer(encoder, 2)
    same, other = score(["请先休息。", "不客气。"], ["请先休息。", "建议到医院做检查。"])
    assert same == pytest.approx(1, abs=1e-4)
    assert other < 0.95
    assert score(["请先休息。"], ["请先休息。"]) == [pytest.approx(1, abs=1e-4)]
    answers = {item.id: Answer(text=text) for item, text in zip(items, ANSWERS, strict=True)}
    found = measure("m", items, answers, Measures(encoder=encoder), 0, score).bert_score
    assert found is not None and found.interval[0] <= found.value <= found.interval[1] <= 100.01
