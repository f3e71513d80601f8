"""One prompt and its K answers in one row: what they share is encoded once.

A row is the shared prefix followed by each answer's own tokens. An answer's tokens see the prefix and their own
answer alone, and their positions go on from the prefix, so that every score is the one a row of its own would get.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from corpus.records import Message
from foundation.errors import needs_extra
from training.models import render, shorter

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
    """B rows of at most L tokens with at most K answers.

    `tokens` and `positions` are (B, L); `mask` (B, 1, L, L) is added to attention logits; `last` (B, K) is where
    each answer ends, and `there` (B, K) is false where a row has fewer answers.
    """

    tokens: Tensor
    positions: Tensor
    mask: Tensor
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


def collate(rows: Sequence[Row], pad: int, device: torch.device) -> Batch:
    """Rows of any length and K, padded on the right."""
    length = max(len(row.shared) + sum(map(len, row.own)) for row in rows)
    answers = max(len(row.own) for row in rows)
    tokens = torch.full((len(rows), length), pad)
    positions = torch.zeros((len(rows), length), dtype=torch.long)
    sees = torch.eye(length, dtype=torch.bool).repeat(len(rows), 1, 1)
    last = torch.zeros((len(rows), answers), dtype=torch.long)
    there = torch.zeros((len(rows), answers), dtype=torch.bool)
    for number, row in enumerate(rows):
        _fill(row, tokens[number], positions[number], sees[number], last[number])
        there[number, : len(row.own)] = True
    mask = torch.zeros(sees.shape).masked_fill(~sees, torch.finfo(torch.float32).min).unsqueeze(1)
    return Batch(*(tensor.to(device) for tensor in (tokens, positions, mask, last, there)))


def scores(model: Any, batch: Batch) -> Tensor:
    """(B, K) scores at each answer's last token; 0 where there is no answer. `model` is a sequence classifier."""
    plain = model.get_base_model() if hasattr(model, "get_base_model") else model
    trunk = getattr(plain, plain.base_model_prefix)
    hidden = trunk(
        input_ids=batch.tokens,
        position_ids=batch.positions,
        attention_mask=batch.mask.to(plain.dtype),
        use_cache=False,
    ).last_hidden_state
    ends = hidden.gather(1, batch.last.unsqueeze(-1).expand(-1, -1, hidden.shape[-1]))
    result: Tensor = plain.score(ends).squeeze(-1).float()
    return result.masked_fill(~batch.there, 0.0)


def _fill(row: Row, tokens: Tensor, positions: Tensor, sees: Tensor, last: Tensor) -> None:
    prefix = len(row.shared)
    tokens[:prefix] = torch.tensor(row.shared, dtype=torch.long)
    positions[:prefix] = torch.arange(prefix)
    sees[:prefix, :prefix] = torch.ones(prefix, prefix, dtype=torch.bool).tril()
    start = prefix
    for number, own in enumerate(row.own):
        end = start + len(own)
        tokens[start:end] = torch.tensor(own)
        positions[start:end] = torch.arange(prefix, prefix + len(own))
        sees[start:end, :prefix] = True
        sees[start:end, start:end] = torch.ones(len(own), len(own), dtype=torch.bool).tril()
        last[number] = end - 1
        start = end
