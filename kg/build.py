"""Graph files in, one folder out: what `KnowledgeGraph.open` maps into memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from foundation.errors import ZhongjingError
from foundation.files import existing_file, new_folder
from foundation.jsonl import write_records
from foundation.manifest import Manifest, claim_folder, entry_of, write_manifest
from foundation.progress import progress
from foundation.rejects import Reject, write_rejects
from kg.aliases import settle
from kg.gather import TYPES, Gathering, Merged, conflicts_in
from kg.normalise import normalise
from kg.readers import read_triples
from kg.readers.aliases import Alias, read_aliases
from kg.records import Triple
from kg.relations import SYNONYM, resolve
from kg.store import COLUMNS, DTYPES, KIND, Vocabulary, save, save_strings

_TICK = 10_000


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A drug that the files call both good and forbidden for one thing, and where they do."""

    drug: str
    target: str
    indicated: str
    contraindicated: str


def build_graph(
    files: Sequence[Path],
    out: Path,
    *,
    aliases: Path | None = None,
    format: str | None = None,  # noqa: A002
    names: Sequence[str] | None = None,
) -> Manifest:
    """Write the folder `out` from graph files; `names` are recorded for the files instead of their own.

    What cannot be read stands in `rejects.jsonl`, contradictions among the files in `conflicts.jsonl`. Raises
    ZhongjingError where a file is missing or no triple at all could be read; nothing is left behind then.
    """
    recorded = _file_names(files) if names is None else list(names)
    if len(recorded) != len(files):
        raise ValueError("one name per file")
    for path in (*files, *([aliases] if aliases else [])):
        existing_file(path)
    claim_folder(out, KIND)
    gathering, rejects = Gathering(), list[Reject]()
    synonyms = _gather(files, recorded, format, gathering, rejects)
    if not len(gathering):
        raise _nothing_read(files, rejects)
    said = chain(synonyms, _aliases(aliases, rejects))
    settled, unusable = settle(said, gathering.entities)
    rejects += unusable
    for canonical in settled.values():
        gathering.name(canonical)
    inputs = [entry_of(path, name) for path, name in zip(files, recorded, strict=True)]
    inputs += [entry_of(aliases)] if aliases else []
    parameters = {"format": format, "aliases": aliases.name if aliases else None}
    with new_folder(out) as folder:
        merged = gathering.merge()
        _save(folder, merged, settled)
        conflicts = _conflicts(merged)
        write_records(folder / "conflicts.jsonl", conflicts)
        write_rejects(folder / "rejects.jsonl", rejects)
        counts = {"read": len(gathering), **_counts(merged, settled, len(conflicts), rejects)}
        return write_manifest(folder, kind=KIND, name="graph", inputs=inputs, parameters=parameters, counts=counts)


def _file_names(files: Sequence[Path]) -> list[str]:
    """The bare names where they tell the files apart, so that a graph does not depend on where its files lay."""
    bare = [path.name for path in files]
    return bare if len(set(bare)) == len(set(files)) else [str(path) for path in files]


def _gather(
    files: Sequence[Path], names: Sequence[str], form: str | None, gathering: Gathering, rejects: list[Reject]
) -> list[Alias]:
    """Read every file into `gathering`; the synonyms among the statements are aliases and come back."""
    synonyms = []
    with progress("reading the graph") as bar:
        for path, name in zip(files, names, strict=True):
            for number, item in enumerate(read_triples(path, form, name=name), start=1):
                if isinstance(item, Reject):
                    rejects.append(item)
                elif resolve(item.relation).relation.name == SYNONYM:
                    synonyms.append(_synonym(item))
                else:
                    gathering.add(item)
                if number % _TICK == 0:
                    bar.advance(_TICK)
    return synonyms


def _synonym(triple: Triple) -> Alias:
    return Alias(alias=triple.object, canonical=triple.subject, file=triple.file, line=triple.line)


def _aliases(path: Path | None, rejects: list[Reject]) -> Iterable[Alias]:
    for item in read_aliases(path, name=path.name) if path else ():
        if isinstance(item, Reject):
            rejects.append(item)
        else:
            yield item


