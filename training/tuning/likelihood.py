"""How likely a model finds what it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from foundation.errors import needs_extra
from foundation.progress import track
from training.runtime import device, machine
from training.tuning.turns import IGNORED, Tokens

with needs_extra("train", "measuring a language model"):
    import torch
    from accelerate.utils import gather_object
    from torch.nn.functional import cross_entropy


class Likelihood(msgspec.Struct, frozen=True, kw_only=True):
    """Mean negative log-likelihood in nats per token that counts, before and after training."""

    rows: int
    tokens: int
    before: float
    after: float


def surprises(model: Any, rows: Sequence[Tokens]) -> list[float]:
    """Each row's negative log-likelihood in nats, summed over the tokens that count. Processes share the rows."""
    mine = range(machine().process_index, len(rows), machine().num_processes)
    with torch.no_grad():
        found = [(place, _surprise(model, rows[place])) for place in track(mine, "measuring on texts held out")]
    return [value for _, value in sorted(gather_object(found))]


def counted(row: Tokens) -> int:
    """How many tokens of a row have something before them to be foretold from."""
    return sum(label != IGNORED for label in row.labels[1:])


def likelihood(rows: Sequence[Tokens], before: Sequence[float], after: Sequence[float]) -> Likelihood:
    """The means over some rows of what `surprises` gave."""
    tokens = sum(map(counted, rows))
    share = 1 / max(1, tokens)
    return Likelihood(rows=len(rows), tokens=tokens, before=sum(before) * share, after=sum(after) * share)


def _surprise(model: Any, row: Tokens) -> float:
    labels = torch.tensor(row.labels[1:], device=device())
    places = labels.ne(IGNORED).nonzero().flatten()
    tokens = torch.tensor([row.input_ids], device=device())
    logits = model(input_ids=tokens, logits_to_keep=places, use_cache=False).logits[0].float()
    return cross_entropy(logits, labels[places], reduction="sum").item()
