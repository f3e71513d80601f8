"""The merged triples as the files of a graph folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from kg.building.gather import Merged, conflicts_in
from kg.normalise import normalise_all
from kg.records import TYPES
from kg.store import COLUMNS, NARROW, Vocabulary, narrow, save, save_strings

_AT_ONCE = 50_000


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A drug that the files call both good and forbidden for one thing, and where they do."""

    drug: str
    target: str
    indicated: str
    contraindicated: str


def save_graph(folder: Path, merged: Merged, aliases: Mapping[str, str]) -> None:
    """Write the arrays and the vocabulary; `aliases` from alias to an entity of `merged`."""
    _save_names(folder, merged, aliases)
    _save_triples(folder, merged)
    vocabulary = Vocabulary(
        relations=merged.relations, originals=merged.originals, files=merged.files, types=list(TYPES)
    )
    (folder / "vocabulary.json").write_bytes(msgspec.json.format(msgspec.json.encode(vocabulary), indent=1) + b"\n")


def _save_names(folder: Path, merged: Merged, aliases: Mapping[str, str]) -> None:
    numbers = {name: number for number, name in enumerate(merged.entities)}
    save_strings(folder, "entities", merged.entities)
    save(folder, "entity_type", merged.types)
    by_alias = sorted(aliases)
    owners = np.array([numbers[aliases[name]] for name in by_alias], dtype="<i4")
    save_strings(folder, "aliases", by_alias)
    save(folder, "alias_entity", owners)
    order = np.argsort(owners, kind="stable")
    save(folder, "alias_order", order.astype("<i4"))
    save(folder, "alias_start", _starts(owners[order], len(merged.entities)))
    spellings = _spellings(merged.entities, by_alias, aliases)
    by_spelling = sorted(spellings)
    save_strings(folder, "spellings", by_spelling)
    save(folder, "spelling_entity", np.array([numbers[spellings[name]] for name in by_spelling], dtype="<i4"))


def _save_triples(folder: Path, merged: Merged) -> None:
    for name in COLUMNS:
        column = merged.columns[name]
        save(folder, f"triple_{name}", narrow(column) if name in NARROW else column.astype("<i4"))
    subject, relation, target = (merged.columns[name] for name in ("subject", "relation", "object"))
    by_object = np.lexsort((subject, relation, target))
    save(folder, "by_object", by_object.astype("<i4"))
    save(folder, "in_relation", narrow(relation[by_object]))
    save(folder, "in_subject", subject[by_object].astype("<i4"))
    save(folder, "subject_start", _starts(subject, len(merged.entities)))
    save(folder, "object_start", _starts(target[by_object], len(merged.entities)))


def _starts(owners: NDArray[Any], count: int) -> NDArray[np.int32]:
    """Where the rows of each of `count` owners begin in a sorted column, and where the last one's end."""
    return np.searchsorted(owners, np.arange(count + 1)).astype("<i4")


def _spellings(entities: Sequence[str], by_alias: Sequence[str], aliases: Mapping[str, str]) -> dict[str, str]:
    """The normalised spellings that are neither name nor alias, and whom they mean; names come before aliases."""
    spellings: dict[str, str] = {}
    for names in (entities, by_alias):
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            for name, plain in zip(some, normalise_all(some), strict=True):
                if plain != name:
                    spellings.setdefault(plain, aliases.get(name, name))
    known = {*entities, *by_alias}
    return {plain: entity for plain, entity in spellings.items() if plain not in known}


def conflicts_of(merged: Merged) -> Iterator[Conflict]:
    """Every drug that is indicated and contraindicated for one thing."""

    def place(row: int) -> str:
        return f"{merged.files[merged.columns['file'][row]]}:{merged.columns['line'][row]}"

    for good, bad in conflicts_in(merged):
        yield Conflict(
            drug=merged.entities[merged.columns["subject"][good]],
            target=merged.entities[merged.columns["object"][good]],
            indicated=place(good),
            contraindicated=place(bad),
        )


def counts_of(merged: Merged, aliases: Mapping[str, str]) -> dict[str, Any]:
    """What the manifest and `kg stats` say of a graph."""
    by_relation = np.bincount(merged.columns["relation"], minlength=len(merged.relations)).tolist()
    by_type = np.bincount(merged.types, minlength=len(TYPES)).tolist()
    return {
        "triples": len(merged.columns["subject"]),
        "entities": len(merged.entities),
        "aliases": len(aliases),
        "duplicates": merged.duplicates,
        "merged_inverses": merged.merged_inverses,
        "relations": dict(zip(merged.relations, by_relation, strict=True)),
        "types": {kind: count for kind, count in zip(TYPES, by_type, strict=True) if count},
    }
