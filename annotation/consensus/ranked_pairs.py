"""From several rankings to one: ranked pairs (Tideman 1987) that leaves a real tie where majorities tie, and the
dimensions of one prompt put together by their priority."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, groupby, permutations
from typing import TYPE_CHECKING, Any

import msgspec

from annotation.tiers import level_of
from corpus.records import Consensus, Dimension, Tiers

if TYPE_CHECKING:
    import networkx as nx

RANKED_PAIRS = "ranked_pairs"
ADJUDICATED = "adjudication"
SINGLE = "single_opinion"
UNDECIDED = "undecided"

Pair = tuple[str, str]
Votes = Mapping[Pair, int]
NO_STRENGTH = (-99, 0.0)


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
    if len(judgements) == 1:
        return Consensus(tiers=_sorted(judgements[0]), method=SINGLE, margins=margins_of(judgements))
    votes = count_votes(judgements)
    majorities = {pair: votes[pair] - votes[pair[::-1]] for pair in votes if votes[pair] > votes[pair[::-1]]}
    tiers = ordered_by(ids_of(judgements), majorities)
    return Consensus(tiers=tiers, method=RANKED_PAIRS, margins=margins_of(judgements))


def margins_of(judgements: Sequence[Tiers]) -> dict[str, float]:
    """Every strict majority as ``better>worse``, with (wins - losses) / judgements."""
    votes = count_votes(judgements)
    balance = {pair: votes[pair] - votes[pair[::-1]] for pair in votes}
    return {f"{a}>{b}": balance[a, b] / len(judgements) for a, b in sorted(balance) if balance[a, b] > 0}


def combined(parts: Mapping[Dimension, Consensus], priority: Sequence[Dimension]) -> Consensus:
    """One order of the dimensions' own, the first of `priority` before all others.

    The preferences of a dimension are locked in, strongest first, before any of the next: a lower dimension orders
    what those above it leave open and overrules none of them, directly or through other answers. A pair's margin is
    that of the first dimension which has one, named in `deciding`; a majority that gave way in a circle has none.
    """
    import networkx as nx

    first = parts[priority[0]]
    ids = sorted(output_id for tier in first.tiers for output_id in tier)
    strengths: dict[Pair, tuple[int, float]] = {}
    for rank, dimension in enumerate(priority):
        margins = parts[dimension].margins
        for better, worse in permutations(ids, 2):
            if margin := margins.get(f"{better}>{worse}"):
                strengths.setdefault((better, worse), (-rank, margin))
    locked = _lock(ids, strengths)
    decided = {
        pair: strength
        for pair, strength in strengths.items()
        if strength > strengths.get(pair[::-1], NO_STRENGTH) and nx.has_path(locked, *pair)
    }
    return Consensus(
        tiers=_levels(locked),
        method=first.method,
        margins={f"{a}>{b}": decided[a, b][1] for a, b in sorted(decided)},
        deciding={f"{a}>{b}": priority[-decided[a, b][0]] for a, b in sorted(decided)},
        dimensions=dict(parts),
    )


def carried(found: Consensus) -> Consensus:
    """The same order with those margins alone that it carries: without the majorities that gave way in a circle."""
    level = level_of(found.tiers)
    against = [pair for pair in permutations(level, 2) if level[pair[0]] >= level[pair[1]]]
    if not any(f"{a}>{b}" in found.margins for a, b in against):
        return found
    return msgspec.structs.replace(found, margins=combined({"overall": found}, ["overall"]).margins)


def undecided(ids: Iterable[str]) -> Consensus:
    """No order at all: what waits for a senior expert."""
    return Consensus(tiers=[sorted(ids)], method=UNDECIDED, margins={})


def ordered_by(ids: Iterable[str], strengths: Mapping[Pair, Any]) -> Tiers:
    """Tiers of the preferences in `strengths` (better, worse), locked in from the strongest down; see `consensus`."""
    return _levels(_lock(ids, strengths))


def count_votes(judgements: Sequence[Tiers]) -> dict[Pair, int]:
    """How many judgements put the first of a pair strictly above the second, for all ordered pairs."""
    votes = {pair: 0 for one, other in combinations(ids_of(judgements), 2) for pair in ((one, other), (other, one))}
    for tiers in judgements:
        for better, worse in combinations(tiers, 2):
            for pair in ((one, other) for one in better for other in worse):
                votes[pair] += 1
    return votes


def ids_of(judgements: Sequence[Tiers]) -> list[str]:
    """The ids that all of `judgements` rank, sorted; an error where they differ or there is none."""
    if not judgements:
        raise ValueError("a consensus needs at least one judgement")
    first = sorted(output_id for tier in judgements[0] for output_id in tier)
    if any(sorted(output_id for tier in tiers for output_id in tier) != first for tiers in judgements):
        raise ValueError("all judgements of a consensus rank the same ids")
    return first


def _lock(ids: Iterable[str], strengths: Mapping[Pair, Any]) -> nx.DiGraph[str]:
    import networkx as nx

    locked: nx.DiGraph[str] = nx.DiGraph()
    locked.add_nodes_from(ids)
    strongest_first = sorted(strengths, key=lambda pair: strengths[pair], reverse=True)
    for _, equals in groupby(strongest_first, key=lambda pair: strengths[pair]):
        possible = [pair for pair in equals if not nx.has_path(locked, pair[1], pair[0])]
        candidate = locked.copy()
        candidate.add_edges_from(possible)
        cycles = list(nx.strongly_connected_components(candidate))
        locked.add_edges_from(pair for pair in possible if not any(cycle.issuperset(pair) for cycle in cycles))
    return locked


def _levels(locked: nx.DiGraph[str]) -> Tiers:
    import networkx as nx

    return [sorted(level) for level in nx.topological_generations(locked)]


def _ordered(tiers: Tiers) -> list[str]:
    return sorted(f"{a}>{b}" for better, worse in combinations(tiers, 2) for a in better for b in worse)


def _sorted(tiers: Tiers) -> Tiers:
    return [sorted(tier) for tier in tiers]
