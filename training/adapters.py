"""Low-rank adapters, and what is kept of a reward model's beside the merged model.

A policy on the same base can take the adapter for its judge, so that one base serves both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from foundation.errors import needs_extra
from training.models import as_readable
from training.recipes import Lora
from training.runtime import device

with needs_extra("train", "training a reward model"):
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
    from safetensors.torch import save_file

ADAPTER = "adapter"


class Adapter(msgspec.Struct, frozen=True):
    """Configuration and weights, those of the score head with them, as peft names and writes them."""

    config: Any
    weights: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Write what `PeftModel.from_pretrained` reads on the base: no path of this machine, no order of a set."""
        folder.mkdir()
        self.config.base_model_name_or_path = None
        self.config.target_modules = sorted(self.config.target_modules)
        self.config.save_pretrained(folder)
        save_file(self.weights, folder / "adapter_model.safetensors")
        as_readable(folder)


def configuration(lora: Lora, task: str = "CAUSAL_LM", **more: Any) -> Any:
    """Adapters on all linear layers of a trunk, without dropout."""
    return LoraConfig(
        task_type=task, r=lora.rank, lora_alpha=lora.alpha, lora_dropout=0.0, target_modules="all-linear", **more
    )


def adapted(model: Any, lora: Lora) -> Any:
    """The classifier with adapters on its linear layers; the new score head is trained fully."""
    return get_peft_model(model, configuration(lora, "SEQ_CLS", modules_to_save=["score"])).to(device())


def adapter_of(model: Any) -> Adapter:
    """A copy of the adapter of an adapted model, before it is merged."""
    weights = {name: weight.detach().cpu().clone() for name, weight in get_peft_model_state_dict(model).items()}
    return Adapter(model.peft_config["default"], weights)