def _nothing_read(files: Sequence[Path], rejects: Sequence[Reject]) -> ZhongjingError:
    if not rejects:
        return ZhongjingError("no triple in this file", where=files[0] if files else None)
    first = rejects[0]
    more = f" ({len(rejects):,} rejects in all)" if len(rejects) > 1 else ""
    return ZhongjingError(
        f"no triple could be read: {first.detail}{more}",
        where=f"{first.file}:{first.line}",
        hint="CSV or TSV of head,relation,tail; JSON of CMeKG, nested, spo_list or QASystemOnMedicalKG form",
    )


def _save(folder: Path, merged: Merged, aliases: dict[str, str]) -> None:
    numbers = {name: number for number, name in enumerate(merged.entities)}
    save_strings(folder, "entities", merged.entities)
    save(folder, "entity_type", merged.types)
    by_alias = sorted(aliases)
    save_strings(folder, "aliases", by_alias)
    save(folder, "alias_entity", np.array([numbers[aliases[name]] for name in by_alias], dtype="<i4"))
    spellings = _spellings(merged.entities, by_alias, aliases)
    save_strings(folder, "spellings", sorted(spellings))
    save(folder, "spelling_entity", np.array([numbers[spellings[name]] for name in sorted(spellings)], dtype="<i4"))
    for name in COLUMNS:
        save(folder, f"triple_{name}", merged.columns[name].astype(DTYPES.get(name, "<i4")))
    subject, relation, target = (merged.columns[name] for name in ("subject", "relation", "object"))
    by_object = np.lexsort((subject, relation, target))
    save(folder, "by_object", by_object.astype("<i4"))
    bounds = np.arange(len(merged.entities) + 1)
    save(folder, "subject_start", np.searchsorted(subject, bounds).astype("<i4"))
    save(folder, "object_start", np.searchsorted(target[by_object], bounds).astype("<i4"))
    vocabulary = Vocabulary(
        relations=merged.relations, originals=merged.originals, files=merged.files, types=list(TYPES)
    )
    (folder / "vocabulary.json").write_bytes(msgspec.json.format(msgspec.json.encode(vocabulary), indent=1) + b"\n")


def _spellings(entities: Sequence[str], by_alias: Sequence[str], aliases: dict[str, str]) -> dict[str, str]:
    """The normalised spellings that are neither name nor alias, and whom they mean; names come before aliases."""
    spellings: dict[str, str] = {}
    for name, entity in chain(zip(entities, entities, strict=True), ((alias, aliases[alias]) for alias in by_alias)):
        if (plain := normalise(name).text) != name:
            spellings.setdefault(plain, entity)
    known = {*entities, *by_alias}
    return {plain: entity for plain, entity in spellings.items() if plain not in known}


def _conflicts(merged: Merged) -> list[Conflict]:
    def place(row: int) -> str:
        return f"{merged.files[merged.columns['file'][row]]}:{merged.columns['line'][row]}"

    return [
        Conflict(
            drug=merged.entities[merged.columns["subject"][good]],
            target=merged.entities[merged.columns["object"][good]],
            indicated=place(good),
            contraindicated=place(bad),
        )
        for good, bad in conflicts_in(merged)
    ]


def _counts(merged: Merged, aliases: dict[str, str], conflicts: int, rejects: Sequence[Reject]) -> dict[str, Any]:
    by_relation = np.bincount(merged.columns["relation"], minlength=len(merged.relations)).tolist()
    by_type = np.bincount(merged.types, minlength=len(TYPES)).tolist()
    reasons = sorted({reject.reason for reject in rejects})
    return {
        "triples": len(merged.columns["subject"]),
        "entities": len(merged.entities),
        "aliases": len(aliases),
        "duplicates": merged.duplicates,
        "merged_inverses": merged.merged_inverses,
        "conflicts": conflicts,
        "rejected": {reason: sum(reject.reason == reason for reject in rejects) for reason in reasons},
        "relations": dict(zip(merged.relations, by_relation, strict=True)),
        "types": {kind: count for kind, count in zip(TYPES, by_type, strict=True) if count},
    }
