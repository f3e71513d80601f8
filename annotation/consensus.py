"""From several rankings to one: ranked pairs (Tideman 1987) that leaves a real tie where majorities tie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, groupby

import networkx as nx

from corpus.records import Consensus, Tiers

METHOD = "ranked_pairs"
ADJUDICATED = "adjudication"

Pair = tuple[str, str]
Votes = Mapping[Pair, int]


def consensus(judgements: Sequence[Tiers], decided: Tiers | None = None) -> Consensus:
    """The order that `judgements` (each best first, over the same ids) add up to; `decided`, a senior expert's
    order, overrides them.

    Majorities are locked in from the strongest down; majorities of equal strength are treated alike, and those that
    would close a cycle among themselves or against stronger ones are left out. Two ids without a locked path
    either way stand as high as what is locked above them lets them. `margins` holds every strict majority, and
    only those: a pair that is absent there was not preferred by anyone's count, whatever the tiers look like.
    """
    if decided is not None:
        return Consensus(tiers=_sorted(decided), method=ADJUDICATED, margins=dict.fromkeys(_ordered(decided), 1.0))
    votes = count_votes(judgements)
    majorities = {pair: votes[pair] - votes[pair[::-1]] for pair in votes if votes[pair] > votes[pair[::-1]]}
    margins = {
        f"{better}>{worse}": majority / len(judgements) for (better, worse), majority in sorted(majorities.items())
    }
    return Consensus(tiers=_levels(_lock(_ids(judgements), majorities)), method=METHOD, margins=margins)


def count_votes(judgements: Sequence[Tiers]) -> dict[Pair, int]:
    """How many judgements put the first of a pair strictly above the second, for all ordered pairs."""
    votes = {pair: 0 for one, other in combinations(_ids(judgements), 2) for pair in ((one, other), (other, one))}
    for tiers in judgements:
        for better, worse in combinations(tiers, 2):
            for pair in ((one, other) for one in better for other in worse):
                votes[pair] += 1
    return votes


def level_of(tiers: Tiers) -> dict[str, int]:
    """Each id's tier, 0 the best."""
    return {output_id: level for level, tier in enumerate(tiers) for output_id in tier}


def _ids(judgements: Sequence[Tiers]) -> list[str]:
    if not judgements:
        raise ValueError("a consensus needs at least one judgement")
    first = sorted(output_id for tier in judgements[0] for output_id in tier)
    if any(sorted(output_id for tier in tiers for output_id in tier) != first for tiers in judgements):
        raise ValueError("all judgements of a consensus rank the same ids")
    return first


def _lock(ids: Iterable[str], majorities: Mapping[Pair, int]) -> nx.DiGraph[str]:
    locked: nx.DiGraph[str] = nx.DiGraph()
    locked.add_nodes_from(ids)
    strongest_first = sorted(majorities, key=lambda pair: -majorities[pair])
    for _, equals in groupby(strongest_first, key=lambda pair: majorities[pair]):
        possible = [pair for pair in equals if not nx.has_path(locked, pair[1], pair[0])]
        candidate = locked.copy()
        candidate.add_edges_from(possible)
        cycles = list(nx.strongly_connected_components(candidate))
        locked.add_edges_from(pair for pair in possible if not any(cycle.issuperset(pair) for cycle in cycles))
    return locked


def _levels(order: nx.DiGraph[str]) -> Tiers:
    return [sorted(level) for level in nx.topological_generations(order)]


def _ordered(tiers: Tiers) -> list[str]:
    return sorted(f"{a}>{b}" for better, worse in combinations(tiers, 2) for a in better for b in worse)


def _sorted(tiers: Tiers) -> Tiers:
    return [sorted(tier) for tier in tiers]
