"""What gives a policy away that learned to please the reward model instead of the patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

GRAM = 4
LONGER, REPEATED, ENDED = 1.5, 0.15, 0.25


class Watched(Protocol):
    """The figures of an iteration that are looked at."""

    @property
    def length(self) -> float:
        """Tokens an answer."""

    @property
    def repetition(self) -> float:
        """Share of runs of four tokens that an answer had before."""

    @property
    def ended(self) -> float:
        """Share of answers that ended by themselves."""

    @property
    def reward(self) -> float:
        """Mean reward."""


def repetition(answers: Sequence[Sequence[int]]) -> float:
    """The share of runs of four tokens that came before in the same answer, over all answers; 0 of short ones."""
    repeated = total = 0
    for answer in answers:
        grams = Counter(tuple(answer[place : place + GRAM]) for place in range(len(answer) - GRAM + 1))
        total += grams.total()
        repeated += grams.total() - len(grams)
    return repeated / total if total else 0.0


def signs_of_hacking(history: Sequence[Watched]) -> list[str]:
    """What changed while the reward rose, between the first and the last tenth of a run, in words; often nothing."""
    if not history:
        return []
    tenth = max(1, len(history) // 10)
    early, late = history[:tenth], history[-tenth:]

    def means(name: str) -> tuple[float, float]:
        first, last = (sum(getattr(step, name) for step in part) / len(part) for part in (early, late))
        return first, last

    reward, length, repeats, ended = (means(name) for name in ("reward", "length", "repetition", "ended"))
    if reward[1] <= reward[0]:
        return []
    told = [
        (length[1] > LONGER * length[0], f"answers grew from {length[0]:.0f} to {length[1]:.0f} tokens"),
        (length[0] > LONGER * length[1], f"answers shrank from {length[0]:.0f} to {length[1]:.0f} tokens"),
        (repeats[1] > repeats[0] + REPEATED, f"repeated runs rose from {repeats[0]:.0%} to {repeats[1]:.0%}"),
        (ended[1] < ended[0] - ENDED, f"answers that end by themselves fell from {ended[0]:.0%} to {ended[1]:.0%}"),
    ]
    return [words for true, words in told if true]
