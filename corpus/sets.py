"""Dialogue sets: a folder of dialogues, of everything left out on the way, and a manifest.

A set holds `dialogues.parquet`, `rejects.jsonl` and `manifest.json` (kind `dialogue-set`). Every step reads one
set and writes another; it carries the rejects of its source forward and adds its own.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.records import Dialogue
from corpus.tables import REQUIRED, SCHEMA, from_batch, to_batch, whole
from foundation.errors import ZhongjingError
from foundation.files import existing_file, new_folder
from foundation.jsonl import dump_json
from foundation.manifest import FileEntry, claim_folder, code_version, entry_of, read_manifest, write_manifest
from foundation.rejects import Reject, read_rejects

KIND = "dialogue-set"
VERSION_KIND = "dataset-version"
GRAPH_KIND = "knowledge-graph"
DIALOGUES = "dialogues.parquet"
REJECTS = "rejects.jsonl"
BATCH = 2_000
SAMPLES = 5
TELL = 100


class StageResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a step did: `read` equals `kept` plus the sum of `rejected` (reason to count).

    `details` are other counts worth a line, `sums` are over the dialogues kept; `samples` are ids (or file:line)
    per reason, never text. `parameters` are those of the plan.
    """

    stage: str
    read: int
    kept: int
    rejected: dict[str, int] = {}
    details: dict[str, int | str] = {}
    sums: dict[str, float] = {}
    samples: dict[str, list[str]] = {}
    parameters: dict[str, Any] = {}
    reused: bool = False

    def mean(self, name: str) -> float | None:
        """One of `sums` divided by the dialogues kept; None where there are none."""
        return self.sums[name] / self.kept if self.kept and name in self.sums else None

    def line(self) -> str:
        """One line for a person."""
        parts = [f"{self.stage}: {self.read:,} in, {self.kept:,} out"]
        if self.rejected:
            parts.append("left out " + ", ".join(f"{reason} {count:,}" for reason, count in self.rejected.items()))
        if self.details:
            parts.append(", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in self.details.items()))
        if self.kept and self.sums:
            parts.append(", ".join(f"mean {name.replace('_', ' ')} {self.mean(name):.3g}" for name in self.sums))
        return "; ".join(parts) + (" [reused]" if self.reused else "")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What decides the output of a step: its inputs and its parameters (JSON values).

    With `again` the source is an earlier output of this very step, whose result and rejects the new one replaces.
    """

    stage: str
    inputs: list[FileEntry]
    parameters: dict[str, Any]
    source: Path | None = None
    again: bool = False


class Drop(msgspec.Struct, frozen=True):
    """Why a step leaves a dialogue out; `detail` never quotes it."""

    reason: str
    detail: str = ""


def plan_step(stage: str, source: Path, parameters: Mapping[str, Any], *, graph: Path | None = None) -> Plan:
    """The plan of a step that reads the dialogue set (or version) `source` and perhaps a graph."""
    _require_set(source)
    inputs = [entry_of(source, source.name)]
    if graph is not None:
        read_manifest(graph, GRAPH_KIND)
        inputs.append(entry_of(graph, "graph"))
    return Plan(stage=stage, inputs=inputs, parameters=msgspec.to_builtins(dict(parameters)), source=source)


class SetWriter:
    """Collects the dialogues kept and the rows left out by one step, in batches.

    `details` counts what is worth a line, `sums` adds up figures whose mean over the dialogues kept is. `on_rows` is
    told now and then how many more rows are through.
    """

    def __init__(self, folder: Path, stage: str, on_rows: Callable[[int], None] | None = None) -> None:
        self.folder = folder
        self.stage = stage
        self.details: Counter[str] = Counter()
        self.notes: dict[str, int | str] = {}
        self.sums: dict[str, float] = {}
        self.first_reject: Reject | None = None
        self.kept = 0
        self._on_rows, self._untold = on_rows, 0
        self._rejected: Counter[str] = Counter()
        self._samples: dict[str, list[str]] = {}
        self._waiting: list[Dialogue] = []
        self._files: dict[str, BinaryIO] = {}
        self._parquet = pq.ParquetWriter(folder / DIALOGUES, SCHEMA, compression="zstd")
        self._rejects = self.file(REJECTS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._parquet.close()
        for file in self._files.values():
            file.close()

    def file(self, name: str) -> BinaryIO:
        """Another file of the set, to be written to from the start."""
        if name not in self._files:
            self._files[name] = (self.folder / name).open("wb")
        return self._files[name]

    def keep(self, dialogue: Dialogue) -> None:
        """Add a dialogue to the new set."""
        self.kept += 1
        self._tell()
        self._waiting.append(dialogue)
        if len(self._waiting) >= BATCH:
            self._flush()

    def keep_rows(self, rows: pa.RecordBatch) -> None:
        """Add dialogues as rows of `SCHEMA`."""
        self._flush()
        self.kept += rows.num_rows
        if rows.num_rows:
            self._parquet.write_batch(rows)

    def drop(self, dialogue: Dialogue, reason: str, detail: str = "") -> None:
        """Leave a dialogue out, for a named reason."""
        meta = dialogue.meta
        self.reject(
            Reject(stage=self.stage, reason=reason, file=meta.file, line=meta.line, detail=detail or "", id=dialogue.id)
        )

    def reject(self, reject: Reject) -> None:
        """Write down a row left out by this step."""
        self.first_reject = self.first_reject or reject
        self._count_reject(reject.reason, 1, [reject.id or f"{reject.file}:{reject.line}"])
        self._tell()
        self._rejects.write(dump_json(reject) + b"\n")

    def add(self, name: str, value: float) -> None:
        """Add to one of `sums`."""
        self.sums[name] = self.sums.get(name, 0.0) + value

    def carry(self, rejects: Iterable[bytes]) -> None:
        """Copy what earlier steps left out."""
        self._rejects.writelines(rejects)

    def include(self, shard: Path, result: StageResult) -> None:
        """Take over all that another writer of this step wrote to the folder `shard`."""
        self._flush()
        with pq.ParquetFile(shard / DIALOGUES) as parquet:
            for group in range(parquet.num_row_groups):
                self._parquet.write_table(parquet.read_row_group(group))
        for path in sorted(shard.iterdir()):
            if path.suffix == ".jsonl":
                with path.open("rb") as lines:
                    shutil.copyfileobj(lines, self.file(path.name))
        self.kept += result.kept
        self.first_reject = self.first_reject or _first(shard / REJECTS)
        for reason, count in result.rejected.items():
            self._count_reject(reason, count, result.samples.get(reason, []))
        for name, value in result.sums.items():
            self.add(name, value)
        self.details.update({name: value for name, value in result.details.items() if isinstance(value, int)})

    def close(self) -> StageResult:
        """Flush everything and say what was done."""
        self._flush()
        self.__exit__()
        details = {name: count for name, count in sorted(self.details.items()) if count}
        return StageResult(
            stage=self.stage,
            read=self.kept + sum(self._rejected.values()),
            kept=self.kept,
            rejected=dict(sorted(self._rejected.items())),
            details={**self.notes, **details},
            sums=dict(sorted(self.sums.items())),
            samples=dict(sorted(self._samples.items())),
        )

    def _tell(self) -> None:
        self._untold += 1
        if self._on_rows is not None and self._untold >= TELL:
            self._on_rows(self._untold)
            self._untold = 0

    def _count_reject(self, reason: str, count: int, samples: list[str]) -> None:
        self._rejected[reason] += count
        shown = self._samples.setdefault(reason, [])
        shown += samples[: SAMPLES - len(shown)]

    def _flush(self) -> None:
        if self._waiting:
            self._parquet.write_batch(to_batch(self._waiting))
            self._waiting = []


def run_step(plan: Plan, out: Path, work: Callable[[SetWriter], None], *, reuse: bool = False) -> StageResult:
    """Write the set that `work` makes to `out`, all or nothing.

    With `reuse`, an `out` that was made by the same code from the same inputs with the same parameters is kept.
    """
    earlier = earlier_result(plan, out) if reuse else None
    if earlier is not None:
        return earlier
    _refuse_strange(out, plan.source)
    with new_folder(out) as folder:
        return _write_set(plan, folder, out.name, work)


def earlier_result(plan: Plan, out: Path) -> StageResult | None:
    """The result kept in `out` where it was made by the same plan and its files are still whole."""
    try:
        manifest = read_manifest(out)
    except ZhongjingError:
        return None
    same = (manifest.inputs, manifest.parameters, manifest.code_version) == (
        plan.inputs,
        plan.parameters,
        code_version(),
    )
    whole = all((out / file.name).is_file() and entry_of(out / file.name, file.name) == file for file in manifest.files)
    if not (same and whole):
        return None
    stages = stages_of(out)
    return msgspec.structs.replace(stages[-1], reused=True) if stages else None


def stages_of(folder: Path) -> list[StageResult]:
    """Results of all steps that led to this set, first to last."""
    return msgspec.convert(read_manifest(folder).counts.get("stages", []), list[StageResult])


def read_dialogues(folder: Path) -> Iterator[Dialogue]:
    """The dialogues of a set or a version, in order, a batch in memory at a time."""
    for batch in read_batches(folder):
        yield from batch


def read_batches(folder: Path) -> Iterator[list[Dialogue]]:
    """Batches of dialogues; see `read_dialogues`."""
    with _open(folder) as parquet:
        yield from map(from_batch, parquet.iter_batches(batch_size=BATCH))


def arrow_batches(
    folder: Path, columns: Sequence[str] | None = None, file: str = DIALOGUES
) -> Iterator[pa.RecordBatch]:
    """The rows of a set as Arrow holds them, for work that needs no Python objects; see `read_dialogues`."""
    with _open(folder, file) as parquet:
        wanted = list(columns) if columns else None
        batches = parquet.iter_batches(batch_size=BATCH, columns=wanted, use_threads=False)
        yield from batches if wanted else map(whole, batches)


def read_row_groups(folder: Path, groups: Sequence[int]) -> Iterator[list[Dialogue]]:
    """The dialogues of some of the row groups that a set is written in, in batches."""
    with _open(folder) as parquet:
        for group in groups:
            yield from map(from_batch, parquet.read_row_group(group).to_batches())


def arrow_row_groups(
    folder: Path, groups: Sequence[int], columns: Sequence[str], file: str = DIALOGUES
) -> Iterator[pa.RecordBatch]:
    """The rows of some row groups as Arrow holds them; see `arrow_batches`."""
    with _open(folder, file) as parquet:
        for group in groups:
            yield from parquet.read_row_group(group, columns=list(columns), use_threads=False).to_batches()


def row_group_sizes(folder: Path, file: str = DIALOGUES) -> list[int]:
    """How many dialogues each row group of a set holds."""
    with _open(folder, file) as parquet:
        return [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]


def read_some(folder: Path, ids: Collection[str], file: str = DIALOGUES) -> dict[str, Dialogue]:
    """The dialogues of a set or version with these ids, as far as it has them."""
    _require_set(folder)
    wanted = pc.field("id").isin(pa.array(sorted(ids), pa.string()))
    rows = pq.read_table(existing_file(folder / file), filters=wanted)
    return {dialogue.id: dialogue for batch in rows.to_batches() for dialogue in from_batch(batch)}


def count_dialogues(folder: Path, file: str = DIALOGUES) -> int:
    """How many dialogues a set or version holds."""
    with _open(folder, file) as parquet:
        return int(parquet.metadata.num_rows)


def _write_set(plan: Plan, folder: Path, name: str, work: Callable[[SetWriter], None]) -> StageResult:
    earlier: list[StageResult] = []
    with SetWriter(folder, plan.stage) as writer:
        if plan.source is not None:
            earlier = [stage for stage in stages_of(plan.source) if not (plan.again and stage.stage == plan.stage)]
            with existing_file(plan.source / REJECTS).open("rb") as rejects:
                own = b'{"stage":"%s",' % plan.stage.encode() if plan.again else None
                writer.carry(line for line in rejects if own is None or not line.startswith(own))
        work(writer)
        result = msgspec.structs.replace(writer.close(), parameters=plan.parameters)
    write_manifest(
        folder,
        kind=KIND,
        name=name,
        inputs=plan.inputs,
        parameters=plan.parameters,
        counts={"dialogues": result.kept, "stages": msgspec.to_builtins([*earlier, result])},
    )
    return result


def _open(folder: Path, file: str = DIALOGUES) -> pq.ParquetFile:
    _require_set(folder)
    path = existing_file(folder / file)
    try:
        parquet = pq.ParquetFile(path, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise ZhongjingError("this Parquet file is damaged", where=path, hint="run the step again") from error
    missing = REQUIRED - set(parquet.schema_arrow.names)
    if missing:
        raise ZhongjingError(f"this Parquet file lacks the columns {', '.join(sorted(missing))}", where=path)
    return parquet


def _require_set(folder: Path) -> None:
    kind = read_manifest(folder).kind
    if kind not in (KIND, VERSION_KIND):
        raise ZhongjingError(f"this folder holds a {kind}, a {KIND} was expected", where=folder)


def _refuse_strange(out: Path, source: Path | None) -> None:
    if source is not None and out.resolve() == source.resolve():
        raise ZhongjingError("the output would replace its own input", where=out, hint="choose another --out")
    claim_folder(out, KIND)


def _first(rejects: Path) -> Reject | None:
    return next(read_rejects(rejects), None)


def _short(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value
