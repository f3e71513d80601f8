"""Around an optimiser step: Adam's epsilon as TensorFlow takes it, and a moving average of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foundation.errors import needs_extra

with needs_extra("train", "training with PPO"):
    import torch
    from torch import Tensor

Weights = Mapping[str, Tensor]


def set_epsilon(optimizer: Any, epsilon: float) -> None:
    """Adam's epsilon as TensorFlow takes it: added before the bias of the second moment is corrected.

    Kingma and Ba (arXiv 1412.6980), before section 2.1: PyTorch's epsilon is TensorFlow's over sqrt(1 - beta2^t).
    """
    for group in optimizer.param_groups:
        taken = int(optimizer.state.get(group["params"][0], {}).get("step", 0))
        group["eps"] = epsilon / (1 - group["betas"][1] ** (taken + 1)) ** 0.5


class Average:
    """The exponential moving average of weights: decay x average + (1 - decay) x weight. A decay of None keeps none."""

    def __init__(self, weights: Weights, decay: float | None) -> None:
        self.decay = decay
        self.values = {name: weight.detach().clone() for name, weight in weights.items()} if decay else {}

    def restore(self, values: Weights) -> None:
        """Go on from saved values; those of a checkpoint have the same names."""
        for name, value in values.items():
            self.values[name].copy_(value)

    def follow(self, weights: Weights) -> None:
        """Move towards the weights of now."""
        for name, value in self.values.items():
            value.lerp_(weights[name].detach(), 1 - (self.decay or 0.0))

    def take_over(self, weights: Weights) -> None:
        """Make the weights the average, where one is kept."""
        with torch.no_grad():
            for name, value in self.values.items():
                weights[name].copy_(value)
