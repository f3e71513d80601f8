"""Who answers prompts: a model in this process, or one behind an OpenAI-compatible endpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np

from corpus.records import Prompt
from foundation.endpoint import Client, Endpoint, EndpointError
from training.drawing import decoding_config, draw_texts
from training.models import encode_prompt, load_causal
from training.recipes import Answerer, GenerateRecipe
from training.runtime import seeded

Seeds = tuple[int, ...]


class Said(msgspec.Struct, frozen=True):
    """One answer; `fault` says why there is none, where an endpoint gave none."""

    text: str
    fault: str = ""


Draw = Callable[[Sequence[Prompt], int], list[Said]]


class Speaker(Protocol):
    """A model that answers."""

    def drawer(self, chunk: Sequence[Prompt], seeds: Seeds) -> tuple[Draw, set[str]]:
        """A function that answers some prompts of a batch in its n-th round, from random numbers that depend on `seeds`
        and the round alone; and the ids of prompts that were cut."""


class LocalSpeaker:
    """A model in this process, loaded when it is first asked."""

    def __init__(self, recipe: GenerateRecipe, answerer: Answerer, folder: Path) -> None:
        self.recipe, self.answerer, self.folder = recipe, answerer, folder

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        return load_causal(self.folder, self.answerer.chat_template)

    def drawer(self, chunk: Sequence[Prompt], seeds: Seeds) -> tuple[Draw, set[str]]:
        """All prompts of a round at once."""
        model, tokenizer = self._loaded
        limit = self.recipe.max_prompt_tokens
        coded = {prompt.prompt_id: encode_prompt(tokenizer, prompt.messages, limit) for prompt in chunk}
        config = decoding_config(
            tokenizer,
            temperature=self.answerer.temperature,
            top_p=self.answerer.top_p,
            max_new_tokens=self.answerer.max_new_tokens,
        )

        def draw(wanted: Sequence[Prompt], turn: int) -> list[Said]:
            with seeded(*seeds, turn):
                texts = draw_texts(model, tokenizer, [coded[prompt.prompt_id][0] for prompt in wanted], config)
            return [Said(text) for text in texts]

        return draw, {prompt_id for prompt_id, (_, cut) in coded.items() if cut}


class EndpointSpeaker:
    """A model behind an endpoint, asked by as many connections as it has; it may ignore the seed it is given."""

    def __init__(self, answerer: Answerer, endpoint: Endpoint) -> None:
        self.answerer, self.client = answerer, Client(endpoint)

    def drawer(self, chunk: Sequence[Prompt], seeds: Seeds) -> tuple[Draw, set[str]]:
        """Every prompt of a round for itself; the endpoint gets it whole."""
        places = {prompt.prompt_id: place for place, prompt in enumerate(chunk)}

        def draw(wanted: Sequence[Prompt], turn: int) -> list[Said]:
            def ask(prompt: Prompt) -> Said:
                return self._ask(prompt, (*seeds, turn, places[prompt.prompt_id]))

            told = self.client.each(wanted, ask, f"asking {self.answerer.name}", len(wanted))
            answers = {prompt.prompt_id: said for prompt, said in told}
            return [answers[prompt.prompt_id] for prompt in wanted]

        return draw, set()

    def _ask(self, prompt: Prompt, seeds: Seeds) -> Said:
        """A request that fails for itself alone is an answer that is missing, with its fault; others end the run."""
        try:
            reply = self.client.chat(
                [{"role": turn.role, "content": turn.content} for turn in prompt.messages],
                max_tokens=self.answerer.max_new_tokens,
                temperature=self.answerer.temperature,
                top_p=self.answerer.top_p,
                seed=int(np.random.SeedSequence(seeds).generate_state(1)[0] >> 1),
            )
        except EndpointError as error:
            if error.hopeless:
                raise
            return Said("", error.fault)
        return Said(reply.text.strip())
