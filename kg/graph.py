"""A built graph, mapped into memory: look-ups touch only the pages they need, and processes share them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from foundation.manifest import read_manifest
from kg.normalise import normalise
from kg.records import EntityType, Fact
from kg.relations import relation_of, resolve
from kg.store import COLUMNS, KIND, load, load_strings, load_vocabulary

if TYPE_CHECKING:
    import networkx as nx


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """What a fact joins an entity to; `outward` where the entity is the fact's subject."""

    name: str
    relation: str
    outward: bool


class KnowledgeGraph:
    """A graph folder written by `kg.build.build_graph`.

    >>> graph = KnowledgeGraph.open(Path("kg"))  # doctest: +SKIP
    >>> [fact.object for fact in graph.triples(subject="肺炎", relation="临床表现")]  # doctest: +SKIP
    ['发热', '咳嗽']
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder, KIND)
        self.vocabulary = load_vocabulary(folder)
        self.names: Sequence[str] = (entities := load_strings(folder, "entities"))
        self.alias_names: Sequence[str] = (aliases := load_strings(folder, "aliases"))
        self._entities, self._aliases, self._spellings = entities, aliases, load_strings(folder, "spellings")
        self._spelling_entity = load(folder, "spelling_entity")
        self._types = load(folder, "entity_type")
        self._alias_entity = load(folder, "alias_entity")
        self._columns = {name: load(folder, f"triple_{name}") for name in COLUMNS}
        self._by_object = load(folder, "by_object")
        self._subject_start, self._object_start = load(folder, "subject_start"), load(folder, "object_start")
        self._relation_numbers = {name: number for number, name in enumerate(self.vocabulary.relations)}

    @classmethod
    def open(cls, folder: Path) -> KnowledgeGraph:
        """Open a graph folder. Raises ZhongjingError where it is none, or damaged."""
        return cls(folder)

    def __reduce__(self) -> tuple[type[KnowledgeGraph], tuple[Path]]:
        return KnowledgeGraph, (self.folder,)

    def __len__(self) -> int:
        return len(self._columns["subject"])

    def __contains__(self, name: str) -> bool:
        return self._number(name) is not None

    def entity(self, name: str) -> str | None:
        """The canonical name behind a name or alias, in any width, case or script; None where there is none."""
        number = self._number(name)
        if number is None:
            plain = normalise(name.strip()).text
            number = self._number(plain)
            spelling = self._spellings.position(plain) if number is None else None
            number = number if spelling is None else int(self._spelling_entity[spelling])
        return None if number is None else self.names[number]

    def type_of(self, name: str) -> EntityType | None:
        """The type of an entity, by name or alias."""
        number = self._number(name)
        return None if number is None else self.vocabulary.types[self._types[number]]

    def aliases_of(self, name: str) -> list[str]:
        """Every alias of an entity, sorted."""
        number = self._number(name)
        found = np.flatnonzero(self._alias_entity == number) if number is not None else ()
        return [self.alias_names[int(position)] for position in found]

    def alias_pairs(self) -> Iterator[tuple[str, str]]:
        """Every alias with its canonical name."""
        for alias, number in zip(self.alias_names, self._alias_entity.tolist(), strict=True):
            yield alias, self.names[number]

    def types(self) -> list[EntityType]:
        """The type of each of `names`, in the same order."""
        kinds = self.vocabulary.types
        return [kinds[number] for number in self._types.tolist()]

    def triples(
        self,
        subject: str | None = None,
        relation: str | None = None,
        object: str | None = None,  # noqa: A002
    ) -> Iterator[Fact]:
        """The facts with these ends, by name or alias, sorted; an inverse relation's name (`treated_by`) swaps them.

        A symmetric relation is found from either end.
        """
        if relation is not None:
            resolved = resolve(relation)
            subject, object = (object, subject) if resolved.inverted else (subject, object)  # noqa: A001
            relation = resolved.relation.name
        rows = self._rows(subject, relation, object)
        if relation is not None and relation_of(relation).symmetric and subject != object:
            rows = np.union1d(rows, self._rows(object, relation, subject))
        for row in rows.tolist():
            yield self._fact(row)

    def has(self, subject: str, relation: str, object: str) -> bool:  # noqa: A002
        """Whether the graph states this."""
        return next(self.triples(subject, relation, object), None) is not None

    def neighbours(self, name: str) -> list[Neighbour]:
        """What an entity is joined to, outward facts first."""
        number = self._number(name)
        if number is None:
            return []
        out = range(self._subject_start[number], self._subject_start[number + 1])
        into = self._by_object[self._object_start[number] : self._object_start[number + 1]].tolist()
        return [self._neighbour(row, "object") for row in out] + [self._neighbour(row, "subject") for row in into]

    def facts_of(self, name: str) -> Iterator[Fact]:
        """Every fact with the entity at either end: as subject first, then as object."""
        yield from self.triples(subject=name)
        yield from self.triples(object=name)

    def subgraph(self, names: Collection[str], hops: int = 1) -> nx.MultiDiGraph[str]:
        """What lies within `hops` of the named entities, as a networkx graph: nodes have `type`, edges are keyed by
        relation and have `original`, `file`, `line`, `count`. Unknown names are left out."""
        import networkx as nx

        start = {number for number in map(self._number, names) if number is not None}
        nodes = np.array(sorted(self._within(start, hops)), dtype=np.int64)
        picture: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        for node in nodes.tolist():
            picture.add_node(self.names[node], type=self.vocabulary.types[self._types[node]])
        rows = np.concatenate([np.arange(0), *(self._between(node) for node in nodes.tolist())])
        for row in rows[np.isin(self._columns["object"][rows], nodes)].tolist():
            fact = self._fact(row)
            extra = {"original": fact.original, "file": fact.file, "line": fact.line, "count": fact.count}
            picture.add_edge(fact.subject, fact.object, key=fact.relation, **extra)
        return picture

    def stats(self) -> dict[str, Any]:
        """The counts of the manifest: triples, entities, aliases, by type and by relation, rejects by reason."""
        return self.manifest.counts

    def _within(self, numbers: set[int], hops: int) -> set[int]:
        found = edge = set(numbers)
        for _ in range(hops):
            reached: set[int] = set()
            for number in edge:
                reached.update(self._columns["object"][self._between(number)].tolist())
                into = self._by_object[self._object_start[number] : self._object_start[number + 1]]
                reached.update(self._columns["subject"][into].tolist())
            edge = reached - found
            found = found | edge
        return found

    def _between(self, number: int) -> NDArray[np.int64]:
        return np.arange(self._subject_start[number], self._subject_start[number + 1])

    def _number(self, name: str) -> int | None:
        number = self._entities.position(name)
        if number is None:
            alias = self._aliases.position(name)
            number = None if alias is None else int(self._alias_entity[alias])
        return number

    def _rows(self, subject: str | None, relation: str | None, target: str | None) -> NDArray[np.int64]:
        """Row numbers, ascending."""
        ends = [None if end is None else self._number(end) for end in (subject, target)]
        if (subject is not None and ends[0] is None) or (target is not None and ends[1] is None):
            return np.arange(0)
        if ends[0] is not None:
            rows = self._between(ends[0])
        elif ends[1] is not None:
            bounds = self._object_start[ends[1]], self._object_start[ends[1] + 1]
            rows = np.sort(self._by_object[bounds[0] : bounds[1]]).astype(np.int64)
        else:
            rows = np.arange(len(self))
        if relation is not None:
            rows = rows[self._columns["relation"][rows] == self._relation_numbers.get(relation, -1)]
        return rows if ends[1] is None or ends[0] is None else rows[self._columns["object"][rows] == ends[1]]

    def _neighbour(self, row: int, end: str) -> Neighbour:
        name = self.names[int(self._columns[end][row])]
        relation = self.vocabulary.relations[self._columns["relation"][row]]
        return Neighbour(name=name, relation=relation, outward=end == "object")

    def _fact(self, row: int) -> Fact:
        column, vocabulary = self._columns, self.vocabulary
        return Fact(
            subject=self.names[int(column["subject"][row])],
            relation=vocabulary.relations[column["relation"][row]],
            object=self.names[int(column["object"][row])],
            original=vocabulary.originals[column["original"][row]],
            file=vocabulary.files[column["file"][row]],
            line=int(column["line"][row]),
            count=int(column["count"][row]),
        )
