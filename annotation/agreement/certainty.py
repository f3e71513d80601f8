"""How sure the majorities of a campaign are."""

from __future__ import annotations

from collections import Counter
from math import comb

import msgspec
import numpy as np

from annotation.agreement.measures import Levels, ranked, signs

KINDS = ("unanimous", "clear", "narrow", "tied", "silent")


class Certainty(msgspec.Struct, frozen=True, kw_only=True):
    """How the votes on pairs of answers lie: all one way, at least two to one, narrower, as many each way, or nobody
    with an opinion. `chances` are (chance that most of an unlimited panel would agree with the majority, pairs)."""

    unanimous: int
    clear: int
    narrow: int
    tied: int
    silent: int
    chances: list[tuple[float, int]]

    @property
    def kinds(self) -> dict[str, int]:
        """The counts by kind."""
        return {kind: getattr(self, kind) for kind in KINDS}

    @property
    def sure(self) -> float | None:
        """The mean chance, over the pairs that have a majority."""
        pairs = sum(count for _, count in self.chances)
        return sum(chance * count for chance, count in self.chances) / pairs if pairs else None


def certainty(levels: Levels) -> Certainty:
    """How sure the majorities are, pair by pair, on the prompts with two rankings or more.

    With w votes for and l against, and every share of the unlimited panel equally likely beforehand, its majority is
    the same one with the chance that Beta(w + 1, l + 1) exceeds one half.
    """
    shared = levels[:, ranked(levels).sum(axis=0) >= 2]
    ordered = signs(shared)
    there = np.any(shared >= 0, axis=0)
    first, second = np.triu_indices(levels.shape[-1], 1)
    exists = there[:, first] & there[:, second]
    ahead, behind = (ordered > 0).sum(axis=0)[exists], (ordered < 0).sum(axis=0)[exists]
    votes = Counter(zip(np.maximum(ahead, behind).tolist(), np.minimum(ahead, behind).tolist(), strict=True))
    kinds: Counter[str] = Counter()
    for (more, fewer), count in votes.items():
        kinds[_kind(more, fewer)] += count
    return Certainty(
        unanimous=kinds["unanimous"],
        clear=kinds["clear"],
        narrow=kinds["narrow"],
        tied=kinds["tied"],
        silent=kinds["silent"],
        chances=[(chance_of_majority(*vote), count) for vote, count in sorted(votes.items()) if vote[0] > vote[1]],
    )


def chance_of_majority(more: int, fewer: int) -> float:
    """The chance that Beta(more + 1, fewer + 1) exceeds one half, as the binomial tail that it equals."""
    tosses = more + fewer + 1
    chance: float = sum(comb(tosses, heads) for heads in range(more + 1)) / 2**tosses
    return chance


def _kind(more: int, fewer: int) -> str:
    if more == fewer:
        return "tied" if more else "silent"
    if not fewer:
        return "unanimous"
    return "clear" if more >= 2 * fewer else "narrow"
