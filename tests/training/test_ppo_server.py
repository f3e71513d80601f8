"""Answers from an OpenAI-compatible server over HTTP: a small real one that holds the tiny model and takes adapters."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from foundation.errors import ZhongjingError
from training.actor import POLICY, load_actor
from training.ppo import train_ppo
from training.recipes import PPORecipe, Server
from training.server import ServerDrawer


class Served(ThreadingHTTPServer):
    """`/v1/completions` and the two calls with which vLLM takes and forgets adapters; one request at a time."""

    def __init__(self, tiny: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.tiny = tiny
        self.tokenizer = AutoTokenizer.from_pretrained(tiny)
        self.adapters: dict[str, Any] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.lock = threading.Lock()
        self.tells_tokens = True
        self.refuses: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def completions(self, asked: dict[str, Any]) -> dict[str, Any]:
        model = self.adapters[asked["model"]]
        tokens, stop = list(asked["prompt"]), asked["stop_token_ids"][0]
        generator = torch.Generator().manual_seed(asked["seed"])
        new: list[int] = []
        while len(new) < asked["max_tokens"] and stop not in new:
            with torch.no_grad():
                logits = model(torch.tensor([tokens + new])).logits[0, -1]
            chances = (logits / asked["temperature"]).softmax(-1)
            new.append(int(torch.multinomial(chances, 1, generator=generator)))
        text = self.tokenizer.decode(new, skip_special_tokens=True)
        choice = {"index": 0, "text": text, "finish_reason": "stop" if stop in new else "length"}
        return {"choices": [choice | ({"token_ids": new} if self.tells_tokens and asked["return_token_ids"] else {})]}

    def load_lora_adapter(self, asked: dict[str, Any]) -> dict[str, Any]:
        base = AutoModelForCausalLM.from_pretrained(self.tiny)
        self.adapters[asked["lora_name"]] = PeftModel.from_pretrained(base, asked["lora_path"]).eval()
        return {}

    def unload_lora_adapter(self, asked: dict[str, Any]) -> dict[str, Any]:
        del self.adapters[asked["lora_name"]]
        return {}


class Handler(BaseHTTPRequestHandler):
    server: Served

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = self.path.removeprefix("/v1/")
        with self.server.lock:
            self.server.calls.append((name, asked | {"key": self.headers["Authorization"]}))
            loaded = name == "load_lora_adapter" and asked["lora_name"] in self.server.adapters
            if name in self.server.refuses or loaded:
                self.send_error(404)
                return
            answer = json.dumps(getattr(self.server, name)(asked)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tiny: Path) -> Iterator[Served]:
    with Served(tiny) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def recipe_of(ppo_recipe: PPORecipe, tmp_path: Path) -> Callable[..., PPORecipe]:
    def make(served: Served, **options: Any) -> PPORecipe:
        server = Server(url=served.url, adapters=tmp_path / "adapters", connections=4, **options)
        return msgspec.structs.replace(ppo_recipe, server=server, iterations=3, samples=1, epochs=1, minibatch=16)

    return make


def test_the_server_answers_as_the_current_policy(served: Served, recipe_of: Callable[..., PPORecipe]) -> None:
    recipe = recipe_of(served)
    history = train_ppo(recipe).history
    names = [name for name, _ in served.calls if name != "completions"]
    assert names == ["load_lora_adapter"] + ["load_lora_adapter", "unload_lora_adapter"] * 2
    asked = [call["model"] for name, call in served.calls if name == "completions"]
    assert asked == [f"policy-{iteration}" for iteration in (1, 2, 3) for _ in range(16)]
    assert list(served.adapters) == ["policy-3"]
    assert [step.first_ratio_deviation for step in history] == [0.0] * 3
    assert history[0].kl == 0.0 != history[2].kl


def test_the_adapter_that_is_served_is_the_policys_own(
    served: Served, recipe_of: Callable[..., PPORecipe], tiny: Path
) -> None:
    recipe = recipe_of(served)
    actor = load_actor(tiny, recipe)
    assert recipe.server
    drawer = ServerDrawer(recipe, recipe.server, actor.tokenizer.eos_token_id)
    tokens = torch.tensor([[1, 5, 40, 41]])
    for version in (1, 2):
        with torch.no_grad():
            for weight in actor.trained().values():
                weight.add_(0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(version)))
        drawer.refresh(actor, version)
        with torch.no_grad(), actor.role(POLICY):
            own = actor.plain(tokens).logits
            theirs = served.adapters[f"policy-{version}"](tokens).logits
        assert own.flatten().tolist() == pytest.approx(theirs.flatten().tolist(), abs=1e-5)
    with actor.role(None), torch.no_grad():
        assert (actor.plain(tokens).logits - theirs).abs().max() > 1e-2
    assert [path.name for path in recipe.server.adapters.iterdir()] == ["policy-2"]


def test_answers_end_at_the_stop_with_token_ids_or_without(
    served: Served, recipe_of: Callable[..., PPORecipe], tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PPO_TEST_KEY", "secret")
    recipe = recipe_of(served, api_key_variable="PPO_TEST_KEY")
    actor = load_actor(tiny, recipe)
    assert recipe.server
    stop = actor.tokenizer.eos_token_id
    drawer = ServerDrawer(recipe, recipe.server, stop)
    drawer.refresh(actor, 1)
    prompts, seeds = [[1, 5, 40 + number] for number in range(6)], [(0, number) for number in range(6)]
    told = drawer.draw(prompts, seeds)
    served.tells_tokens = False
    read = drawer.draw(prompts, seeds)
    assert drawer.draw(prompts, [(1, number) for number in range(6)]) != read
    for one, other in zip(told, read, strict=True):
        assert stop not in one[:-1] and stop not in other[:-1]
        assert (one[-1] == stop) == (other[-1] == stop)
        texts = [actor.tokenizer.decode(answer, skip_special_tokens=True) for answer in (one, other)]
        assert texts[0] == texts[1]
    assert {call["key"] for _, call in served.calls} == {"Bearer secret"}


def test_a_server_that_takes_no_adapters_is_refused(served: Served, recipe_of: Callable[..., PPORecipe]) -> None:
    served.refuses = {"load_lora_adapter", "unload_lora_adapter"}
    with pytest.raises(ZhongjingError, match="refuses") as caught:
        train_ppo(recipe_of(served))
    assert "would answer as an older one" in str(caught.value)
    assert not [name for name, _ in served.calls if name == "completions"]


def test_what_a_killed_run_left_on_the_server_is_replaced(
    served: Served, recipe_of: Callable[..., PPORecipe], tiny: Path
) -> None:
    recipe = recipe_of(served)
    actor = load_actor(tiny, recipe)
    assert recipe.server
    for _ in range(2):
        ServerDrawer(recipe, recipe.server, 2).refresh(actor, 1)
    assert [name.split("_")[0] for name, _ in served.calls] == ["load", "load", "unload", "load"]


def test_a_server_that_is_not_there_is_one_clear_error(served: Served, recipe_of: Callable[..., PPORecipe]) -> None:
    recipe = recipe_of(served)
    served.server_close()
    served.shutdown()
    with pytest.raises(ZhongjingError, match="no connection to the endpoint"):
        train_ppo(recipe)


def test_a_server_needs_adapters_and_http(ppo_recipe: PPORecipe) -> None:
    options = msgspec.to_builtins(ppo_recipe, enc_hook=str)
    for server, lora in (({"url": "http://x/v1", "adapters": "a"}, None), ({"url": "file:///x", "adapters": "a"}, {})):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(
                options | {"server": server, "lora": lora}, PPORecipe, dec_hook=lambda _, value: Path(value)
            )
