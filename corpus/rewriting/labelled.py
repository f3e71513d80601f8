"""Rewrites labelled by hand with what they do to their originals, and how well the check tells.

A line is ``kind | original | rewrite``, the kind being that of the fault put in, or `faithful`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

import msgspec

from corpus.rewriting.fidelity import FaultKind, FidelityCheck
from foundation.errors import ZhongjingError
from foundation.files import existing_file

FAITHFUL = "faithful"
_KINDS = frozenset((FAITHFUL, *get_args(FaultKind)))


class Pair(msgspec.Struct, frozen=True):
    """An original and a rewrite that is faithful or has a fault of this kind."""

    kind: str
    original: str
    rewrite: str


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One kind: of `pairs` the check rejected `rejected`, `named` of them for a fault of this very kind."""

    kind: str
    pairs: int
    rejected: int
    named: int


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a file; lines that begin with # are comments."""
    pairs = []
    for number, line in enumerate(existing_file(path).read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split(" | ")]
        if len(parts) != 3 or parts[0] not in _KINDS:
            raise ZhongjingError("this is no pair", where=f"{path}:{number}", hint="write kind | original | rewrite")
        pairs.append(Pair(*parts))
    return pairs


def measure(check: FidelityCheck, pairs: Sequence[Pair]) -> list[Score]:
    """A score for each kind, in the order in which they come."""
    found = [(pair.kind, {fault.kind for fault in check.faults(pair.original, pair.rewrite)}) for pair in pairs]
    return [
        Score(
            kind=kind,
            pairs=sum(one == kind for one, _ in found),
            rejected=sum(one == kind and bool(faults) for one, faults in found),
            named=sum(one == kind and kind in faults for one, faults in found),
        )
        for kind in dict.fromkeys(pair.kind for pair in pairs)
    ]


def recall(scores: Iterable[Score]) -> float:
    """The part of the faulty rewrites that was rejected."""
    faulty = [score for score in scores if score.kind != FAITHFUL]
    return sum(score.rejected for score in faulty) / max(1, sum(score.pairs for score in faulty))


def precision(scores: Iterable[Score]) -> float:
    """The part of the rejected rewrites that was faulty."""
    rejected = [(score.kind != FAITHFUL, score.rejected) for score in scores]
    return sum(count for faulty, count in rejected if faulty) / max(1, sum(count for _, count in rejected))


def table(scores: Sequence[Score]) -> list[str]:
    """Lines for a terminal."""
    lines = [f"{'kind':<12}{'pairs':>7}{'rejected':>10}{'named':>8}"]
    lines += [f"{one.kind:<12}{one.pairs:>7}{one.rejected:>10}{one.named:>8}" for one in scores]
    return [*lines, f"recall {recall(scores):.3f}, precision {precision(scores):.3f}"]
