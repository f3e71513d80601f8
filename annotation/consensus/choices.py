"""Rankings with ties as choices of sets, the arrays that the Plackett-Luce fit works on.

A ranking is read from the top: of all answers its first tier is chosen, then of the rest the second, and so on. What
is chosen from are the non-empty sets of what is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpus.records import Tiers

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_CELLS = 4_000_000


class Choices(NamedTuple):
    """All choices made at P prompts of K answers each; their M = 2^K - 1 sets are numbered by their bits, less 1.

    `prompts` (P) are their places among all prompts and `ids` their answers, sorted. `means` (M, K) turns abilities
    into each set's mean, `sizes` (M) counts its members. Of the C choices, sorted by prompt, `prompt`, `expert` and
    `chosen` (C) say where, by whom and which set, `closed` (C, M) which sets could not be chosen; `starts` (P) is the
    first of each prompt.
    """

    prompts: list[int]
    ids: list[list[str]]
    means: Floats
    sizes: Ints
    prompt: Ints
    expert: Ints
    chosen: Ints
    closed: NDArray[np.bool_]
    starts: Ints

    def by_prompt(self, values: Floats) -> Floats:
        """The sums of each prompt's rows of `values` (C, …)."""
        return np.add.reduceat(values, self.starts, axis=0)


def choices_of(prompts: Sequence[Mapping[str, Tiers]], experts: Sequence[str]) -> list[Choices]:
    """The choices in `prompts` (expert to tiers, none empty), in blocks of prompts with equally many answers, so that
    a block's table of choices and sets has at most `MOST_CELLS` cells."""
    number = {expert: place for place, expert in enumerate(experts)}
    size = [sum(map(len, next(iter(prompt.values())))) for prompt in prompts]
    order = sorted(range(len(prompts)), key=lambda place: size[place])
    blocks = []
    for answers, places in groupby(order, key=lambda place: size[place]):
        held = list(places)
        most = max(1, MOST_CELLS // (2**answers * answers * len(experts)))
        blocks += [_block(held[start : start + most], prompts, number, answers) for start in range(0, len(held), most)]
    return blocks


def _block(
    places: list[int], prompts: Sequence[Mapping[str, Tiers]], number: Mapping[str, int], answers: int
) -> Choices:
    ids = [sorted(name for tier in next(iter(prompts[place].values())) for name in tier) for place in places]
    rows = [
        (row, number[expert], chosen, left)
        for row, place in enumerate(places)
        for expert, tiers in sorted(prompts[place].items())
        for chosen, left in _stages(tiers, ids[row])
    ]
    prompt, expert, chosen, left = (np.array(column) for column in zip(*rows, strict=True))
    sets = np.arange(1, 2**answers)
    members = (sets[:, None] >> np.arange(answers)) & 1
    sizes = members.sum(axis=1)
    return Choices(
        prompts=places,
        ids=ids,
        means=members / sizes[:, None],
        sizes=sizes,
        prompt=prompt,
        expert=expert,
        chosen=chosen - 1,
        closed=(sets[None, :] & ~left[:, None]) != 0,
        starts=np.searchsorted(prompt, np.arange(len(places))),
    )


def _stages(tiers: Tiers, ids: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Each choice of a ranking as (set chosen, set left to choose from), by bits; a last single answer is no choice."""
    bit = {name: 1 << place for place, name in enumerate(ids)}
    left = (1 << len(ids)) - 1
    for tier in tiers:
        if left.bit_count() < 2:
            return
        chosen = sum(bit[name] for name in tier)
        yield chosen, left
        left &= ~chosen
