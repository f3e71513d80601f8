"""Millions of statements held against a graph at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kg.relations import resolve

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph

Ends = Sequence[str] | NDArray[np.integer[Any]]


def has_many(
    graph: KnowledgeGraph, subjects: Ends, objects: Ends, relation: str | Sequence[str] | None
) -> NDArray[np.bool_]:
    """What `KnowledgeGraph.has_many` says: a hash look-up of each pair, packed into one number, by polars."""
    heads, tails = _numbers(graph, subjects), _numbers(graph, objects)
    if len(heads) != len(tails):
        raise ValueError(f"{len(heads):,} subjects, {len(tails):,} objects")
    if relation is None or isinstance(relation, str):
        return _has(graph, heads, tails, relation)
    if len(relation) != len(heads):
        raise ValueError(f"{len(heads):,} subjects, {len(relation):,} relations")
    names, which = np.unique(np.asarray(relation, dtype=object).astype(str), return_inverse=True)
    found = np.zeros(len(heads), dtype=np.bool_)
    for place, name in enumerate(names.tolist()):
        rows = np.flatnonzero(which == place)
        found[rows] = _has(graph, heads[rows], tails[rows], name)
    return found


def _numbers(graph: KnowledgeGraph, ends: Ends) -> NDArray[np.int64]:
    numbers = ends if isinstance(ends, np.ndarray) and ends.dtype.kind in "iu" else graph.numbers(list(map(str, ends)))
    return np.asarray(numbers, dtype=np.int64)


def _has(
    graph: KnowledgeGraph, heads: NDArray[np.int64], tails: NDArray[np.int64], relation: str | None
) -> NDArray[np.bool_]:
    import polars as pl

    size = len(graph.names)
    keys = _keys(graph, relation, size)
    if relation is not None and resolve(relation).inverted:
        heads, tails = tails, heads
    asked = np.where((heads < 0) | (tails < 0) | (heads >= size) | (tails >= size), -1, heads * size + tails)
    return pl.Series(asked).is_in(pl.Series(keys).implode()).to_numpy()


def _keys(graph: KnowledgeGraph, relation: str | None, size: int) -> NDArray[np.int64]:
    """The (subject, object) pairs of the graph, each as one number; those of symmetric relations both ways."""
    subject, number, target = graph.columns
    known = graph.vocabulary.relations
    wanted = known if relation is None else [resolve(relation).relation.name]
    symmetric = [name for name in wanted if resolve(name).relation.symmetric]
    rows, turned = (
        np.isin(number, [known.index(name) for name in names if name in known]) for names in (wanted, symmetric)
    )
    pairs = [(subject[rows], target[rows]), (target[turned], subject[turned])]
    return np.concatenate([one.astype(np.int64) * size + other for one, other in pairs])
