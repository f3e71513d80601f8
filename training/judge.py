"""The reward model beside a policy: an adapter on the policy's own base where it was trained on that base, else a
model of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from foundation.cli import warn
from foundation.errors import ZhongjingError, needs_extra
from training.actor import REWARD, VALUE, Actor
from training.adapters import ADAPTER
from training.attention import shared_prompts
from training.models import loading
from training.scoring import RewardModel

with needs_extra("train", "training with PPO"):
    import torch
    from peft import LoraConfig, set_peft_model_state_dict
    from safetensors import safe_open
    from safetensors.torch import load_file
    from torch import Tensor, nn
    from transformers import AutoTokenizer

PREFIX = "base_model.model."
CLOSE = {torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 8e-3}


def judge_of(folder: Path, actor: Actor) -> RewardModel:
    """The reward model of `folder`, sharing the actor's base where it can; why it cannot is said."""
    with loading(folder):
        why = _why_apart(folder, actor)
    if why is not None:
        warn(f"{folder}: loaded as a model of its own beside the policy: {why}")
        return RewardModel(folder)
    config = LoraConfig.from_pretrained(folder / ADAPTER)
    config.task_type, config.modules_to_save, config.inference_mode = "CAUSAL_LM", None, True
    weights = load_file(folder / ADAPTER / "adapter_model.safetensors")
    weight = weights.pop(f"{PREFIX}score.weight")
    actor.adopt(REWARD, config)
    set_peft_model_state_dict(actor.model, weights, REWARD)
    score = nn.Linear(weight.shape[1], weight.shape[0], bias=False).to(actor.plain.device, weight.dtype)
    score.weight.data.copy_(weight)
    return RewardModel(folder, loaded=(Borrowed(actor, score.requires_grad_(False)), actor.tokenizer))


def start_value(actor: Actor, judge: RewardModel) -> None:
    """Let the value function start as the reward model (arXiv 2403.17031), adapter and normalised head."""
    if REWARD not in actor.model.peft_config:
        raise ZhongjingError(
            "value_start: reward needs a reward model that shares the policy's base", hint="set value_start: zero"
        )
    actor.copy_adapter(REWARD, VALUE)
    scale = judge.normalisation.standard_deviation
    with torch.no_grad():
        actor.value.weight.copy_(judge.model.score.weight / scale)
        actor.value.bias.fill_(-judge.normalisation.mean / scale)


class Borrowed:
    """A sequence classifier to whoever scores with it: the actor's base, speaking as the reward model."""

    base_model_prefix = "trunk"

    def __init__(self, actor: Actor, score: nn.Module) -> None:
        self.actor = actor
        self.score = score
        self.dtype = actor.plain.dtype

    def trunk(self, **inputs: Any) -> Any:
        """The base's hidden states under the reward model's adapter."""
        with self.actor.role(REWARD), shared_prompts(self.actor.plain):
            return self.actor.trunk(**inputs)


def _why_apart(folder: Path, actor: Actor) -> str | None:
    if not actor.switchable:
        return "all weights of the policy are trained"
    if not (folder / ADAPTER / "adapter_config.json").is_file():
        return "it was not trained as an adapter"
    read = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if read.get_vocab() != actor.tokenizer.get_vocab() or read.chat_template != actor.tokenizer.chat_template:
        return "it reads other tokens than the policy"
    return None if _same_base(folder, actor) else "it was trained on another base"


def _same_base(folder: Path, actor: Actor) -> bool:
    """Whether the actor's base and the adapter give the weights that the reward model was saved with: compared in
    the first, a middle and the last of the adapted layers."""
    config = json.loads((folder / ADAPTER / "adapter_config.json").read_text("utf-8"))
    scale = config["lora_alpha"] / config["r"]
    with safe_open(folder / ADAPTER / "adapter_model.safetensors", framework="pt") as adapter:
        ending = ".lora_A.weight"
        names = [name.removesuffix(ending) for name in adapter.keys() if name.endswith(ending)]  # noqa: SIM118
        for name in {names[0], names[len(names) // 2], names[-1]}:
            down, up = (adapter.get_tensor(f"{name}.lora_{half}.weight") for half in "AB")
            plain = name.removeprefix(PREFIX)
            saved = _saved(folder, f"{plain}.weight")
            layer = actor.plain.get_submodule(plain) if _has(actor.plain, plain) else None
            if layer is None or saved is None or saved.shape != layer.weight.shape:
                return False
            expected = layer.weight.detach().cpu().float() + scale * up.float() @ down.float()
            close = max(CLOSE[saved.dtype], CLOSE[layer.weight.dtype])
            if (expected - saved.float()).norm() > close * saved.float().norm():
                return False
    return True


def _has(model: nn.Module, name: str) -> bool:
    return any(name == found for found, _ in model.named_modules())


def _saved(folder: Path, name: str) -> Tensor | None:
    """One tensor of a saved model, without reading the others."""
    index = folder / "model.safetensors.index.json"
    file = json.loads(index.read_text("utf-8"))["weight_map"].get(name) if index.is_file() else "model.safetensors"
    if file is None or not (folder / file).is_file():
        return None
    with safe_open(folder / file, framework="pt") as tensors:
        return tensors.get_tensor(name) if name in tensors.keys() else None  # noqa: SIM118
