"""Answers of a model in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from corpus.records import Message
from foundation.errors import needs_extra
from foundation.files import sha256_of
from training.drawing import InverseDistribution, decoding_config, draw_tokens
from training.evaluation.recipe import Contestant, EvaluationRecipe
from training.models import encode_prompt, entry_of_model, existing_model, load_causal
from training.runtime import prepare

with needs_extra("train", "answering with a local model"):
    import torch
    from transformers import TemperatureLogitsWarper, TopPLogitsWarper


def identity_of(contestant: Contestant) -> list[str]:
    """What tells a model from any other: the hash of its manifest, or of all its files; and of its chat template."""
    assert contestant.path is not None
    folder = existing_model(contestant.path)
    if (folder / "manifest.json").is_file():
        hashes = [entry_of_model(folder).sha256]
    else:
        hashes = [f"{file.name} {sha256_of(file)}" for file in sorted(folder.iterdir()) if file.is_file()]
    return [*hashes, *([sha256_of(contestant.chat_template)] if contestant.chat_template else [])]


class Spoken(NamedTuple):
    """An answer, whether it was cut, and whether its prompt was."""

    text: str
    cut: bool
    prompt_cut: bool


class LocalModel:
    """A model that answers as its recipe says."""

    def __init__(self, contestant: Contestant, recipe: EvaluationRecipe) -> None:
        assert contestant.path is not None
        prepare()
        self.limit, self.longest = recipe.max_prompt_tokens, contestant.max_new_tokens
        self.temperature, self.top_p, self.seed = contestant.temperature, contestant.top_p, recipe.seed
        self.model, self.tokenizer = load_causal(contestant.path, contestant.chat_template)
        self.config = decoding_config(self.tokenizer, temperature=0, max_new_tokens=contestant.max_new_tokens)

    def answer(self, prompts: Sequence[Sequence[Message]], keys: Sequence[str]) -> list[Spoken]:
        """One answer to each prompt. Random numbers depend on the keys alone, so that an answer is the same in whatever
        batch it is drawn."""
        encoded = [encode_prompt(self.tokenizer, messages, self.limit) for messages in prompts]
        coded = [tokens for tokens, _ in encoded]
        _, _, new = draw_tokens(self.model, self.tokenizer, coded, self.config, *self._choosers(keys))
        texts = self.tokenizer.batch_decode(new, skip_special_tokens=True)
        ended = (new == self.tokenizer.eos_token_id).any(1).tolist()
        return [
            Spoken(text, not stopped, shortened)
            for text, stopped, (_, shortened) in zip(texts, ended, encoded, strict=True)
        ]

    def _choosers(self, keys: Sequence[str]) -> list[Any]:
        """How tokens are drawn, if they are: as `temperature` and `top_p` say, each from a number of its own."""
        if self.temperature == 0:
            return []
        seeds = [[self.seed, int(key, 16)] for key in keys]
        uniforms = np.stack([np.random.default_rng(seed).random(self.longest) for seed in seeds])
        nucleus = [TopPLogitsWarper(self.top_p)] if self.top_p < 1 else []
        return [
            TemperatureLogitsWarper(self.temperature),
            *nucleus,
            InverseDistribution(torch.from_numpy(uniforms), 1.0),
        ]
