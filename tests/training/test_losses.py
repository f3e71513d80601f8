from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from corpus.records import RankedPrompt
from foundation.errors import ZhongjingError
from training.attention import shared_prompts
from training.examples import Example, Pair, ordered_pairs
from training.losses import order_likelihood, prompt_losses
from training.packing import Scorer, collate, encode_answers
from training.recipes import Model, RewardRecipe

RECIPE = RewardRecipe(rankings=Path("r"), output=Path("o"), model=Model(path=Path("m")))


def recipe(**changes: Any) -> RewardRecipe:
    return msgspec.structs.replace(RECIPE, **changes)


def example(pairs: list[Pair], tiers: list[int] | None = None, answers: int = 4) -> Example:
    return Example(
        line=1, prompt_id="p", prompt=[], answers=["a"] * answers, models=[""] * answers, pairs=pairs, tiers=tiers
    )


def term(gap: float) -> float:
    return float(np.log1p(np.exp(-gap)))


VALUES = torch.tensor([[2.0, 1.0, 0.5, -1.0], [0.0, 3.0, 0.0, 0.0]])
EXAMPLES = [example([Pair(0, 1, 1.0), Pair(0, 2, 0.5), Pair(3, 2, 0.25)]), example([Pair(1, 0)])]


def test_the_pairwise_loss_is_equation_one_of_instructgpt() -> None:
    expected = [(term(1.0) + term(1.5) + term(-1.5)) / 3, term(3.0)]
    assert prompt_losses(VALUES, EXAMPLES, RECIPE).tolist() == pytest.approx(expected, abs=1e-6)


def test_agreement_margin_and_smoothing_by_hand() -> None:
    weighed = prompt_losses(VALUES, EXAMPLES, recipe(weight_by_agreement=True))[0].item()
    assert weighed == pytest.approx((term(1.0) + 0.5 * term(1.5) + 0.25 * term(-1.5)) / 3, abs=1e-6)
    margin = prompt_losses(VALUES, EXAMPLES, recipe(margin=2.0))[0].item()
    assert margin == pytest.approx((term(1.0 - 2) + term(1.5 - 1) + term(-1.5 - 0.5)) / 3, abs=1e-6)
    smooth = prompt_losses(VALUES, EXAMPLES, recipe(label_smoothing=0.1))[1].item()
    assert smooth == pytest.approx(0.9 * term(3.0) + 0.1 * term(-3.0), abs=1e-6)
    centred = prompt_losses(VALUES, EXAMPLES, recipe(centring=0.01))[0].item()
    plain = (term(1.0) + term(1.5) + term(-1.5)) / 3
    assert centred == pytest.approx(plain + 0.01 * (3.0**2 + 2.5**2 + 0.5**2) / 3, abs=1e-6)


def enumerated(scores: list[float], tiers: list[int]) -> float:
    """Plackett-Luce summed over every order that keeps the tiers, one after the other."""
    total = 0.0
    for order in itertools.permutations(range(len(tiers))):
        if [tiers[place] for place in order] == sorted(tiers):
            weights = np.exp([scores[place] for place in order])
            total += float(np.prod([weights[n] / weights[n:].sum() for n in range(len(weights))]))
    return float(np.log(total))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.integers(0, 3)), min_size=2, max_size=6))
def test_plackett_luce_with_ties_is_the_sum_over_all_orders(answers: list[tuple[float, int]]) -> None:
    scores, tiers = [score for score, _ in answers], [tier for _, tier in answers]
    got = order_likelihood(torch.tensor(scores, dtype=torch.float64), tiers).item()
    assert got == pytest.approx(enumerated(scores, tiers), abs=1e-9)


def test_plackett_luce_of_two_is_the_pairwise_loss() -> None:
    values = torch.tensor([[0.3, -1.1]])
    two = [example([Pair(0, 1)], [0, 1], answers=2)]
    assert prompt_losses(values, two, recipe(loss="plackett-luce")).item() == pytest.approx(term(1.4), abs=1e-6)


def test_plackett_luce_needs_an_order() -> None:
    with pytest.raises(ZhongjingError, match="not those of one order"):
        prompt_losses(VALUES, EXAMPLES, recipe(loss="plackett-luce"))


@pytest.mark.parametrize("margin, centring", [(0.0, 0.0), (1.0, 0.01)])
def test_the_loss_is_trls_on_the_same_pairs(
    tiny: Path, tmp_path: Path, make_separable: Callable[..., RankedPrompt], margin: float, centring: float
) -> None:
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=1, dtype="float32")
    model.config.pad_token_id = tokenizer.pad_token_id
    ranked = make_separable(1, "train")
    texts = [response.text for response in ranked.responses]
    pairs = [Pair(better, worse, (worse - better) / 3) for better, worse in ordered_pairs([0, 1, 2, 3])]
    prompt = msgspec.to_builtins(ranked.prompt)
    rows = [
        {
            "prompt": prompt,
            "chosen": [{"role": "assistant", "content": texts[pair.better]}],
            "rejected": [{"role": "assistant", "content": texts[pair.worse]}],
            **({"margin": pair.margin} if margin else {}),
        }
        for pair in pairs
    ]
    arguments = RewardConfig(
        output_dir=str(tmp_path),
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        bf16=False,
        center_rewards_coefficient=centring or None,
    )
    trainer = RewardTrainer(model, args=arguments, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    model.eval()
    with torch.no_grad():
        theirs = trainer.compute_loss(model, trainer.data_collator([trainer.train_dataset[n] for n in range(6)]))
        row = encode_answers(tokenizer, ranked.prompt, texts, 1000)
        with shared_prompts(model):
            scores = Scorer(model)(collate([row], torch.device("cpu")))
    ours = prompt_losses(scores, [example(pairs)], recipe(margin=margin, centring=centring)).mean()
    assert ours.item() == pytest.approx(float(theirs), abs=1e-5)
