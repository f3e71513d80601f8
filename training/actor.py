"""One frozen base in its several roles: policy, reference, value function and, where it can be, reward model.

Each role but the reference is a low-rank adapter on the same base; the reference is the base with all of them off.
Without adapters (full fine-tuning) the reference is a frozen copy, and the value head sits on the policy.
Shapes: B answers, R answer tokens.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from foundation.errors import needs_extra
from training.adapters import configuration
from training.models import load_causal
from training.recipes import PPORecipe
from training.runtime import seeded, uses_bf16
from training.thinning import read_at

with needs_extra("train", "training with PPO"):
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
    from peft.tuners.tuners_utils import BaseTunerLayer
    from torch import Tensor, nn
    from transformers.modeling_layers import GradientCheckpointingLayer

POLICY, VALUE, REWARD = "policy", "value", "reward"


def load_actor(folder: Path, recipe: PPORecipe) -> Actor:
    """The model in `folder` with fresh adapters; they and the heads depend on the seed alone.

    A frozen base is held in bfloat16 where products are, weights that are trained always in float32.
    """
    dtype = "bfloat16" if recipe.lora and uses_bf16(recipe.precision) else "float32"
    with seeded(recipe.seed, 1):
        base, tokenizer = load_causal(folder, recipe.model.chat_template, dtype=dtype)
        return Actor(base, tokenizer, recipe)


class Actor(nn.Module):
    """Policy and value function, with the reference and the trunk for a reward model beside them."""

    def __init__(self, base: Any, tokenizer: Any, recipe: PPORecipe) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        without_dropout(base)
        self.reference = None if recipe.lora else copy.deepcopy(base).requires_grad_(False)
        self.model = PeftModel(base, configuration(recipe.lora), adapter_name=POLICY) if recipe.lora else base
        self.roles = [POLICY]
        if recipe.lora and recipe.value_adapter:
            self.model.add_adapter(VALUE, configuration(recipe.lora))
            self.roles.append(VALUE)
        self.value = zero_head(base)
        self.to(base.device)
        self.trunk = getattr(base, base.base_model_prefix)
        self.plain = base
        self.speaking: str | None = None
        self.switchable = [module for module in self.modules() if isinstance(module, BaseTunerLayer)]
        self._layers = _checkpointed(base, self) if recipe.gradient_checkpointing else []
        self._switch(POLICY)

    def forward(
        self, tokens: Tensor, real: Tensor, length: int, temperature: float, *, reference: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Log-probabilities of the last `length` tokens, logits divided by `temperature`, and values before them.

        `tokens` and `real` are (B, Q + R) with padding anywhere; both results are (B, R) in float32. As `reference`
        the model speaks as it did before any training, and values are 0.
        """
        inputs = _inputs(tokens, real)
        if reference:
            model = self.reference or self.plain
            with self.role(None), self._read_late(getattr(model, model.base_model_prefix), tokens, length):
                logits = model(**inputs, logits_to_keep=length + 1).logits
            logprobs = _chosen(logits, tokens, length, temperature)
            return logprobs, torch.zeros_like(logprobs)
        with self._thrifty(), self._read_late(self.trunk, tokens, length):
            with self.role(POLICY):
                shared = VALUE not in self.roles
                output = self.plain(**inputs, logits_to_keep=length + 1, output_hidden_states=shared)
            if shared:
                hidden = output.hidden_states[-1]
            else:
                with self.role(VALUE):
                    hidden = self.trunk(**inputs).last_hidden_state
        values = self.value(hidden[:, -length - 1 : -1].to(self.value.weight.dtype)).squeeze(-1).float()
        return _chosen(output.logits, tokens, length, temperature), values

    @contextmanager
    def role(self, name: str | None) -> Iterator[None]:
        """Inside the block the base speaks through this adapter; through none of them where it is None."""
        before = self.speaking
        self._switch(name)
        try:
            yield
        finally:
            self._switch(before)

    def adopt(self, name: str, config: LoraConfig) -> None:
        """Add an adapter that is not trained; its weights are the caller's to load."""
        self.model.add_adapter(name, config)
        self.to(self.plain.device)
        self.switchable = [module for module in self.modules() if isinstance(module, BaseTunerLayer)]
        self.speaking = None
        self._switch(POLICY)

    def copy_adapter(self, source: str, target: str) -> None:
        """Make `target` a trained copy of `source`, of the same rank."""
        config = copy.copy(self.model.peft_config[source])
        config.inference_mode = False
        self.model.delete_adapter(target)
        self.model.add_adapter(target, config)
        weights = get_peft_model_state_dict(self.model, adapter_name=source)
        set_peft_model_state_dict(self.model, weights, adapter_name=target)
        self.speaking = None
        self._switch(POLICY)

    def merged(self) -> Any:
        """The policy as a plain model; the actor is of no use afterwards."""
        if self.switchable:
            self._switch(POLICY)
            for name in list(self.model.peft_config):
                if name != POLICY:
                    self.model.delete_adapter(name)
            return self.model.merge_and_unload()
        return self.plain

    def trained(self) -> dict[str, nn.Parameter]:
        """The weights that PPO changes, by name."""
        return {name: weight for name, weight in self.named_parameters() if weight.requires_grad}

    def _read_late(self, trunk: Any, tokens: Tensor, length: int) -> AbstractContextManager[Any]:
        """The last layer is computed for the answer and the token before it, unless activations are computed again."""
        if self._layers:
            return nullcontext()
        end = tokens.shape[1]
        return read_at(trunk, torch.arange(end - length - 1, end, device=tokens.device))

    @contextmanager
    def _thrifty(self) -> Iterator[None]:
        """Layers forget their activations inside the block where there are gradients; they would forget the key-value
        cache of generation, too, so never outside."""
        for layer in self._layers:
            layer.training = torch.is_grad_enabled()
        yield
        for layer in self._layers:
            layer.training = False

    def _switch(self, name: str | None) -> None:
        """Gradients stay with the roles that are trained, whichever of them speaks."""
        if not self.switchable or name == self.speaking:
            return
        for layer in self.switchable:
            layer.enable_adapters(enabled=name is not None)
            if name is not None:
                layer.set_adapter(name, inference_mode=name not in self.roles)
            layer.set_requires_grad(self.roles, requires_grad=True)
        self.speaking = name


