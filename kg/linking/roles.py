"""The second type of an entity: 蜂蜜 is a drug where it is indicated, and a food where it is to be avoided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from kg.graph import KnowledgeGraph
from kg.records import EntityType
from kg.relations import VOCABULARY

_TYPES: tuple[EntityType, ...] = get_args(EntityType)
_TOLD_APART: frozenset[EntityType] = frozenset({"drug", "food", "examination", "treatment", "disease", "symptom"})
_ALIKE = frozenset({"disease", "symptom"})
_LEAST_PART = 3
_UNTELLING = 1


def second_types(graph: KnowledgeGraph) -> dict[int, EntityType]:
    """The other type of the entities that a good part of their triples speak of, by number.

    Diseases and symptoms are not told apart: fever is both. A type that no triple speaks of (it was stated, or read
    off the name) has no rival.
    """
    counts = _roles(graph)
    main = np.array([_TYPES.index(kind) for kind in graph.types()], dtype=np.int64)
    rows = np.arange(len(main))
    own, total = counts[rows, main].copy(), counts.sum(axis=1)
    counts[rows, main] = 0
    rivals = counts.argmax(axis=1) if len(main) else main
    strong = (own > 0) & (counts[rows, rivals] * _LEAST_PART >= total)
    found = {number: _TYPES[rivals[number]] for number in np.flatnonzero(strong).tolist()}
    return {number: kind for number, kind in found.items() if _differs(kind, _TYPES[main[number]])}


def _differs(kind: EntityType, main: EntityType) -> bool:
    return {kind, main} <= _TOLD_APART and {kind, main} != _ALIKE


def _roles(graph: KnowledgeGraph) -> NDArray[np.int64]:
    """How many triples speak for each type of each entity, shape (entities, types)."""
    subjects, relations, targets = graph.columns
    counts = np.zeros(len(graph.names) * len(_TYPES), dtype=np.int64)
    known = {relation.name: relation for relation in VOCABULARY}
    told = [known.get(name) for name in graph.vocabulary.relations]
    as_subject = [one.subject if one and one.subject_weight > _UNTELLING else None for one in told]
    as_object = [one.object if one and one.object_weight > _UNTELLING else None for one in told]
    for ends, kinds in ((subjects, as_subject), (targets, as_object)):
        counts += _counted(ends, relations, kinds, len(counts))
    return counts.reshape(-1, len(_TYPES))


def _counted(
    ends: NDArray[np.int32], relations: NDArray[np.int16], kinds: Sequence[EntityType | None], size: int
) -> NDArray[np.int64]:
    numbers = np.array([-1 if kind is None else _TYPES.index(kind) for kind in kinds], dtype=np.int64)
    roles = numbers[relations] if len(numbers) else np.empty(0, dtype=np.int64)
    told = roles >= 0
    return np.bincount(ends[told].astype(np.int64) * len(_TYPES) + roles[told], minlength=size)
