"""Attention over packed rows: a prompt's answers see the prompt and themselves, and rows see nothing of each other.

Two kernels give the same result. `sdpa` works everywhere: a prompt is causal, and each of its answers attends to prompt
and itself, so that no mask is larger than answer x (prompt and answer). `flex` is one call of FlexAttention over all
rows, which skips whole blocks that nobody sees; it needs a GPU to be trained with.
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

Asking = tuple[Tensor, Tensor, Tensor]
KERNELS = {"sdpa": "shared_prompt_sdpa", "flex": "shared_prompt_flex"}


class Layout(msgspec.Struct, frozen=True, dict=True):
    """All rows of a batch: of each the length of its prompt and those of its answers, which follow it. `row` and
    `answer` (N,) number each token's row from 0, and its answer from 1 or 0 for the prompt. In the layer numbered
    `final`, where there is one, only the last token of each answer is looked at.
    """

    rows: list[tuple[int, list[int]]]
    row: Tensor
    answer: Tensor
    final: int | None = None

    @functools.cached_property
    def sizes(self) -> list[int]:
        """The lengths of all prompts and answers, as they stand."""
        return [length for prompt, answers in self.rows for length in (prompt, *answers)]

    @functools.cached_property
    def masks(self) -> list[Tensor]:
        """(A, P + A) for each answer: what its tokens see of the prompt, which is all, and of themselves."""
        return [
            torch.ones(length, prompt + length, dtype=torch.bool, device=self.row.device).tril(prompt)
            for prompt, answers in self.rows
            for length in answers
        ]

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
    lengths = [torch.tensor([prompt, *answers]) for prompt, answers in rows]
    answer = [torch.repeat_interleave(torch.arange(len(each)), each) for each in lengths]
    row = [torch.full_like(each, number) for number, each in enumerate(answer)]
    plain = [(prompt, list(answers)) for prompt, answers in rows]
    return Layout(plain, torch.cat(row).to(device), torch.cat(answer).to(device))


def _sdpa(
    module: Any, query: Tensor, key: Tensor, value: Tensor, _mask: Any, *, layout: Layout, **options: Any
) -> tuple[Tensor, None]:
    """(1, heads, N, size) queries to (1, N, heads, size)."""
    _refuse_unknown(layout, options)
    grouped = query.shape[1] != key.shape[1]
    attend = functools.partial(scaled_dot_product_attention, scale=options.get("scaling"), enable_gqa=grouped)
    final = layout.final is not None and layout.final == getattr(module, "layer_idx", None)
    rows = _rows(query, key, value, layout)
    parts = _final(attend, rows) if final else _all(attend, rows, layout)
    return torch.cat(list(parts), 2).transpose(1, 2).contiguous(), None


def _rows(query: Tensor, key: Tensor, value: Tensor, layout: Layout) -> Iterator[tuple[Asking, list[Asking]]]:
    """Each prompt, and its answers beside keys and values of prompt and answer. All is split at once: the gradient of
    a slice is as large as its whole."""
    pieces = zip(*(torch.split(every, layout.sizes, 2) for every in (query, key, value)), strict=True)
    for _, answers in layout.rows:
        prompt = next(pieces)
        own = [next(pieces) for _ in answers]
        yield prompt, [(asked, torch.cat([prompt[1], k], 2), torch.cat([prompt[2], v], 2)) for asked, k, v in own]


def _all(attend: Any, rows: Iterator[tuple[Asking, list[Asking]]], layout: Layout) -> Iterator[Tensor]:
    """Prompts are causal; an answer sees its prompt and itself."""
    masks = iter(layout.masks)
    for prompt, answers in rows:
        if prompt[0].shape[2]:
            yield attend(*prompt, is_causal=True)
        for answer in answers:
            yield attend(*answer, attn_mask=next(masks))


def _final(attend: Any, rows: Iterator[tuple[Asking, list[Asking]]]) -> Iterator[Tensor]:
    """An answer's last token sees all of its prompt and its answer; of the others nothing is wanted."""
    for prompt, answers in rows:
        yield torch.zeros_like(prompt[0])
        for asked, keys, values in answers:
            yield torch.nn.functional.pad(attend(asked[:, :, -1:], keys, values), (0, 0, asked.shape[2] - 1, 0))


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
    if window is not None and any(prompt + max(answers) > window for prompt, answers in layout.rows):
        raise ZhongjingError(
            f"this model looks back {window} tokens at most, and a row is longer", hint="lower max_tokens"
        )
    for name in ("softcap", "s_aux"):
        if options.get(name) is not None:
            raise ZhongjingError(f"this model's attention uses {name}, which packed rows do not know")


AttentionInterface.register(KERNELS["sdpa"], _sdpa)
AttentionInterface.register(KERNELS["flex"], _flex)
