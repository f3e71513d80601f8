"""From any record back to the raw file and line it came from, by the files under a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.sets import DIALOGUES, REJECTS
from foundation.errors import ZhongjingError

DEPTH = 4
PREFERENCES = "preferences.jsonl"
RANKINGS = "rankings.jsonl"
OUTPUTS = "outputs.jsonl"
PROMPTS = "prompts.jsonl"


class Place(msgspec.Struct, frozen=True):
    """A record found in a file, at a line (or row of a table) counted from 1."""

    file: Path
    line: int
    record: dict[str, Any]


def trace(identity: str, root: Path) -> list[str]:
    """The chain from `identity` (a pair, output, prompt or dialogue) to its raw file and line, a line each.

    No line holds a patient's words. An id that no file under `root` knows is an error that says where it was sought.
    """
    if not root.is_dir():
        raise ZhongjingError("no such folder", where=root, hint="give the folder of a run with --root")
    chain = list(_follow(identity, root))
    if not chain:
        sought = ", ".join((PREFERENCES, RANKINGS, OUTPUTS, PROMPTS, DIALOGUES, REJECTS))
        raise ZhongjingError(
            f"nothing is called {identity} here",
            where=root,
            hint=f"searched {DEPTH} levels deep: {sought}; another folder is given with --root",
        )
    return chain


def _follow(identity: str, root: Path) -> Iterator[str]:
    prompt = dialogue = None
    if place := _line_with(root, (PREFERENCES,), "pair_id", identity):
        prompt = place.record["prompt_id"]
        yield f"pair {identity} ({_where(place, root)}) compares answers to prompt {prompt}"
    elif place := _output(root, identity):
        prompt = place.record["prompt_id"]
        yield f"output {identity} ({_where(place, root)}) answers prompt {prompt}"
    if place := _line_with(root, (PROMPTS, RANKINGS), "prompt_id", prompt or identity):
        dialogue = place.record["dialogue_id"]
        version = place.record.get("dataset_version", "an unnamed version")
        yield f"prompt {prompt or identity} ({_where(place, root)}) was cut from dialogue {dialogue} of {version}"
    steps = list(_dialogue(dialogue or identity, root))
    if dialogue and not steps:
        yield f"dialogue {dialogue} is not under this folder: give the folder of the whole run with --root"
    yield from steps


def _dialogue(identity: str, root: Path) -> Iterator[str]:
    sets = sorted(_files(root, DIALOGUES), key=lambda path: ("versions" not in path.parts, path))
    for path in sets:
        if row := _row_with(path, identity):
            meta = row.record["meta"]
            called = f" (called {meta['raw_id']} there)" if meta["raw_id"] is not None else ""
            yield f"dialogue {identity} ({_where(row, root)})"
            yield f"raw file {meta['file']}, line {meta['line']}{called}, read as {meta['format']}"
            break
    if reject := _line_with(root, (REJECTS,), "id", identity):
        stage, reason, file, line = (reject.record[key] for key in ("stage", "reason", "file", "line"))
        detail = f" ({reject.record['detail']})" if reject.record.get("detail") else ""
        yield f"dialogue {identity} was left out by {stage}: {reason}{detail} ({_where(reject, root)})"
        yield f"raw file {file}, line {line}"


def _output(root: Path, identity: str) -> Place | None:
    if place := _line_with(root, (OUTPUTS,), "output_id", identity):
        return place
    for path in _files(root, RANKINGS):
        for line, record in _records_naming(path, identity):
            if any(answer.get("output_id") == identity for answer in record.get("responses", ())):
                return Place(path, line, record)
    return None


def _line_with(root: Path, names: Sequence[str], key: str, identity: str) -> Place | None:
    for name in names:
        for path in _files(root, name):
            for line, record in _records_naming(path, identity):
                if record.get(key) == identity:
                    return Place(path, line, record)
    return None


def _records_naming(path: Path, identity: str) -> Iterator[tuple[int, dict[str, Any]]]:
    wanted = identity.encode("utf-8", "replace")
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if wanted not in line:
                continue
            try:
                record = msgspec.json.decode(line)
            except msgspec.DecodeError:
                continue
            if isinstance(record, dict):
                yield number, record


def _row_with(path: Path, identity: str) -> Place | None:
    try:
        with pq.ParquetFile(path) as table:
            before = 0
            for batch in table.iter_batches(columns=["id", "meta"]):
                place = batch.column("id").to_pylist()
                if identity in place:
                    row = place.index(identity)
                    return Place(path, before + row + 1, {"meta": batch.column("meta")[row].as_py()})
                before += len(place)
    except (pa.ArrowException, OSError, KeyError):
        return None
    return None


def _files(root: Path, name: str) -> list[Path]:
    """Files of that name under `root`, the nearest first."""
    found = (path for depth in range(DEPTH) for path in sorted(root.glob("*/" * depth + name)))
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts)]


def _where(place: Place, root: Path) -> str:
    return f"{place.file.relative_to(root).as_posix()}:{place.line}"
