"""Drawing answers: in this process with a key-value cache, every answer from random numbers of its own.

A token is drawn by inverting the distribution at one uniform number per place, so that an answer depends on its
prompt, the weights and its own seed alone: not on the batch it is drawn in, nor on how many processes share the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from foundation.errors import ZhongjingError, needs_extra
from training.recipes import PPORecipe, RLOORecipe
from training.runtime import device, finite_probabilities

with needs_extra("train", "generating answers"):
    import torch
    from torch import Tensor
    from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

Seed = tuple[int, ...]


class Drawer(Protocol):
    """Whoever answers for the policy; `stop` is the token that ends an answer."""

    stop: int

    def refresh(self, actor: Any, version: int) -> None:
        """From now on answer with the weights that `actor` has; `version` never comes twice."""

    def draw(self, prompts: Sequence[list[int]], seeds: Sequence[Seed]) -> list[list[int]]:
        """One answer to each tokenised prompt: its tokens, and the stop token where it came."""


class LocalDrawer:
    """The policy itself, in this process: always current."""

    def __init__(self, model: Any, tokenizer: Any, recipe: PPORecipe | RLOORecipe) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.temperature = recipe.temperature
        self.stop = stop_token(tokenizer, recipe.stop_token)
        self.config = decoding_config(tokenizer, temperature=0, max_new_tokens=recipe.max_new_tokens)
        self.config.eos_token_id = self.stop

    def refresh(self, actor: Any, version: int) -> None:
        """Nothing to do: the weights are the policy's own."""

    def draw(self, prompts: Sequence[list[int]], seeds: Sequence[Seed]) -> list[list[int]]:
        """One answer to each tokenised prompt: its tokens, and the stop token where it came."""
        uniforms = np.stack([np.random.default_rng(seed).random(self.config.max_new_tokens) for seed in seeds])
        chooser = InverseDistribution(torch.from_numpy(uniforms), self.temperature)
        _, _, new = draw_tokens(self.model, self.tokenizer, prompts, self.config, chooser)
        return [cut(answer, self.stop) for answer in new.tolist()]


class InverseDistribution(LogitsProcessor):  # type: ignore[misc]
    """Leaves of each row's tokens only the one at which the cumulative distribution passes the row's number.

    `uniforms` is (B, R), numbers in [0, 1), one for every place of an answer.
    """

    def __init__(self, uniforms: Tensor, temperature: float) -> None:
        self.uniforms = uniforms.to(device())
        self.temperature = temperature
        self.place = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002 (the library's signature)
        """Scores (B, V) with one finite entry a row."""
        cumulative = (scores.double() / self.temperature).softmax(-1).cumsum(-1)
        total = cumulative[:, -1:]
        if not total.isfinite().all():
            raise ZhongjingError("the model's probabilities are not finite numbers", hint="lower learning_rate")
        token = torch.searchsorted(cumulative, self.uniforms[:, self.place, None] * total, right=True)
        self.place += 1
        only = torch.full_like(scores, -torch.inf)
        return only.scatter(1, token.clamp(max=scores.shape[1] - 1), 0.0)


def cut(answer: Sequence[int], stop: int) -> list[int]:
    """An answer up to its first stop token, with it."""
    return list(answer[: answer.index(stop) + 1]) if stop in answer else list(answer)


def stop_token(tokenizer: Any, text: str | None) -> int:
    """The token at which an answer ends: the end of sequence, or the one token of `text`."""
    tokens = [tokenizer.eos_token_id] if text is None else tokenizer.encode(text, add_special_tokens=False)
    if len(tokens) != 1 or tokens[0] is None:
        raise ZhongjingError(
            f"the stop token must be one token of this tokenizer, found {len(tokens)}",
            hint="leave stop_token out to stop at the end of sequence",
        )
    return int(tokens[0])


def padded(prompts: Sequence[list[int]], answers: Sequence[list[int]], pad: int) -> tuple[Tensor, Tensor, Tensor]:
    """Prompts padded on the left and answers on the right as one (B, Q + R), where it is real (B, Q + R), and where
    there is an answer (B, R)."""
    before, after = max(map(len, prompts)), max(1, *map(len, answers))
    tokens = torch.full((len(prompts), before + after), pad)
    real = torch.zeros_like(tokens)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        place = slice(before - len(prompt), before + len(answer))
        tokens[row, place] = torch.tensor(prompt + answer)
        real[row, place] = 1
    return tokens.to(device()), real.to(device()), real[:, before:].bool().to(device())


def draw_texts(model: Any, tokenizer: Any, prompts: Sequence[list[int]], config: Any) -> list[str]:
    """One answer per tokenised prompt."""
    _, _, new = draw_tokens(model, tokenizer, prompts, config)
    return [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]


def draw_tokens(
    model: Any, tokenizer: Any, prompts: Sequence[list[int]], config: Any, *choosers: LogitsProcessor
) -> tuple[Tensor, Tensor, Tensor]:
    """Prompts padded on the left (B, Q), where they are real (B, Q), and one answer each (B, R): with a key-value
    cache, and positions that count from the first real token."""
    inputs = tokenizer.pad({"input_ids": list(prompts)}, padding_side="left", return_tensors="pt").to(device())
    with torch.no_grad(), finite_probabilities():
        sequences = model.generate(**inputs, generation_config=config, logits_processor=LogitsProcessorList(choosers))
    return inputs["input_ids"], inputs["attention_mask"], sequences[:, inputs["input_ids"].shape[1] :]


def decoding_config(tokenizer: Any, *, temperature: float, top_p: float = 1.0, max_new_tokens: int) -> Any:
    """Exactly this decoding: none of the habits that a model's folder or the library would add."""
    drawing = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
    return GenerationConfig(
        **(drawing if temperature > 0 else {"do_sample": False}),
        num_beams=1,
        repetition_penalty=1.0,
        max_new_tokens=max_new_tokens,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        use_cache=True,
    )
