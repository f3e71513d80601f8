"""Answers from a vLLM or other OpenAI-compatible server, which is given the policy's adapter before every rollout.

The server must take adapters while it runs (vLLM: `--enable-lora` and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True) and see
the folder they are put into. One that cannot is refused: its answers would be those of an older policy.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np

from foundation.errors import ZhongjingError
from foundation.progress import track
from training.actor import POLICY, Actor
from training.drawing import Seed, cut
from training.recipes import PPORecipe, Server
from training.runtime import machine

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
        with ThreadPoolExecutor(self.server.connections) as pool:
            return list(track(pool.map(self._answer, prompts, seeds), "answers from the server", len(prompts)))

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
        choice = json.loads(self._ask("completions", asked))["choices"][0]
        tokens = choice.get("token_ids")
        if tokens is None:
            tokens = self.tokenizer.encode(choice["text"], add_special_tokens=False)
        ended = choice.get("finish_reason") == "stop" and tokens[-1:] != [self.stop]
        return cut([*tokens, self.stop] if ended or not tokens else tokens, self.stop)

    def _ask(self, what: str, content: dict[str, Any]) -> bytes:
        address = f"{self.server.url.rstrip('/')}/{what}"
        headers = {"Content-Type": "application/json"}
        if self.server.api_key_variable:
            headers["Authorization"] = f"Bearer {os.environ.get(self.server.api_key_variable, '')}"
        request = Request(address, json.dumps(content).encode(), headers)  # noqa: S310 (the recipe allows http alone)
        try:
            with urlopen(request, timeout=self.server.timeout) as response:  # noqa: S310
                answer: bytes = response.read()
                return answer
        except HTTPError as error:
            hint = TAKES_ADAPTERS if "lora" in what else None
            raise ZhongjingError(f"the server refuses (status {error.code})", where=address, hint=hint) from error
        except (URLError, TimeoutError, OSError) as error:
            raise ZhongjingError(
                f"no answer from the server ({type(error).__name__})",
                where=address,
                hint="start it, and run again: finished iterations are kept",
            ) from error
