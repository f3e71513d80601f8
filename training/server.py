"""Answers from a vLLM or other OpenAI-compatible server, which is given the policy's adapter before every rollout.

The server must take adapters while it runs (vLLM: `--enable-lora` and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True) and see
the folder they are put into. One that cannot is refused: its answers would be those of an older policy.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np

from foundation.endpoint import Client, Endpoint, EndpointError
from foundation.errors import ZhongjingError
from foundation.jsonl import parse_json
from training.actor import POLICY, Actor
from training.drawing import Seed, cut
from training.recipes import PPORecipe, Server
from training.runtime import machine

RETRIES = 2
TAKES_ADAPTERS = (
    "a server that cannot take the current policy would answer as an older one: start vLLM with --enable-lora and "
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, or leave `server` out"
)


class ServerDrawer:
    """A server that answers with the adapter it was given last."""

    def __init__(self, recipe: PPORecipe, server: Server, stop: int) -> None:
        self.recipe, self.server, self.stop = recipe, server, stop
        self.tokenizer: Any = None
        self.serving: str | None = None
        self.client = Client(
            Endpoint(
                base_url=server.url,
                model="",
                key_variable=server.api_key_variable,
                connections=server.connections,
                timeout=server.timeout,
                retries=RETRIES,
            )
        )

    def refresh(self, actor: Actor, version: int) -> None:
        """Save the policy's adapter under a name of its own, load it, then forget the one before."""
        self.tokenizer = actor.tokenizer
        name = f"{self.recipe.output.name}-{version}"
        if machine().is_main_process:
            folder = self.server.adapters / name
            actor.model.save_pretrained(folder, selected_adapters=[POLICY])
            self._load({"lora_name": name, "lora_path": str((folder / POLICY).resolve())})
            if self.serving:
                self._ask("unload_lora_adapter", {"lora_name": self.serving})
                shutil.rmtree(self.server.adapters / self.serving)
        machine().wait_for_everyone()
        self.serving = name

    def draw(self, prompts: Sequence[list[int]], seeds: Sequence[Seed]) -> list[list[int]]:
        """One answer to each tokenised prompt: its tokens, and the stop token where it came."""
        asked = list(zip(prompts, seeds, strict=True))
        places = self.client.each(
            range(len(asked)), lambda place: self._answer(*asked[place]), "answers from the server", len(asked)
        )
        answers = dict(places)
        return [answers[place] for place in range(len(asked))]

    def _load(self, adapter: dict[str, str]) -> None:
        """A run that was killed may have left an adapter of this name there: the server keeps it until told."""
        try:
            self._ask("load_lora_adapter", adapter)
        except ZhongjingError:
            self._ask("unload_lora_adapter", {"lora_name": adapter["lora_name"]})
            self._ask("load_lora_adapter", adapter)

    def _answer(self, prompt: list[int], seed: Seed) -> list[int]:
        asked = {
            "model": self.serving,
            "prompt": prompt,
            "max_tokens": self.recipe.max_new_tokens,
            "temperature": self.recipe.temperature,
            "top_p": 1.0,
            "top_k": 0,
            "repetition_penalty": 1.0,
            "seed": int(np.random.SeedSequence(seed).generate_state(1)[0] >> 1),
            "stop_token_ids": [self.stop],
            "return_token_ids": True,
        }
        choice = self.client.post("completions", asked, lambda body: parse_json(body)["choices"][0])
        tokens = choice.get("token_ids")
        if tokens is None:
            tokens = self.tokenizer.encode(choice["text"], add_special_tokens=False)
        ended = choice.get("finish_reason") == "stop" and tokens[-1:] != [self.stop]
        return cut([*tokens, self.stop] if ended or not tokens else tokens, self.stop)

    def _ask(self, what: str, content: dict[str, Any]) -> None:
        try:
            self.client.post(what, content, bytes)
        except EndpointError as error:
            if error.fault not in ("refused", "denied"):
                raise
            raise ZhongjingError("the server refuses", where=error.where, hint=TAKES_ADAPTERS) from error