def zero_head(model: Any) -> nn.Linear:
    """A linear head that says 0 of everything (detail: value head initialisation)."""
    head = nn.Linear(model.config.hidden_size, 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def without_dropout(model: nn.Module) -> None:
    """No unit is ever dropped, whatever mode the model is in."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = 0.0  # type: ignore[assignment]
    model.eval()


def _checkpointed(base: Any, actor: Actor) -> list[nn.Module]:
    """Layers that compute their activations again in the backward pass, through the adapter that spoke forwards."""

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), actor.role(actor.speaking)

    enable = getattr(base, "activation_checkpointing_enable", None) or base.gradient_checkpointing_enable
    enable({"use_reentrant": False, "context_fn": contexts})
    return [module for module in base.modules() if isinstance(module, GradientCheckpointingLayer)]


def _inputs(tokens: Tensor, real: Tensor) -> dict[str, Any]:
    """Positions count from an answer's first real token, wherever its padding is."""
    positions = (real.cumsum(1) - 1).clamp(min=0)
    return {"input_ids": tokens, "attention_mask": real, "position_ids": positions, "use_cache": False}


def _chosen(logits: Tensor, tokens: Tensor, length: int, temperature: float) -> Tensor:
    """Log-probabilities (B, length) of the last tokens from the logits before them."""
    scaled = logits[:, :-1].float() / temperature
    return scaled.log_softmax(-1).gather(-1, tokens[:, -length:].unsqueeze(-1)).squeeze(-1)
