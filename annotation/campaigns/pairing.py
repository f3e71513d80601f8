"""Who judges what: every task goes to `overlap` experts so that loads and meetings are even."""

from __future__ import annotations

import random
from itertools import combinations
from math import comb

MOST_TEAMS = 1000


def pair_up(tasks: int, experts: int, overlap: int, seed: int) -> list[list[int]]:
    """For each task the sorted indices of its experts.

    Each task goes to the team whose members have met each other least often so far, then worked least; what is still
    equal is drawn with `seed`. With up to a dozen experts all teams are weighed, otherwise `MOST_TEAMS` drawn ones.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    teams = _teams(experts, overlap, seed)
    pairs = list(combinations(range(experts), 2))
    member = np.array([[expert in team for expert in range(experts)] for team in teams], dtype=np.float32)
    meets = np.array([[one in team and other in team for one, other in pairs] for team in teams], dtype=np.float32)
    load, met = np.zeros(experts, dtype=np.float32), np.zeros(len(pairs), dtype=np.float32)
    plan = []
    for _ in range(tasks):
        cost = meets @ met + member @ load
        chosen = rng.choice(np.flatnonzero(cost == cost.min()))
        load += member[chosen]
        met += meets[chosen]
        plan.append(list(teams[chosen]))
    return plan


def _teams(experts: int, overlap: int, seed: int) -> list[tuple[int, ...]]:
    if comb(experts, overlap) <= MOST_TEAMS:
        return list(combinations(range(experts), overlap))
    rng = random.Random(f"teams/{seed}")
    return [tuple(sorted(rng.sample(range(experts), overlap))) for _ in range(MOST_TEAMS)]
