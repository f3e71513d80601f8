"""One prompt and its K answers in one row: what they share is encoded once.

A row is the shared prefix followed by each answer's own tokens. An answer's tokens see the prefix and their own
answer alone, and their positions go on from the prefix, so that every score is the one a row of its own would get.
The rows of a batch stand one after the other without padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import msgspec

from corpus.records import Message
from foundation.errors import needs_extra
from training.attention import Layout, lay_out
from training.models import render, shorter
from training.thinning import read_at

with needs_extra("train", "scoring answers"):
    import torch
    from torch import Tensor


class Row(msgspec.Struct, frozen=True):
    """Tokens that K conversations share, and those of each of its own (one at least)."""

    shared: list[int]
    own: list[list[int]]
    truncated: bool = False

    @property
    def full(self) -> list[list[int]]:
        """Each conversation as it would stand alone."""
        return [self.shared + own for own in self.own]


class Batch(msgspec.Struct, frozen=True):
    """B rows with at most K answers, their N tokens one after the other and no padding.

    `tokens` and `positions` are (1, N); `last` (B, K) is where among them each answer ends, and `there` (B, K) is
    false where a row has fewer answers.
    """

    tokens: Tensor
    positions: Tensor
    layout: Layout
    last: Tensor
    there: Tensor


def encode_answers(tokenizer: Any, prompt: Sequence[Message], answers: Sequence[str], limit: int) -> Row:
    """Prompt and answers in the chat template, each conversation at most `limit` tokens.

    A long prompt loses its oldest turns, then the first tokens of its last one; an answer longer than the limit
    by itself loses its end.
    """
    for kept in shorter(prompt):
        whole = [render(tokenizer, kept, answer) for answer in answers]
        if max(map(len, whole)) <= limit:
            return share(whole, len(kept) < len(prompt))
    row = share(whole)
    excess = max(map(len, whole)) - limit
    shared = row.shared[excess:]
    return Row(shared, [own[: limit - len(shared)] for own in row.own], truncated=True)


def share(conversations: Sequence[list[int]], truncated: bool = False) -> Row:
    """Split off the longest common prefix; each conversation keeps at least its last token."""
    shortest = min(map(len, conversations))
    common = 0
    while common < shortest - 1 and len({conversation[common] for conversation in conversations}) == 1:
        common += 1
    own = [conversation[common:] for conversation in conversations]
    return Row(list(conversations[0][:common]), own, truncated)


def collate(rows: Sequence[Row], device: torch.device) -> Batch:
    """Rows of any length and K, packed."""
    layout = lay_out([(len(row.shared), [len(own) for own in row.own]) for row in rows], device)
    tokens = [token for row in rows for part in (row.shared, *row.own) for token in part]
    positions = [place for row in rows for place in _positions(row)]
    last = torch.zeros((len(rows), max(len(row.own) for row in rows)), dtype=torch.long)
    there = torch.zeros(last.shape, dtype=torch.bool)
    start = 0
    for number, row in enumerate(rows):
        ends = start + len(row.shared) - 1 + torch.tensor([len(own) for own in row.own]).cumsum(0)
        last[number, : len(ends)] = ends
        there[number, : len(ends)] = True
        start = int(ends[-1]) + 1
    return Batch(
        tokens=torch.tensor([tokens], device=device),
        positions=torch.tensor([positions], device=device),
        layout=layout,
        last=last.to(device),
        there=there.to(device),
    )


class Scorer(torch.nn.Module):
    """A sequence classifier, with adapters or not, that scores packed rows."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Tensor:
        """(B, K) scores in float32 at each answer's last token; 0 where there is no answer."""
        plain = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        trunk = getattr(plain, plain.base_model_prefix)
        recomputes = getattr(self.model, "is_gradient_checkpointing", False) and torch.is_grad_enabled()
        layout, places = batch.layout, batch.last[batch.there]
        with nullcontext(False) if recomputes else read_at(trunk, places) as thin:
            if thin:
                layout = msgspec.structs.replace(layout, final=plain.config.num_hidden_layers - 1)
            hidden = trunk(
                input_ids=batch.tokens, position_ids=batch.positions, use_cache=False, layout=layout
            ).last_hidden_state
        ends = hidden[0, batch.last]
        with torch.autocast(ends.device.type, enabled=False):
            result: Tensor = plain.score(ends.to(next(plain.score.parameters()).dtype)).squeeze(-1).float()
        return result.masked_fill(~batch.there, 0.0)


def _positions(row: Row) -> Iterator[int]:
    """Those of the prefix, then for each answer those that follow it."""
    prefix = len(row.shared)
    yield from range(prefix)
    for own in row.own:
        yield from range(prefix, prefix + len(own))
