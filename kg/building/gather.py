"""Statements gathered in memory-thin columns, then merged into the sorted triples of a graph."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from kg.records import TYPES, Triple
from kg.relations import CONTRAINDICATION, INDICATION, Resolved, is_group, resolve, sounds_like_disease, type_of

_STATED = 10**9
_WORDING_BITS = 31
_COLUMNS = ("subject", "relation", "object", "wording", "file", "line")
_KINDS = 16  # more than there are types, and none


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
        self._rows = array("i")
        self._wordings: dict[tuple[str, str | None, str | None], tuple[Resolved, int, int]] = {}

    def __len__(self) -> int:
        return len(self._rows) // len(_COLUMNS)

    @property
    def entities(self) -> Mapping[str, int]:
        """The names seen so far."""
        return self._entities.numbers

    def name(self, entity: str) -> None:
        """Make room for an entity that no triple names."""
        self._entities(entity)

    def add(self, triple: Triple) -> None:
        """Take one statement, in the vocabulary's direction."""
        key = (triple.relation, triple.subject_type, triple.object_type)
        resolved, number, wording = self._wordings.get(key) or self._wording(*key)
        subject, target = triple.subject, triple.object
        if resolved.inverted or (resolved.relation.symmetric and subject > target):
            subject, target, wording = target, subject, wording + 1
        entities = self._entities.numbers
        first = entities.setdefault(subject, len(entities))
        second = entities.setdefault(target, len(entities))
        self._rows.extend((first, number, second, wording, self._files(triple.file), triple.line))

    def _wording(self, relation: str, subject_type: str | None, object_type: str | None) -> tuple[Resolved, int, int]:
        """What a statement's own words mean: the relation and its number; the words, the types stated and whether the
        ends change places (nothing added: they do not) as one number."""
        resolved = resolve(relation)
        stated = [0 if kind is None else 1 + TYPES.index(kind) for kind in map(type_of, (subject_type, object_type))]
        wording = 2 * ((self._originals(relation) * _KINDS + stated[0]) * _KINDS + stated[1])
        found = (resolved, self._relations(resolved.relation.name), wording)
        self._wordings[relation, subject_type, object_type] = found
        return found

    def merge(self) -> Merged:
        """Sort, merge equal triples, keep the first statement's place and how many there were."""
        entities, ranks = self._entities.sorted_ranks()
        relations, relation_ranks = self._relations.sorted_ranks()
        originals, original_ranks = self._originals.sorted_ranks()
        subject, relation, target, wording, file, line = np.array(self._rows).reshape(-1, len(_COLUMNS)).T
        subject, target, relation = ranks[subject], ranks[target], relation_ranks[relation]
        types = self._types(entities, relations, (subject, relation, target, wording))
        wording = 2 * original_ranks[wording // (2 * _KINDS**2)] + wording % 2
        order = np.lexsort((line, file, target, relation, subject))
        rows = np.stack([column[order] for column in (subject, relation, target, wording, file, line)])
        new = np.ones(rows.shape[1], dtype=bool)
        new[1:] = (rows[:3, 1:] != rows[:3, :-1]).any(axis=0)
        starts = np.flatnonzero(new)
        counts = np.diff(np.append(starts, rows.shape[1]))
        wordings = len(np.unique((np.cumsum(new) << _WORDING_BITS) | rows[3]))
        columns = {name: row[starts] for name, row in zip(_COLUMNS, rows, strict=True)} | {"count": counts}
        columns["original"] = columns.pop("wording") // 2
        return Merged(
            entities=entities,
            types=types,
            relations=relations,
            originals=originals,
            files=list(self._files.numbers),
            columns=columns,
            duplicates=rows.shape[1] - wordings,
            merged_inverses=wordings - len(starts),
        )

    def _types(
        self, names: list[str], relations: list[str], columns: tuple[NDArray[np.int64], ...]
    ) -> NDArray[np.uint8]:
        """The type with the most votes of each entity by rank; of equals the first in `TYPES`."""
        votes = _votes(names, relations, columns)
        votes[votes.sum(axis=1) == 0, TYPES.index("other")] = 1
        winners, disease = votes.argmax(axis=1), TYPES.index("disease")
        doubtful = np.isin(winners, [TYPES.index("symptom"), TYPES.index("drug")]) & (votes.max(axis=1) < _STATED)
        for rank in np.flatnonzero(doubtful).tolist():
            if sounds_like_disease(names[rank]):
                winners[rank] = disease
        return np.asarray(winners, dtype=np.uint8)


def _votes(names: list[str], relations: list[str], columns: tuple[NDArray[np.int64], ...]) -> NDArray[np.int64]:
    """How much speaks for each type of each entity, shape (entities, types): what is stated, or else what relations
    say of their ends."""
    subject, relation, target, wording = columns
    kinds = np.stack([wording // (2 * _KINDS) % _KINDS, wording // 2 % _KINDS]) - 1
    stated = np.where(wording % 2 == 1, kinds[::-1], kinds)
    known = [resolve(name).relation for name in relations]
    of_subject, of_object = (
        np.array([[-1 if kind is None else TYPES.index(kind), weight] for kind, weight in ends])[relation].T
        for ends in (
            [(one.subject, one.subject_weight) for one in known],
            [(one.object, one.object_weight) for one in known],
        )
    )
    if CONTRAINDICATION in relations:
        banned = relation == relations.index(CONTRAINDICATION)
        groups = [rank for rank in np.unique(target[banned]).tolist() if is_group(names[rank])]
        of_object[0, banned & np.isin(target, groups)] = TYPES.index("group")
    votes = np.zeros((len(names), len(TYPES)), dtype=np.int64)
    for entity, said, (implied, weight) in ((subject, stated[0], of_subject), (target, stated[1], of_object)):
        chosen, weights = np.where(said >= 0, said, implied), np.where(said >= 0, _STATED, weight)
        told = chosen >= 0
        np.add.at(votes, (entity[told], chosen[told]), weights[told])
    return votes


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
