"""Prompts whose right order is known, and experts of known reliability who rank them; what a method makes of it."""

import random
from collections.abc import Iterable, Sequence
from itertools import combinations, permutations
from math import sqrt
from typing import NamedTuple

from annotation.simulation.experts import RELIABILITIES, noise_for, noisy_tiers
from annotation.tiers import level_of
from corpus.records import Tiers

TIED_SHARE = 0.25
Pair = tuple[str, str]
Quality = dict[str, float]


class Figures(NamedTuple):
    """Means over prompts of tau-b with the truth; shares of the pairs that differ in truth which were ordered rightly
    and wrongly; share of the pairs equal in truth that were ordered all the same; share of the ordered pairs on which
    the votes were even or against."""

    tau: float
    right: float
    wrong: float
    invented: float
    unfounded: float


def truths(prompts: int, seed: int, answers: int = 4) -> list[Quality]:
    """Standard normal qualities; in a quarter of the prompts two answers are equally good."""
    rng = random.Random(f"truth/{seed}")
    found = []
    for _ in range(prompts):
        quality = {f"o{number}": rng.gauss(0, 1) for number in range(answers)}
        if rng.random() < TIED_SHARE:
            one, other = rng.sample(sorted(quality), 2)
            quality[one] = quality[other]
        found.append(quality)
    return found


def panel(qualities: Sequence[Quality], experts: int, last: str, seed: int) -> list[dict[str, Tiers]]:
    """What the most reliable `experts` say of each prompt; the `last` of them is honest, random or adversarial."""
    gaps = [abs(one - other) for quality in qualities for one, other in combinations(quality.values(), 2)]
    noises = [noise_for(reliability, gaps) for reliability in RELIABILITIES[:experts]]
    return [
        {f"expert-{e}": _ranked(quality, noises, e, last, f"{seed}/{e}/{p}") for e in range(experts)}
        for p, quality in enumerate(qualities)
    ]


def _ranked(quality: Quality, noises: Sequence[float], expert: int, last: str, seed: str) -> Tiers:
    rng = random.Random(seed)
    if expert < len(noises) - 1 or last == "honest":
        return noisy_tiers(quality, noises[expert], rng)
    if last == "random":
        return noisy_tiers(dict.fromkeys(quality, 0.0), 1.0, rng)
    return noisy_tiers({name: -value for name, value in quality.items()}, noises[expert], rng)


def ordered(tiers: Tiers) -> set[Pair]:
    """The pairs (better, worse) of an order."""
    level = level_of(tiers)
    return {(one, other) for one, other in permutations(level, 2) if level[one] < level[other]}


def judge(
    qualities: Sequence[Quality],
    orders: Iterable[set[Pair]],
    used: Iterable[set[Pair]],
    majorities: Iterable[set[Pair]],
) -> Figures:
    """Compare a method's order of each prompt, and the pairs that it would have a model trained on, with the truth."""
    taus, strict, even, right, wrong, invented, unfounded, pairs = [], 0, 0, 0, 0, 0, 0, 0
    for quality, order, usable, majority in zip(qualities, orders, used, majorities, strict=True):
        real = {(one, other) for one, other in permutations(quality, 2) if quality[one] > quality[other]}
        against = {pair[::-1] for pair in real}
        scale = sqrt(len(real) * len(order))
        taus.append((len(order & real) - len(order & against)) / scale if scale else 0.0)
        strict, even = strict + len(real), even + len(quality) * (len(quality) - 1) // 2 - len(real)
        right, wrong = right + len(usable & real), wrong + len(usable & against)
        invented += len(usable - real - against)
        unfounded, pairs = unfounded + len(usable - majority), pairs + len(usable)
    return Figures(sum(taus) / len(taus), right / strict, wrong / strict, invented / even, unfounded / max(pairs, 1))
