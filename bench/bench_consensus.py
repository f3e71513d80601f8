"""Which method recovers the true order best from one to six simulated experts, the last honest, random or adversarial.

python bench/bench_consensus.py [PROMPTS]
"""

import sys
import time
from collections.abc import Sequence

from simulated_panel import Figures, Pair, Quality, judge, ordered, panel, truths

from annotation.consensus.methods import consensuses
from annotation.consensus.ranked_pairs import count_votes
from annotation.errors import InvalidError
from corpus.records import Tiers

Prompts = Sequence[dict[str, Tiers]]
SEED = 7


def majorities(prompt: dict[str, Tiers]) -> set[Pair]:
    votes = count_votes(list(prompt.values()))
    return {pair for pair in votes if votes[pair] > votes[pair[::-1]]}


def first_come(prompts: Prompts) -> tuple[list[set[Pair]], list[set[Pair]]]:
    """The published tool keeps one ranking a prompt, whoever made it: here, each expert's in turn."""
    kept = [ordered(list(prompt.values())[place % len(prompt)]) for place, prompt in enumerate(prompts)]
    return kept, kept


def plain_majority(prompts: Prompts) -> tuple[list[set[Pair]], list[set[Pair]]]:
    """Every pair by itself, cycles and all."""
    found = [majorities(prompt) for prompt in prompts]
    return found, found


def by(method: str):
    def run(prompts: Prompts) -> tuple[list[set[Pair]], list[set[Pair]]]:
        found = [(ordered(each.tiers), each.margins) for each in consensuses(prompts, method)]
        used = [{pair for pair in order if f"{pair[0]}>{pair[1]}" in margins} for order, margins in found]
        return [order for order, _ in found], used

    return run


METHODS = {
    "first come": first_come,
    "plain majority": plain_majority,
    "ranked pairs": by("ranked_pairs"),
    "Borda": by("borda"),
    "Plackett-Luce": by("plackett_luce"),
}


def figures(name: str, prompts: Prompts, qualities: Sequence[Quality]) -> Figures | None:
    try:
        orders, used = METHODS[name](prompts)
    except InvalidError:
        return None
    return judge(qualities, orders, used, [majorities(prompt) for prompt in prompts])


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    qualities = truths(count, SEED)
    print(f"{count} prompts of four answers; shares in %, tau-b mean over prompts")
    for last in ("honest", "random", "adversarial"):
        print(f"\nthe last expert is {last}\n")
        print("| experts | method | tau-b | right | wrong | invented | without a majority | CPU s |")
        print("|---|---|---|---|---|---|---|---|")
        for experts in range(1 if last == "honest" else 2, 7):
            prompts = panel(qualities, experts, last, SEED)
            for name in METHODS:
                start = time.process_time()
                found = figures(name, prompts, qualities)
                spent = time.process_time() - start
                if found is None:
                    print(f"| {experts} | {name} | refused: too little to tell | | | | | |")
                    continue
                shares = " | ".join(f"{100 * value:.1f}" for value in found[1:])
                print(f"| {experts} | {name} | {found.tau:.3f} | {shares} | {spent:.2f} |")


if __name__ == "__main__":
    main()
