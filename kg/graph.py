"""A built graph, mapped into memory: look-ups touch only the pages they need, and processes share them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from foundation.errors import ZhongjingError
from foundation.manifest import read_manifest
from kg.bulk import Ends, has_many
from kg.names import Names
from kg.records import TYPES, EntityType, Fact
from kg.relations import relation_of, resolve
from kg.store import COLUMNS, KIND, load, load_vocabulary

if TYPE_CHECKING:
    import networkx as nx


class Neighbour(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a fact joins an entity to; `outward` where the entity is the fact's subject."""

    name: str
    relation: str
    outward: bool


class Joined(NamedTuple):
    """The facts of one entity in one direction as arrays of equal length: numbers into `vocabulary.relations` and
    into `names`."""

    relations: NDArray[np.int16]
    entities: NDArray[np.int32]


class KnowledgeGraph:
    """A graph folder written by `build_graph`. It is never written to, so threads may share it; a process that gets it
    by pickle maps the same folder, and the pages are shared.

    >>> graph = KnowledgeGraph.open(Path("kg"))  # doctest: +SKIP
    >>> [fact.object for fact in graph.triples(subject="肺炎", relation="临床表现")]  # doctest: +SKIP
    ['发热', '咳嗽']
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder, KIND)
        self.vocabulary = load_vocabulary(folder)
        self._names = Names(folder)
        self.names: Sequence[str] = self._names.entities
        self.alias_names: Sequence[str] = self._names.aliases
        self._types = load(folder, "entity_type")
        self._columns = {name: load(folder, f"triple_{name}") for name in COLUMNS}
        self._by_object = load(folder, "by_object")
        self._in_relation, self._in_subject = load(folder, "in_relation"), load(folder, "in_subject")
        self._subject_start, self._object_start = load(folder, "subject_start"), load(folder, "object_start")
        self._relation_numbers = {name: number for number, name in enumerate(self.vocabulary.relations)}
        self._symmetric = [name for name in self.vocabulary.relations if relation_of(name).symmetric]
        self._refuse_mixed()
        self._views = memoryview(self._columns["relation"]), memoryview(self._columns["object"])  # type: ignore[arg-type]

    @classmethod
    def open(cls, folder: Path | str) -> KnowledgeGraph:
        """Open a graph folder. Raises ZhongjingError where it is none, or damaged."""
        return cls(Path(folder))

    def __reduce__(self) -> tuple[type[KnowledgeGraph], tuple[Path]]:
        return KnowledgeGraph, (self.folder,)

    def __len__(self) -> int:
        return len(self._columns["subject"])

    def __contains__(self, name: str) -> bool:
        return self._names.number(name) is not None

    def entity(self, name: str) -> str | None:
        """The canonical name behind a name or alias, in any width, case or script; None where there is none."""
        number = self._names.number_of_spelling(name)
        return None if number is None else self.names[number]

    def entity_of_plain(self, name: str) -> str | None:
        """What `entity` gives for a name in normalised spelling (see `kg.normalise`), for less."""
        number = self._names.number_of_plain(name)
        return None if number is None else self.names[number]

    def number(self, name: str) -> int | None:
        """The position in `names` of the entity of this name or alias; None where there is none."""
        return self._names.number(name)

    def numbers(self, names: Sequence[str]) -> NDArray[np.int32]:
        """The position in `names` of each of many names or aliases, -1 where there is none."""
        return self._names.numbers(names)

    def type_of(self, name: str) -> EntityType | None:
        """The type of an entity, by name or alias."""
        number = self._names.number(name)
        return None if number is None else self.vocabulary.types[self._types[number]]

    def aliases_of(self, name: str) -> list[str]:
        """Every alias of an entity, sorted."""
        number = self._names.number(name)
        return [] if number is None else self._names.aliases_of(number)

    def alias_pairs(self) -> Iterator[tuple[str, str]]:
        """Every alias with its canonical name."""
        for alias, number in self._names.alias_pairs():
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

    def has(self, subject: str, relation: str | None, object: str) -> bool:  # noqa: A002
        """Whether the graph states this; with None for the relation, whether any joins the two in this direction."""
        one, other = self._names.number(subject), self._names.number(object)
        if one is None or other is None:
            return False
        if relation is None:
            return self._states(one, None, other) or any(self._states(other, name, one) for name in self._symmetric)
        resolved = resolve(relation)
        if resolved.inverted:
            one, other = other, one
        name = resolved.relation.name
        return self._states(one, name, other) or (resolved.relation.symmetric and self._states(other, name, one))

    def has_many(self, subjects: Ends, objects: Ends, relation: str | Sequence[str] | None = None) -> NDArray[np.bool_]:
        """Whether the graph states each of many (subject, relation, object), as a boolean array.

        The ends are equally long: names and aliases, or arrays of entity numbers as `numbers` gives them (faster).
        `relation` is one name for all, one for each, or None for any. Raises ValueError where lengths differ.
        """
        return has_many(self, subjects, objects, relation)

    @property
    def columns(self) -> tuple[NDArray[np.int32], NDArray[np.int16], NDArray[np.int32]]:
        """Subject, relation and object of every triple as numbers, sorted by the three: read-only, mapped."""
        return self._columns["subject"], self._columns["relation"], self._columns["object"]

    def neighbours(self, name: str) -> list[Neighbour]:
        """What an entity is joined to, outward facts first."""
        number = self._names.number(name)
        if number is None:
            return []
        relations, take = self.vocabulary.relations, self._names.entities.take
        return [
            Neighbour(name=other, relation=relations[relation], outward=outward)
            for outward, joined in ((True, self.outward(number)), (False, self.inward(number)))
            for other, relation in zip(take(joined.entities.tolist()), joined.relations.tolist(), strict=True)
        ]

    def outward(self, number: int) -> Joined:
        """The facts whose subject is entity `number`, as arrays: views of the graph, nothing copied."""
        rows = slice(self._subject_start[number], self._subject_start[number + 1])
        return Joined(self._columns["relation"][rows], self._columns["object"][rows])

    def inward(self, number: int) -> Joined:
        """The facts whose object is entity `number`, as arrays: views as well."""
        rows = slice(self._object_start[number], self._object_start[number + 1])
        return Joined(self._in_relation[rows], self._in_subject[rows])

    def facts_of(self, name: str) -> Iterator[Fact]:
        """Every fact with the entity at either end: as subject first, then as object."""
        yield from self.triples(subject=name)
        yield from self.triples(object=name)

    def within(self, names: Collection[str], hops: int = 1) -> set[int]:
        """The numbers of all entities at most `hops` facts away from the named ones, these included."""
        found = edge = {number for number in map(self._names.number, names) if number is not None}
        for _ in range(hops):
            reached: set[int] = set()
            for number in edge:
                reached.update(self.outward(number).entities.tolist(), self.inward(number).entities.tolist())
            edge = reached - found
            found = found | edge
        return found

    def subgraph(self, names: Collection[str], hops: int = 1) -> nx.MultiDiGraph[str]:
        """What lies within `hops` of the named entities, as a networkx graph: nodes have `type`, edges are keyed by
        relation and have `original`, `file`, `line`, `count`. Unknown names are left out."""
        import networkx as nx

        nodes = np.array(sorted(self.within(names, hops)), dtype=np.int64)
        picture: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        for node in nodes.tolist():
            picture.add_node(self.names[node], type=self.vocabulary.types[self._types[node]])
        rows = np.concatenate([np.arange(0), *(self._from(node) for node in nodes.tolist())])
        for row in rows[np.isin(self._columns["object"][rows], nodes)].tolist():
            fact = self._fact(row)
            extra = {"original": fact.original, "file": fact.file, "line": fact.line, "count": fact.count}
            picture.add_edge(fact.subject, fact.object, key=fact.relation, **extra)
        return picture

    def stats(self) -> dict[str, Any]:
        """The counts of the manifest: triples, entities, aliases, by type and by relation, rejects by reason."""
        return self.manifest.counts

    def _refuse_mixed(self) -> None:
        """Raise where the parts do not belong together: their sizes are those of the manifest."""
        counts, known = self.manifest.counts, self.vocabulary
        found = (len(self), len(self.names), len(self.alias_names), known.relations, known.types)
        names = ("triples", "entities", "aliases", "relations")
        if found != (
            *(list(part) if isinstance(part := counts.get(name), dict) else part for name in names),
            list(TYPES),
        ):
            raise ZhongjingError(
                "the parts of this graph do not fit together", where=self.folder, hint="build it again"
            )

    def _states(self, subject: int, relation: str | None, target: int) -> bool:
        """Whether there is such a row: the rows of a subject are sorted by relation, then object."""
        relations, objects = self._views
        start, stop = self._subject_start[subject].item(), self._subject_start[subject + 1].item()
        if relation is None:
            return target in objects[start:stop]
        wanted = self._relation_numbers.get(relation, -1)
        start = bisect_left(relations, wanted, start, stop)
        stop = bisect_right(relations, wanted, start, stop)
        place = bisect_left(objects, target, start, stop)
        return place < stop and objects[place] == target

    def _from(self, number: int) -> NDArray[np.int64]:
        return np.arange(self._subject_start[number], self._subject_start[number + 1])

    def _rows(self, subject: str | None, relation: str | None, target: str | None) -> NDArray[np.int64]:
        """Row numbers, ascending."""
        ends = [None if end is None else self._names.number(end) for end in (subject, target)]
        if (subject is not None and ends[0] is None) or (target is not None and ends[1] is None):
            return np.arange(0)
        wanted = -1 if relation is None else self._relation_numbers.get(relation, len(self.vocabulary.relations))
        if ends[0] is None and ends[1] is not None:
            into = self._by_object[self._object_start[ends[1]] : self._object_start[ends[1] + 1]]
            rows = np.sort(into).astype(np.int64)
            return rows if relation is None else rows[self._columns["relation"][rows] == wanted]
        start, stop = (0, len(self)) if ends[0] is None else self._subject_start[ends[0] : ends[0] + 2].tolist()
        fits = np.ones(stop - start, dtype=np.bool_)
        if relation is not None:
            fits &= self._columns["relation"][start:stop] == wanted
        if ends[1] is not None:
            fits &= self._columns["object"][start:stop] == ends[1]
        return start + np.flatnonzero(fits)

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
