"""Attention over packed rows: a prompt's answers see the prompt and themselves, and rows see nothing of each other.

Two kernels give the same result. `sdpa` works everywhere: per row, the prompt is causal and the answers get a 4D mask,
so that no mask is larger than answers x row. `flex` is one call of FlexAttention over all rows, which skips whole
blocks that nobody sees; it needs a GPU to be trained with.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from foundation.errors import ZhongjingError, needs_extra

with needs_extra("train", "scoring answers"):
    import torch
    from torch import Tensor
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    from torch.nn.functional import scaled_dot_product_attention
    from transformers import AttentionInterface

KERNELS = {"sdpa": "shared_prompt_sdpa", "flex": "shared_prompt_flex"}


class Block(msgspec.Struct, frozen=True):
    """Where a row stands among the packed tokens. `sees` (answers, row) is true where an answer's token may look."""

    start: int
    answers: int
    end: int
    sees: Tensor


class Layout(msgspec.Struct, frozen=True, dict=True):
    """All rows of a batch. `row` and `answer` (N,) number each token's row from 0, and its answer from 1 or 0 for the
    prompt."""

    blocks: list[Block]
    row: Tensor
    answer: Tensor

    @functools.cached_property
    def block_mask(self) -> Any:
        """The same rule for FlexAttention."""

        def visible(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            known = (self.answer[key] == 0) | (self.answer[key] == self.answer[query])
            return (self.row[query] == self.row[key]) & (key <= query) & known

        size = len(self.row)
        return create_block_mask(visible, None, None, size, size, device=str(self.row.device))


@contextmanager
def shared_prompts(model: Any) -> Iterator[None]:
    """Inside the block a model that was loaded with another attention takes packed rows, too."""
    before = model.config._attn_implementation
    model.config._attn_implementation = KERNELS["sdpa"]
    try:
        yield
    finally:
        model.config._attn_implementation = before


def lay_out(rows: Sequence[tuple[int, Sequence[int]]], device: torch.device) -> Layout:
    """The layout of rows given as the length of the prompt and the lengths of the answers."""
    blocks, row_of, answer_of, start = [], [], [], 0
    for number, (prompt, answers) in enumerate(rows):
        lengths = torch.tensor([prompt, *answers])
        answer = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
        order = torch.arange(len(answer))
        keys, queries = answer[None], answer[prompt:, None]
        sees = (order[None] <= order[prompt:, None]) & ((keys == 0) | (keys == queries))
        blocks.append(Block(start, start + prompt, start + len(answer), sees.to(device)))
        row_of.append(torch.full_like(answer, number))
        answer_of.append(answer)
        start += len(answer)
    return Layout(blocks, torch.cat(row_of).to(device), torch.cat(answer_of).to(device))


def _sdpa(
    _module: Any, query: Tensor, key: Tensor, value: Tensor, _mask: Any, *, layout: Layout, **options: Any
) -> tuple[Tensor, None]:
    """(1, heads, N, size) queries to (1, N, heads, size)."""
    _refuse_unknown(layout, options)
    grouped = query.shape[1] != key.shape[1]
    attend = functools.partial(scaled_dot_product_attention, scale=options.get("scaling"), enable_gqa=grouped)
    parts = []
    for block in layout.blocks:
        prompt, row = slice(block.start, block.answers), slice(block.start, block.end)
        if block.answers > block.start:
            parts.append(attend(query[:, :, prompt], key[:, :, prompt], value[:, :, prompt], is_causal=True))
        asked = query[:, :, block.answers : block.end]
        parts.append(attend(asked, key[:, :, row], value[:, :, row], attn_mask=block.sees))
    return torch.cat(parts, 2).transpose(1, 2).contiguous(), None


def _flex(
    _module: Any, query: Tensor, key: Tensor, value: Tensor, _mask: Any, *, layout: Layout, **options: Any
) -> tuple[Tensor, None]:
    _refuse_unknown(layout, options)
    attend = _compiled() if query.is_cuda else flex_attention
    grouped = query.shape[1] != key.shape[1]
    result = attend(query, key, value, block_mask=layout.block_mask, scale=options.get("scaling"), enable_gqa=grouped)
    return result.transpose(1, 2).contiguous(), None


@functools.cache
def _compiled() -> Any:
    return torch.compile(flex_attention, dynamic=True)


def _refuse_unknown(layout: Layout, options: dict[str, Any]) -> None:
    """A model may ask for what would change its scores: better to stop than to differ silently."""
    window = options.get("sliding_window")
    if window is not None and any(block.end - block.start > window for block in layout.blocks):
        raise ZhongjingError(
            f"this model looks back {window} tokens at most, and a row is longer", hint="lower max_tokens"
        )
    for name in ("softcap", "s_aux"):
        if options.get(name) is not None:
            raise ZhongjingError(f"this model's attention uses {name}, which packed rows do not know")


AttentionInterface.register(KERNELS["sdpa"], _sdpa)
AttentionInterface.register(KERNELS["flex"], _flex)
