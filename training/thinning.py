"""The last layer of a model computed only where its result is looked at.

Every token's keys and values are needed in the last layer, but its query, its output projection and its feed-forward
part only where somebody reads the result: at an answer's last token to score it, at the answer's tokens to weigh
them. What is read is the same as without; a model of L layers is spared nearly one L-th of what is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from foundation.errors import needs_extra

with needs_extra("train", "scoring answers"):
    from torch import Tensor, nn


@contextmanager
def read_at(trunk: Any, places: Tensor) -> Iterator[bool]:
    """Inside the block the hidden states that `trunk` gives are right at these places of the second axis alone.

    Yields whether that spares anything: it does where the last layer has a gated feed-forward part like Llama's and
    Qwen's. Activations must not be computed a second time after the block (gradient checkpointing).
    """
    parts = list(_parts(trunk))
    with ExitStack() as stack:
        for module in parts:
            stack.enter_context(_only_at(module, places))
        yield bool(parts)


def _parts(trunk: Any) -> Iterator[nn.Module]:
    layers = getattr(trunk, "layers", None)
    if not layers:
        return
    attention: Any = getattr(layers[-1], "self_attn", None)
    feed: Any = getattr(layers[-1], "mlp", None)
    if hasattr(attention, "o_proj") and hasattr(feed, "down_proj"):
        yield feed
        yield attention.o_proj
        if hasattr(attention, "q_proj"):
            yield attention.q_proj


@contextmanager
def _only_at(module: nn.Module, places: Tensor) -> Iterator[None]:
    """The module sees the tokens at `places`; it says 0 of all others."""
    length = 0

    def before(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        nonlocal length
        length = inputs[0].shape[1]
        return (inputs[0].index_select(1, places), *inputs[1:])

    def after(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        whole = output.new_zeros((output.shape[0], length, *output.shape[2:]))
        return whole.index_copy(1, places, output)

    hooks = [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
