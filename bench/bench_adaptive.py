"""What is saved by asking for more opinions only where the votes leave a prompt open, against a fixed overlap.

python bench/bench_adaptive.py [PROMPTS]
"""

import random
import sys
from collections.abc import Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from simulated_panel import Pair, Quality, judge, ordered, panel, truths

from annotation.campaigns.settling import UNSETTLED, uncertainty
from annotation.consensus.ranked_pairs import consensus
from annotation.simulation.experts import SECONDS_MEDIAN, SECONDS_SPREAD
from corpus.records import Tiers

SEED, SEEDS, MOST, BOOTSTRAPS = 11, 5, 6, 1000
THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25)
SECONDS = SECONDS_MEDIAN * 2.718281828 ** (SECONDS_SPREAD**2 / 2)


def asked(opinions: Sequence[Tiers], fewest: int, threshold: float | None) -> list[Tiers]:
    """The opinions that a campaign takes in before it is settled, in the order in which experts come."""
    taken = fewest
    while threshold is not None and taken < MOST and uncertainty(opinions[:taken], MOST) > threshold:
        taken += 1
    return list(opinions[:taken])


def points(opinions: Sequence[Tiers], quality: Quality) -> tuple[float, int, set[Pair]]:
    """Of a prompt's pairs that differ in truth: rightly ordered ones, an undecided one counting half; how many there
    are; and what is ordered."""
    found = consensus(opinions)
    usable = {pair for pair in ordered(found.tiers) if f"{pair[0]}>{pair[1]}" in found.margins}
    real = {(one, other) for one, other in permutations(quality, 2) if quality[one] > quality[other]}
    return (len(real) + len(usable & real) - len(usable & {pair[::-1] for pair in real})) / 2, len(real), usable


def row(name: str, kept: Sequence[Sequence[Tiers]], qualities: Sequence[Quality], best: NDArray[np.float64]) -> None:
    told = [points(opinions, quality) for opinions, quality in zip(kept, qualities, strict=True)]
    orders = [ordered(consensus(opinions).tiers) for opinions in kept]
    used = [usable for _, _, usable in told]
    figures = judge(qualities, orders, used, used)
    right, pairs = np.array([won for won, _, _ in told]), np.array([count for _, count, _ in told])
    drawn = np.random.default_rng(SEED).integers(0, len(told), (BOOTSTRAPS, len(told)))
    low, high = np.quantile((right - best)[drawn].sum(axis=1) / pairs[drawn].sum(axis=1), (0.025, 0.975))
    opinions = sum(map(len, kept)) / len(kept)
    precision = figures.right / (figures.right + figures.wrong)
    print(
        f"| {name} | {opinions:.2f} | {1000 * opinions * SECONDS / 3600:.1f} | {100 * (1 - opinions / MOST):.0f} % | "
        f"{figures.tau:.3f} | {100 * right.sum() / pairs.sum():.1f} | {100 * low:+.1f} to {100 * high:+.1f} | "
        f"{100 * figures.right:.1f} | {100 * figures.wrong:.1f} | {100 * precision:.1f} |"
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    qualities, opinions = [], []
    for seed in range(SEED, SEED + SEEDS):
        truth = truths(count, seed)
        for place, prompt in enumerate(panel(truth, MOST, "honest", seed)):
            opinions.append(random.Random(f"{seed}/{place}").sample(list(prompt.values()), MOST))
        qualities += truth
    print(f"{len(qualities)} prompts, six experts in random order, {SECONDS:.0f} s a ranking; hours for 1,000 prompts")
    print("pairs that differ in truth, in %; an undecided pair counts half in the accuracy\n")
    print(
        "| overlap | opinions | hours | saved | tau-b | accuracy | against fixed 6 | right | wrong | right of ordered |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    best = np.array([points(each, quality)[0] for each, quality in zip(opinions, qualities, strict=True)])
    for overlap in range(2, MOST + 1):
        row(f"fixed {overlap}", [asked(each, overlap, None) for each in opinions], qualities, best)
    for threshold in THRESHOLDS:
        mark = " (ours)" if threshold == UNSETTLED else ""
        row(f"3 to 6, open above {threshold}{mark}", [asked(each, 3, threshold) for each in opinions], qualities, best)
    row(f"2 to 6, open above {UNSETTLED}", [asked(each, 2, UNSETTLED) for each in opinions], qualities, best)


if __name__ == "__main__":
    main()
