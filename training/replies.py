"""PPO-ptx (InstructGPT, arXiv 2203.02155, equation 2): doctors' real replies, kept likely while PPO goes on."""

from __future__ import annotations

from typing import Any

import numpy as np

from corpus.sets import read_dialogues
from foundation.errors import ZhongjingError, needs_extra
from training.drawing import padded
from training.models import encode_prompt
from training.recipes import PPORecipe

with needs_extra("train", "training with PPO"):
    from torch import Tensor


class Replies:
    """The last doctor's turn of each dialogue of a data set version, as an answer to all before it."""

    def __init__(self, recipe: PPORecipe, tokenizer: Any) -> None:
        assert recipe.ptx is not None
        self.pad = tokenizer.pad_token_id
        self.rows = recipe.rows_per_pass or recipe.minibatch
        self.pairs: list[tuple[list[int], list[int]]] = []
        for dialogue in read_dialogues(recipe.ptx):
            last = max((place for place, turn in enumerate(dialogue.messages) if turn.role == "assistant"), default=0)
            if last:
                prompt, _ = encode_prompt(tokenizer, dialogue.messages[:last], recipe.max_prompt_tokens)
                reply = tokenizer.encode(dialogue.messages[last].content, add_special_tokens=False)
                self.pairs.append((prompt, [*reply, tokenizer.eos_token_id][: recipe.max_new_tokens]))
        if not self.pairs:
            raise ZhongjingError("no doctor answers anything in these dialogues", where=recipe.ptx)

    def loss(self, model: Any, seed: tuple[int, ...], rank: int) -> Tensor:
        """Mean negative log-likelihood per token, in nats, of replies drawn by `seed` and `rank`."""
        places = np.random.default_rng((*seed, rank)).integers(len(self.pairs), size=self.rows)
        prompts, replies = zip(*(self.pairs[place] for place in places), strict=True)
        tokens, real, mask = padded(prompts, replies, self.pad)
        logprobs, _ = model(tokens, real, mask.shape[1], 1.0)
        loss: Tensor = -logprobs[mask].mean()
        return loss
