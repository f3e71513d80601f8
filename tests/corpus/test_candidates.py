"""Groups of dialogues that may be alike, beside plain dictionaries of band values."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, pairwise

import networkx
import numpy as np
import pytest

from corpus.deduplication.candidates import SMALL, Groups, components, find_groups, forest, groups_of, joined
from corpus.deduplication.minhash import WIDTH, Bands, Sketches, bands_for


def drawn(documents: int, seed: int) -> Sketches:
    """Random sketches; half of them share some of their values with an earlier one, some with very many."""
    lots = np.random.default_rng(seed)
    sketches = lots.integers(0, 1 << 16, (documents, WIDTH), dtype=np.uint16)
    for copy in range(documents // 2, documents):
        original = 0 if copy % 5 == 0 else lots.integers(0, documents // 2)
        shared = lots.random(WIDTH) < lots.choice([0.2, 0.5, 0.9, 1.0])
        sketches[copy, shared] = sketches[original, shared]
    return sketches


def buckets_of(sketches: Sketches, bands: Bands, frozen: int) -> Iterator[list[int]]:
    for band in bands:
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for document, values in enumerate(sketches[:, band]):
            buckets[values.tobytes()].append(document)
        yield from (bucket for bucket in buckets.values() if len(bucket) > 1 and bucket[-1] >= frozen)


def found(groups: Groups) -> list[tuple[int, ...]]:
    return [tuple(groups.members[first:last]) for first, last in zip(groups.starts, groups.starts[1:], strict=False)]


@pytest.mark.parametrize("frozen", [0, 120])
@pytest.mark.parametrize("threads", [1, 2])
def test_groups_are_what_meets_in_a_band(frozen: int, threads: int) -> None:
    sketches, bands, least = drawn(300, seed=frozen), bands_for(0.5, 300), 38
    pairs, large = set(), []
    for bucket in buckets_of(sketches, bands, frozen):
        if len(bucket) > SMALL:
            large.append(tuple(bucket))
            continue
        for one, other in combinations(bucket, 2):
            if other >= frozen and np.count_nonzero(sketches[one] == sketches[other]) >= least:
                pairs.add((one, other))
    groups = find_groups(
        sketches, np.arange(300), bands, frozen=frozen, least=least, threads=threads, step=lambda: None
    )
    assert sorted(group for group in found(groups) if len(group) == 2) == sorted(pairs)
    assert sorted(group for group in found(groups) if len(group) > 2) == sorted(large)
    assert pairs and large


@pytest.mark.parametrize("seed", range(8))
def test_trees_of_shares_hang_together_as_all_groups_do(seed: int) -> None:
    lots = np.random.default_rng(seed)
    everything, trees = networkx.Graph(), []
    for _ in range(5):
        one = lots.integers(0, 199, 30).astype(np.uint64)
        pairs = one << np.uint64(32) | (one + lots.integers(1, 200 - one).astype(np.uint64))
        sizes = lots.integers(9, 12, 2)
        members = np.concatenate([np.sort(lots.choice(200, size, replace=False)) for size in sizes]).astype(np.int32)
        joint, starts = joined(pairs, [members], [sizes])
        for first, last in pairwise(starts):
            networkx.add_path(everything, joint[first:last].tolist())
        trees.append(forest(joint, starts))
        linked = len(np.unique(joint))
        assert len(trees[-1]) < linked <= 2 * len(trees[-1])
    documents, parts = components(groups_of(np.concatenate(trees), [], [], 200), 200)
    found = {frozenset(documents[first:last].tolist()) for first, last in pairwise(parts)}
    assert found == set(map(frozenset, networkx.connected_components(everything)))
