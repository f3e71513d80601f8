"""Who judges what: every task goes to `overlap` experts so that loads and meetings are even."""

from __future__ import annotations

import random
from itertools import combinations


def pair_up(tasks: int, experts: int, overlap: int, seed: int) -> list[list[int]]:
    """For each task the sorted indices of its experts.

    Each seat goes to the expert with the least work so far, among equals to the one who has met those already
    seated least often; what is still equal is drawn with `seed`. Loads differ by at most one.
    """
    rng = random.Random(f"pairing/{seed}")
    load = [0] * experts
    met = [[0] * experts for _ in range(experts)]
    plan = []
    for _ in range(tasks):
        seated: list[int] = []
        luck = rng.sample(range(experts), experts)
        while len(seated) < overlap:
            free = (expert for expert in range(experts) if expert not in seated)
            seated.append(min(free, key=lambda e: (load[e], sum(met[e][other] for other in seated), luck[e])))
        for expert in seated:
            load[expert] += 1
        for one, other in combinations(seated, 2):
            met[one][other] += 1
            met[other][one] += 1
        plan.append(sorted(seated))
    return plan
