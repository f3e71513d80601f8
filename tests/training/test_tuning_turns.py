"""Which tokens of a conversation count: the doctor's, to the token, with chat templates that mark them and without."""

from __future__ import annotations

import copy
import importlib.resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from corpus.records import Message
from foundation.errors import ZhongjingError
from training.tiny import TEMPLATE
from training.tuning.turns import IGNORED, encode, pieces_of, reader_of, says_its_end

UNTAGGED = TEMPLATE.replace("{% generation %}", "").replace("{% endgeneration %}", "")
ZIYA = Path(__file__).parents[2] / "training" / "recipes" / "ziya-llama-13b" / "ziya.jinja"
WORDS = st.text("头痛咳嗽多久了请休息，。？ 12ab\n", min_size=1, max_size=12).filter(lambda text: text.strip())


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny)


def with_template(tokenizer: Any, template: str) -> Any:
    other = copy.copy(tokenizer)
    other.chat_template = template
    return other


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    turns = [Message(("user", "assistant")[place % 2], draw(WORDS)) for place in range(2 * draw(st.integers(1, 3)))]
    return [Message("system", draw(WORDS)), *turns] if draw(st.booleans()) else turns


def learned(tokenizer: Any, messages: list[Message]) -> str:
    return str(tokenizer.decode([label for label in encode(tokenizer, messages).labels if label != IGNORED]))


def test_every_token_of_a_conversation_by_hand(tokenizer: Any) -> None:
    asked = [
        Message("user", "头痛"),
        Message("assistant", "一天"),
        Message("user", "咳嗽"),
        Message("assistant", "三天"),
    ]
    for template in (TEMPLATE, UNTAGGED):
        coded = encode(with_template(tokenizer, template), asked)
        pieces = [("<s>", 0), ("<|user|>", 0), ("头痛", 0), ("</s>", 0), ("<|assistant|>", 0), ("一天", 1), ("</s>", 1)]
        pieces += [("<|user|>", 0), ("咳嗽", 0), ("</s>", 0), ("<|assistant|>", 0), ("三天", 1), ("</s>", 1)]
        expected = [
            (token, counts)
            for text, counts in pieces
            for token in tokenizer(text, add_special_tokens=False)["input_ids"]
        ]
        assert coded.input_ids == [token for token, _ in expected]
        assert coded.labels == [token if counts else IGNORED for token, counts in expected]


@settings(max_examples=60, deadline=None)
@given(conversations())
def test_marked_or_not_the_same_tokens_count(tokenizer: Any, messages: list[Message]) -> None:
    marked, plain = (encode(with_template(tokenizer, template), messages) for template in (TEMPLATE, UNTAGGED))
    assert marked == plain
    assert plain.input_ids == with_template(tokenizer, UNTAGGED).apply_chat_template(
        [{"role": message.role, "content": message.content} for message in messages], return_dict=False
    )


@settings(max_examples=40, deadline=None)
@given(conversations())
def test_ziyas_template_learns_each_answer_with_its_end(tokenizer: Any, messages: list[Message]) -> None:
    ziya = with_template(tokenizer, ZIYA.read_text("utf-8"))
    answers = [message.content.strip() for message in messages if message.role == "assistant"]
    assert learned(ziya, messages) == "".join(f"{answer}</s>" for answer in answers)
    assert says_its_end(ziya)


@pytest.mark.parametrize("family", ["qwen2_5", "llama3", "gemma3", "cohere"])
def test_families_as_trl_marks_them(tokenizer: Any, family: str) -> None:
    """TRL has the published template of a family and one with marks, made by hand: white space apart, they agree."""
    folder = importlib.resources.files("trl") / "chat_templates"
    asked = [
        Message("user", "头痛怎么办"),
        Message("assistant", "多久了？"),
        Message("user", "三天"),
        Message("assistant", "请休息"),
    ]
    texts = []
    for name in (family, f"{family}_training"):
        template = with_template(tokenizer, (folder / f"{name}.jinja").read_text("utf-8"))
        texts.append("".join(learned(template, asked).split()))
    assert texts[0] == texts[1]
    assert texts[0].startswith("多久了？") and "头痛" not in texts[0] and "三天" not in texts[0]


def test_a_family_that_rewrites_the_past_is_read_by_trls_marks(tokenizer: Any) -> None:
    template = (importlib.resources.files("trl") / "chat_templates" / "qwen3.jinja").read_text("utf-8")
    asked = [Message("user", "头痛"), Message("assistant", "多久了")] * 2
    told = learned(reader_of(with_template(tokenizer, template)), asked)
    assert "".join(told.split()) == "<think></think>多久了<|im_end|>" * 2
    assert reader_of(tokenizer) is tokenizer


def test_a_template_that_rewrites_the_past_is_refused(tokenizer: Any) -> None:
    forgetful = (
        "{% for message in messages %}{% if loop.last %}{{ message.content + eos_token }}{% endif %}{% endfor %}"
    )
    with pytest.raises(ZhongjingError, match="changes earlier turns") as caught:
        reader_of(with_template(tokenizer, forgetful))
    assert "generation" in str(caught.value)


def test_a_template_without_an_end_is_noticed(tokenizer: Any) -> None:
    assert says_its_end(tokenizer)
    assert not says_its_end(
        with_template(tokenizer, UNTAGGED.replace("message.content + eos_token", "message.content"))
    )


def test_over_the_limit_the_oldest_turns_go_first(tokenizer: Any) -> None:
    asked = [
        Message("user", "头痛" * 9),
        Message("assistant", "多久了"),
        Message("user", "三天"),
        Message("assistant", "请休息"),
    ]
    (short,) = pieces_of(tokenizer, asked, 20)
    assert short.cut and len(short.input_ids) <= 20
    assert short.input_ids == encode(tokenizer, asked[2:]).input_ids
    (whole,) = pieces_of(tokenizer, asked, 500)
    assert not whole.cut
    assert pieces_of(tokenizer, asked, 3) == []


@given(WORDS, st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_a_text_is_cut_into_rows_and_nothing_of_it_is_lost(tokenizer: Any, text: str, limit: int) -> None:
    pieces = pieces_of(tokenizer, text, limit)
    assert all(len(piece.input_ids) <= limit and piece.labels == piece.input_ids for piece in pieces)
    ids = [token for piece in pieces for token in piece.input_ids]
    assert ids[-1] == tokenizer.eos_token_id and ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
