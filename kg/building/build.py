"""Graph files in, one folder out: what `KnowledgeGraph.open` maps into memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from foundation.errors import ZhongjingError
from foundation.files import existing_file, new_folder
from foundation.jsonl import dump_json, write_records
from foundation.manifest import Manifest, claim_folder, entry_of, write_manifest
from foundation.progress import progress
from foundation.rejects import Reject
from kg.building.aliases import directed, settle
from kg.building.gather import Gathering
from kg.building.save import conflicts_of, counts_of, save_graph
from kg.readers import read_triples
from kg.readers.aliases import Alias, read_aliases
from kg.readers.nodes import Nodes
from kg.readers.statements import Origin
from kg.records import Triple
from kg.relations import SYNONYM, resolve
from kg.store import KIND

_TICK = 10_000


class Rejects:
    """What cannot be used, written as it comes, counted by reason."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("wb")
        self._reasons: Counter[str] = Counter()
        self.first: Reject | None = None

    def add(self, reject: Reject) -> None:
        """Write one."""
        self.first = self.first or reject
        self._reasons[reject.reason] += 1
        self._stream.write(dump_json(reject) + b"\n")

    def close(self) -> None:
        """The file is complete."""
        self._stream.close()

    @property
    def counts(self) -> dict[str, int]:
        """How many of each reason."""
        return dict(sorted(self._reasons.items()))


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
    for path in (*(path for path in files if not path.is_dir()), *([aliases] if aliases else [])):
        existing_file(path)
    claim_folder(out, KIND)
    with new_folder(out) as folder, _rejects_in(folder) as rejects:
        gathering = Gathering()
        said = _gather(files, recorded, format, gathering, rejects)
        if not len(gathering):
            raise _nothing_read(files, rejects)
        said += _aliases(aliases, gathering.entities, rejects)
        settled, unusable = settle(said, gathering.entities)
        for reject in unusable:
            rejects.add(reject)
        for canonical in settled.values():
            gathering.name(canonical)
        with progress("merging and writing the graph"):
            merged = gathering.merge()
            save_graph(folder, merged, settled)
        conflicts = write_records(folder / "conflicts.jsonl", conflicts_of(merged))
        rejects.close()
        counts = {"read": len(gathering), **counts_of(merged, settled), "conflicts": conflicts}
        return write_manifest(
            folder,
            kind=KIND,
            name="graph",
            inputs=[entry_of(path, name) for path, name in _inputs(files, recorded, aliases)],
            parameters={"format": format, "aliases": aliases.name if aliases else None},
            counts={**counts, "rejected": rejects.counts},
        )


def _file_names(files: Sequence[Path]) -> list[str]:
    """The bare names where they tell the files apart, so that a graph does not depend on where its files lay."""
    bare = [path.name for path in files]
    return bare if len(set(bare)) == len(set(files)) else [str(path) for path in files]


def _inputs(files: Sequence[Path], names: Sequence[str], aliases: Path | None) -> Iterator[tuple[Path, str]]:
    yield from ((path, name) for path, name in zip(files, names, strict=True) if not path.is_dir())
    if aliases:
        yield aliases, aliases.name


@contextmanager
def _rejects_in(folder: Path) -> Iterator[Rejects]:
    rejects = Rejects(folder / "rejects.jsonl")
    try:
        yield rejects
    finally:
        rejects.close()


def _gather(
    files: Sequence[Path], names: Sequence[str], form: str | None, gathering: Gathering, rejects: Rejects
) -> list[Alias]:
    """Read every file into `gathering`; the synonyms among the statements are aliases and come back."""
    synonyms, nodes = [], Nodes()
    with progress("reading the graph") as bar:
        for path, name in zip(files, names, strict=True):
            for number, item in enumerate(_statements(path, name, form, nodes), start=1):
                if isinstance(item, Reject):
                    rejects.add(item)
                elif resolve(item.relation).relation.name == SYNONYM:
                    synonyms.append(_synonym(item))
                else:
                    gathering.add(item)
                if number % _TICK == 0:
                    bar.advance(_TICK)
    return synonyms


def _statements(path: Path, name: str, form: str | None, nodes: Nodes) -> Iterator[Triple | Reject]:
    if path.is_dir():
        yield Origin(name).reject("folder", "a folder, not a file: name the files in it")
    else:
        yield from read_triples(path, form, name=name, nodes=nodes)


def _synonym(triple: Triple) -> Alias:
    return Alias(alias=triple.object, canonical=triple.subject, file=triple.file, line=triple.line)


def _aliases(path: Path | None, entities: Collection[str], rejects: Rejects) -> list[Alias]:
    """The aliases of the map, from alias to canonical name whichever way the file has them."""
    found = []
    with progress("reading the aliases") as bar:
        for number, item in enumerate(read_aliases(path, name=path.name) if path else (), start=1):
            if isinstance(item, Reject):
                rejects.add(item)
            else:
                found.append(item)
            if number % _TICK == 0:
                bar.advance(_TICK)
    return directed(found, entities)


def _nothing_read(files: Sequence[Path], rejects: Rejects) -> ZhongjingError:
    first, count = rejects.first, sum(rejects.counts.values())
    if first is None:
        return ZhongjingError("no triple in this file", where=files[0] if files else None)
    more = f" ({count:,} rejects in all)" if count > 1 else ""
    return ZhongjingError(
        f"no triple could be read: {first.detail}{more}",
        where=f"{first.file}:{first.line}",
        hint="known are tables of head, relation, tail; JSON of CMeKG, nested, spo_list or QASystemOnMedicalKG form;"
        " exports of nodes and relationships; N-Triples (docs/graph.md)",
    )
