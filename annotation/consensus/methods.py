"""The consensus of every task of a campaign by one of three methods, each dimension by itself and then together.

Whatever the method, a margin is of votes: `margins` holds the strict majorities that the method's order does not
contradict. A method can leave a preference out, it cannot invent one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain, combinations, permutations, product
from typing import Literal, get_args

import msgspec

from annotation.consensus.plackett_luce import Posterior, fit
from annotation.consensus.ranked_pairs import (
    SINGLE,
    Pair,
    carried,
    combined,
    consensus,
    count_votes,
    ids_of,
    margins_of,
    ordered_by,
    undecided,
)
from annotation.errors import InvalidError
from annotation.judgements import JudgedTask
from corpus.records import Consensus, Dimension, Tiers
from foundation.progress import track

Method = Literal["ranked_pairs", "borda", "plackett_luce"]
METHODS: tuple[Method, ...] = get_args(Method)
CREDIBLE, DECIMALS = 0.8, 4

Orders = Mapping[str, Tiers]


def chosen_method(name: str) -> Method:
    """The method of this name."""
    for method in METHODS:
        if method == name:
            return method
    raise InvalidError("method", f"a consensus is found by one of: {', '.join(METHODS)}")


def campaign_consensus(
    tasks: Sequence[JudgedTask],
    priority: Sequence[Dimension],
    method: Method = "ranked_pairs",
    *,
    waiting: Collection[str] = (),
) -> list[Consensus]:
    """The consensus of each of `tasks`, which somebody has ranked in every dimension of `priority`, the first before
    all others. Prompts (ids) that are `waiting` for a senior expert have none."""
    by_dimension = {
        dimension: consensuses([_orders(task, dimension) for task in tasks], method) for dimension in priority
    }
    found = []
    for place, task in enumerate(tasks):
        parts = {dimension: rows[place] for dimension, rows in by_dimension.items()}
        if task.decided is not None:
            found.append(consensus(task.tiers(), task.decided))
        elif task.prompt.prompt_id in waiting:
            found.append(undecided(answer.output_id for answer in task.responses))
        else:
            found.append(combined(parts, priority) if len(parts) > 1 else carried(parts[priority[0]]))
    return found


def consensuses(prompts: Sequence[Orders], method: Method) -> list[Consensus]:
    """The consensus of each prompt (expert to tiers) in one dimension."""
    if method == "ranked_pairs":
        return [consensus(list(prompt.values())) for prompt in track(prompts, "consensus")]
    if method == "borda":
        orders = [borda(list(prompt.values())) for prompt in track(prompts, "consensus")]
        return [_agreed(prompt, tiers, method, _ordered(tiers)) for prompt, tiers in zip(prompts, orders, strict=True)]
    posteriors = fit(prompts).posteriors
    return [_believed(prompt, each) for prompt, each in zip(prompts, posteriors, strict=True)]


def borda(judgements: Sequence[Tiers]) -> Tiers:
    """Answers by Borda's count, over all judgements: how often above another answer less how often below one; equal
    counts tie."""
    votes = count_votes(judgements)
    ids = ids_of(judgements)
    points = {one: sum(votes[one, other] - votes[other, one] for other in ids if other != one) for one in ids}
    levels = sorted(set(points.values()), reverse=True)
    return [[output_id for output_id in ids if points[output_id] == level] for level in levels]


def credible(posterior: Posterior) -> Tiers:
    """Answers as far as one is better than another with a probability of `CREDIBLE`; the others tie."""
    chances = {pair: posterior.chance(*pair) for pair in permutations(posterior.ids, 2)}
    return ordered_by(posterior.ids, {pair: chance for pair, chance in chances.items() if chance >= CREDIBLE})


def _believed(prompt: Orders, posterior: Posterior) -> Consensus:
    tiers = credible(posterior)
    chances = {pair: posterior.chance(*pair) for pair in _ordered(tiers)}
    found = _agreed(prompt, tiers, "plackett_luce", [pair for pair in chances if chances[pair] >= CREDIBLE])
    told = {f"{a}>{b}": round(chances[a, b], DECIMALS) for a, b in sorted(_ordered(found.tiers))}
    return msgspec.structs.replace(found, chances=told)


def _agreed(prompt: Orders, tiers: Tiers, method: Method, ordered: Collection[Pair]) -> Consensus:
    """The majorities among the `ordered` pairs; without any, no order: readers take tiers without margins as such."""
    judgements = list(prompt.values())
    names = {f"{a}>{b}" for a, b in ordered}
    margins = {pair: margin for pair, margin in margins_of(judgements).items() if pair in names}
    if not margins:
        tiers = [sorted(chain(*tiers))]
    return Consensus(tiers=tiers, method=method if len(judgements) > 1 else SINGLE, margins=margins)


def _ordered(tiers: Tiers) -> list[Pair]:
    return [pair for upper, lower in combinations(tiers, 2) for pair in product(upper, lower)]


def _orders(task: JudgedTask, dimension: Dimension) -> dict[str, Tiers]:
    return {judgement.expert: judgement.tiers for judgement in task.judgements if judgement.dimension == dimension}
