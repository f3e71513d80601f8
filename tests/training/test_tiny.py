from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.records import Message
from foundation.errors import ZhongjingError
from foundation.manifest import read_manifest
from training.models import encode_prompt, load_causal, render
from training.recipes import Tiny
from training.tiny import build_tiny, ensure_tiny, train_tokenizer

TEXTS = ["我头痛三天了，怎么办？", "请先休息，多喝水。", "头痛多久了？"] * 4
TOKENIZER = train_tokenizer(TEXTS, 400)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(text: str) -> None:
    tokens = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    specials = [token for token in TOKENIZER.all_special_tokens if token in text]
    assert specials or TOKENIZER.decode(tokens) == text
    assert specials or TOKENIZER.unk_token_id not in tokens


def test_pad_begin_end_unknown_are_four() -> None:
    ids = {TOKENIZER.pad_token_id, TOKENIZER.bos_token_id, TOKENIZER.eos_token_id, TOKENIZER.unk_token_id}
    assert len(ids) == 4


def test_a_turn_ends_and_an_answer_begins() -> None:
    tokens = render(TOKENIZER, [Message("user", "头痛")])
    assert tokens[0] == TOKENIZER.bos_token_id
    assert TOKENIZER.convert_ids_to_tokens(tokens[-1]) == "<|assistant|>"
    assert render(TOKENIZER, [Message("user", "头痛")], "休息")[-1] == TOKENIZER.eos_token_id


def test_the_oldest_turns_go_first() -> None:
    turns = [
        Message("system", "s"),
        Message("user", "头痛" * 9),
        Message("assistant", "休息"),
        Message("user", "多久了？"),
    ]
    whole, cut = encode_prompt(TOKENIZER, turns, 1000)
    assert not cut
    shorter, cut = encode_prompt(TOKENIZER, turns, len(whole) - 1)
    assert cut and shorter == render(TOKENIZER, [turns[0], turns[3]])
    last, cut = encode_prompt(TOKENIZER, turns, 3)
    assert cut and last == shorter[-3:]


def test_the_same_seed_gives_the_same_bytes_and_learning_helps(version: Path, tmp_path: Path) -> None:
    results = [build_tiny(version, tmp_path / name, steps=20, vocabulary=450, hidden=32, layers=1) for name in "ab"]
    assert read_manifest(tmp_path / "a").sha256 == read_manifest(tmp_path / "b").sha256
    assert results[0].loss_last < results[0].loss_first


def test_a_stand_in_is_kept_while_it_is_the_same(
    version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = Tiny(corpus=version, steps=1, vocabulary=450, hidden=16, layers=1)
    ensure_tiny(tiny, tmp_path / "t")
    assert "stand-in" in capsys.readouterr().err
    ensure_tiny(tiny, tmp_path / "t")
    assert "that is there" in capsys.readouterr().err


def test_what_is_not_a_version_or_a_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "dialogues.parquet").write_bytes(b"PAR1 no")
    for version in (tmp_path, tmp_path / "none"):
        with pytest.raises(ZhongjingError):
            build_tiny(version, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ZhongjingError, match="no model here"):
        load_causal(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ZhongjingError, match="cannot be loaded"):
        load_causal(tmp_path)


def test_nothing_of_others_is_replaced(version: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(ZhongjingError):
        build_tiny(version, tmp_path / "out", steps=0)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


def test_a_note_laid_into_an_earlier_output_is_kept(version: Path, tmp_path: Path) -> None:
    options = {"steps": 0, "vocabulary": 450, "hidden": 16, "layers": 1}
    build_tiny(version, tmp_path / "out", **options)
    build_tiny(version, tmp_path / "out", **options)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(ZhongjingError, match=r"notes\.txt"):
        build_tiny(version, tmp_path / "out", **options)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_pad_is_never_the_end(tiny: Path, tmp_path: Path) -> None:
    model, tokenizer = load_causal(tiny)
    tokenizer.pad_token = tokenizer.eos_token
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model, tokenizer = load_causal(tmp_path)
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    assert tokenizer.pad_token_id < model.get_input_embeddings().num_embeddings
