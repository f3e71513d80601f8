from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

from corpus.records import Message
from foundation.errors import ZhongjingError
from training.attention import KERNELS, shared_prompts
from training.packing import Scorer, collate, encode_answers, share
from training.thinning import read_at

CPU = torch.device("cpu")
VOCABULARY = 50
LIMIT = 96


def classifier(attention: str, **changes: Any) -> Any:
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
        **changes,
    )
    return LlamaForSequenceClassification(config).eval().requires_grad_(False)


PLAIN = classifier("sdpa")
PACKED = {kernel: Scorer(classifier(name)) for kernel, name in KERNELS.items()}


def alone(model: Any, tokens: list[int], left: int = 0, right: int = 0) -> float:
    """The score of one conversation by the library's own forward, padded on either side."""
    padded = torch.tensor([[0] * left + tokens + [0] * right])
    mask = torch.tensor([[0] * left + [1] * len(tokens) + [0] * right])
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    return float(model(input_ids=padded, attention_mask=mask, position_ids=positions).logits[0, 0])


def conversation(longest: int) -> Any:
    return st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=longest)


prompts = st.lists(
    st.tuples(conversation(LIMIT // 2), st.lists(conversation(LIMIT // 2), min_size=1, max_size=7)),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@settings(max_examples=30, deadline=None)
@given(prompts=prompts, left=st.integers(0, 5), right=st.integers(0, 5))
def test_packed_scores_are_those_of_separate_forwards(kernel: str, prompts: Any, left: int, right: int) -> None:
    rows = [share([prompt + answer for answer in answers]) for prompt, answers in prompts]
    packed = PACKED[kernel](collate(rows, CPU))
    for row, got in zip(rows, packed.tolist(), strict=True):
        expected = [alone(PLAIN, tokens, left, right) for tokens in row.full]
        assert got[: len(expected)] == pytest.approx(expected, abs=1e-5)
        assert not any(got[len(expected) :])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("tokens", [[[7]], [[7], [8]], [[7] * LIMIT], [[7] * (LIMIT - 1) + [end] for end in (1, 2, 3)]])
def test_one_token_and_the_limit(kernel: str, tokens: list[list[int]]) -> None:
    got = PACKED[kernel](collate([share(tokens)], CPU))[0].tolist()
    assert got == pytest.approx([alone(PLAIN, each, left=3) for each in tokens], abs=1e-5)


def test_gradients_are_those_of_separate_forwards() -> None:
    rows = [share([[1, 2, 3, 4], [1, 2, 5], [1, 2, 3, 6, 7]]), share([[9, 8], [9, 4, 4]])]
    gradients = []
    for model in (classifier(KERNELS["sdpa"]).requires_grad_(True), classifier("sdpa").requires_grad_(True)):
        if model.config._attn_implementation == "sdpa":
            scores = [model(input_ids=torch.tensor([tokens])).logits.sum() for row in rows for tokens in row.full]
            torch.stack(scores).tanh().sum().backward()
        else:
            Scorer(model)(collate(rows, CPU)).tanh().sum().backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-5, rtol=1e-4)


def test_a_model_loaded_otherwise_takes_packed_rows_inside_the_block() -> None:
    batch = collate([share([[1, 2, 3], [1, 2, 4]])], CPU)
    with shared_prompts(PLAIN):
        got = Scorer(PLAIN)(batch)
    assert got.tolist() == PACKED["sdpa"](batch).tolist()
    assert PLAIN.config._attn_implementation == "sdpa"


def test_a_window_shorter_than_a_row_is_refused() -> None:
    from transformers import MistralConfig, MistralForSequenceClassification

    config = MistralConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=4,
        num_labels=1,
        attn_implementation=KERNELS["sdpa"],
    )
    scorer = Scorer(MistralForSequenceClassification(config).eval())
    scorer(collate([share([[1, 2, 3, 4]])], CPU))
    with pytest.raises(ZhongjingError, match="looks back 4 tokens"):
        scorer(collate([share([[1, 2, 3, 4, 5]])], CPU))


@given(prompt=conversation(40), answers=st.lists(conversation(40), min_size=1, max_size=6))
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


def test_the_last_layer_computed_where_it_is_read_gives_the_same(tiny: Path) -> None:
    """Values there and the gradients of all weights, beside the whole layer's; nothing is said of other places."""
    model = AutoModelForCausalLM.from_pretrained(tiny)
    tokens, places = (
        torch.randint(7, 300, (2, 12), generator=torch.Generator().manual_seed(0)),
        torch.tensor([3, 9, 11]),
    )
    found = {}
    for thin in (False, True):
        model.zero_grad()
        with read_at(model.model, places) if thin else nullcontext():
            hidden = model.model(input_ids=tokens).last_hidden_state
        hidden[:, places].square().sum().backward()
        found[thin] = hidden, {name: weight.grad.clone() for name, weight in model.named_parameters()}
    assert torch.allclose(found[True][0][:, places], found[False][0][:, places], atol=1e-6)
    assert not torch.allclose(found[True][0][:, 4], found[False][0][:, 4], atol=1e-3)
    for name, gradient in found[False][1].items():
        assert torch.allclose(found[True][1][name], gradient, atol=1e-4), name
    assert torch.equal(model.model(input_ids=tokens).last_hidden_state, found[False][0])


def test_a_layer_of_another_make_is_left_alone() -> None:
    with read_at(torch.nn.Linear(2, 2), torch.tensor([0])) as thin:
        assert not thin
