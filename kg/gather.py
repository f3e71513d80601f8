"""Statements gathered in memory-thin columns, then merged into the sorted triples of a graph."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from kg.records import EntityType, Triple
from kg.relations import CONTRAINDICATION, INDICATION, Resolved, is_group, resolve, sounds_like_disease, type_of

TYPES: tuple[EntityType, ...] = get_args(EntityType)
_STATED = 10**9
_WORDING_BITS = 31


class Numbering:
    """Strings numbered in order of first sight."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """The number of a string."""
        return self.numbers.setdefault(text, len(self.numbers))

    def sorted_ranks(self) -> tuple[list[str], NDArray[np.int64]]:
        """The strings sorted, and the rank of each number."""
        names = sorted(self.numbers)
        ranks = np.empty(len(names), dtype=np.int64)
        for rank, name in enumerate(names):
            ranks[self.numbers[name]] = rank
        return names, ranks


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """Triples sorted by subject, relation, object, each once; `columns` by name, equally long."""

    entities: list[str]
    types: NDArray[np.uint8]
    relations: list[str]
    originals: list[str]
    files: list[str]
    columns: dict[str, NDArray[np.int64]]
    duplicates: int
    merged_inverses: int


class Gathering:
    """Takes statements in file order; `merge` sorts and merges them."""

    def __init__(self) -> None:
        self._entities, self._relations, self._originals, self._files = (Numbering() for _ in range(4))
        self._rows = array("q")
        self._votes: dict[tuple[int, EntityType], int] = {}
        self._resolved: dict[str, Resolved] = {}

    def __len__(self) -> int:
        return len(self._rows) // 6

    @property
    def entities(self) -> Mapping[str, int]:
        """The names seen so far."""
        return self._entities.numbers

    def name(self, entity: str) -> None:
        """Make room for an entity that no triple names."""
        self._entities(entity)

    def add(self, triple: Triple) -> None:
        """Take one statement, in the vocabulary's direction."""
        resolved = self._resolved.get(triple.relation)
        if resolved is None:
            resolved = self._resolved[triple.relation] = resolve(triple.relation)
        ends = [(triple.subject, type_of(triple.subject_type)), (triple.object, type_of(triple.object_type))]
        relation = resolved.relation
        turned = resolved.inverted or (relation.symmetric and triple.subject > triple.object)
        if turned:
            ends.reverse()
        numbers = [self._entities(name) for name, _ in ends]
        self._vote(numbers[0], ends[0][1], relation.subject, relation.subject_weight)
        inferred = "group" if relation.name == CONTRAINDICATION and is_group(ends[1][0]) else relation.object
        self._vote(numbers[1], ends[1][1], inferred, relation.object_weight)
        wording = 2 * self._originals(triple.relation) + turned
        place = (self._files(triple.file), triple.line)
        self._rows.extend((numbers[0], self._relations(relation.name), numbers[1], wording, *place))

    def _vote(self, entity: int, stated: EntityType | None, inferred: EntityType | None, weight: int) -> None:
        kind = stated or inferred
        if kind is not None:
            key = (entity, kind)
            self._votes[key] = self._votes.get(key, 0) + (_STATED if stated else weight)

    def merge(self) -> Merged:
        """Sort, merge equal triples, keep the first statement's place and how many there were."""
        entities, ranks = self._entities.sorted_ranks()
        relations, relation_ranks = self._relations.sorted_ranks()
        originals, original_ranks = self._originals.sorted_ranks()
        subject, relation, target, wording, file, line = np.array(self._rows, dtype=np.int64).reshape(-1, 6).T
        subject, target, relation = ranks[subject], ranks[target], relation_ranks[relation]
        wording = 2 * original_ranks[wording // 2] + wording % 2
        order = np.lexsort((line, file, target, relation, subject))
        rows = np.stack([subject, relation, target, wording, file, line])[:, order]
        new = np.ones(rows.shape[1], dtype=bool)
        new[1:] = (rows[:3, 1:] != rows[:3, :-1]).any(axis=0)
        starts = np.flatnonzero(new)
        counts = np.diff(np.append(starts, rows.shape[1]))
        wordings = len(np.unique((np.cumsum(new) << _WORDING_BITS) | rows[3]))
        names = ("subject", "relation", "object", "original", "file", "line")
        columns = {name: row[starts] for name, row in zip(names, rows, strict=True)} | {"count": counts}
        columns["original"] //= 2
        return Merged(
            entities=entities,
            types=self._types(entities, ranks),
            relations=relations,
            originals=originals,
            files=list(self._files.numbers),
            columns=columns,
            duplicates=rows.shape[1] - wordings,
            merged_inverses=wordings - len(starts),
        )

    def _types(self, names: list[str], ranks: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The type with the most votes of each entity by rank; of equals the first in `TYPES`."""
        votes = np.zeros((len(ranks), len(TYPES)), dtype=np.int64)
        for (entity, kind), weight in self._votes.items():
            votes[ranks[entity], TYPES.index(kind)] = weight
        votes[votes.sum(axis=1) == 0, TYPES.index("other")] = 1
        winners, disease = votes.argmax(axis=1), TYPES.index("disease")
        doubtful = np.isin(winners, [TYPES.index("symptom"), TYPES.index("drug")]) & (votes.max(axis=1) < _STATED)
        for rank in np.flatnonzero(doubtful).tolist():
            if sounds_like_disease(names[rank]):
                winners[rank] = disease
        return np.asarray(winners, dtype=np.uint8)


def conflicts_in(merged: Merged) -> Iterable[tuple[int, int]]:
    """Row numbers of every drug's indication and contraindication for the same thing."""
    if not {INDICATION, CONTRAINDICATION} <= set(merged.relations):
        return []
    pairs = [_pairs(merged, merged.relations.index(name)) for name in (INDICATION, CONTRAINDICATION)]
    return [(pairs[0][pair], pairs[1][pair]) for pair in pairs[0] if pair in pairs[1]]


def _pairs(merged: Merged, relation: int) -> dict[tuple[int, int], int]:
    rows: Sequence[int] = np.flatnonzero(merged.columns["relation"] == relation).tolist()
    subjects, objects = merged.columns["subject"], merged.columns["object"]
    return {(int(subjects[row]), int(objects[row])): row for row in rows}
