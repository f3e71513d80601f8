"""The first step: raw files to a dialogue set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from corpus.departments import department_of
from corpus.readers.base import Bad, Raw
from corpus.readers.detect import Format, detect
from corpus.records import Dialogue, Meta, make_id
from corpus.sets import Plan, SetWriter, StageResult, run_step
from corpus.turns import repair
from foundation.errors import ZhongjingError
from foundation.files import existing_file
from foundation.manifest import entry_of
from foundation.progress import track
from foundation.rejects import Reject

STAGE = "import"


def import_files(
    files: Sequence[Path], out: Path, *, names: Sequence[str] | None = None, reuse: bool = False
) -> StageResult:
    """Read raw files of any known format into the dialogue set `out`.

    `names` are recorded in place of the paths, one for each file. Broken rows become rejects with file and line;
    a file that cannot be read at all is a reject too, and an error where nothing else was read.
    """
    called = list(names) if names is not None else [path.as_posix() for path in files]
    if len(called) != len(files) or not files:
        raise ZhongjingError("one name for each file is needed, and at least one file")
    inputs = [entry_of(existing_file(path), name) for path, name in zip(files, called, strict=True)]
    plan = Plan(stage=STAGE, inputs=inputs, parameters={})
    return run_step(plan, out, lambda writer: _read_all(files, called, writer), reuse=reuse)


def _read_all(files: Sequence[Path], names: Sequence[str], writer: SetWriter) -> None:
    seen: set[str] = set()
    fault: ZhongjingError | None = None
    for path, name in track(list(zip(files, names, strict=True)), "reading"):
        try:
            found = detect(path)
            for row in found.read(path, found.encoding):
                _take(row, name, found, seen, writer)
        except ZhongjingError as error:
            fault = error
            writer.reject(Reject(stage=STAGE, reason="unreadable_file", file=name, line=1, detail=error.message))
    if not seen:
        raise fault or ZhongjingError("no dialogue could be read: every row is broken", where=", ".join(names))


def _take(row: Raw | Bad, name: str, found: Format, seen: set[str], writer: SetWriter) -> None:
    if isinstance(row, Bad):
        writer.reject(Reject(stage=STAGE, reason=row.reason, file=name, line=row.line, detail=row.detail))
        return
    dialogue = _dialogue(row, name, found, writer)
    if dialogue is None:
        return
    if dialogue.id in seen:
        writer.drop(dialogue, "duplicate_id", "the same file name, line and words came before")
        return
    seen.add(dialogue.id)
    writer.keep(dialogue)


def _dialogue(row: Raw, name: str, found: Format, writer: SetWriter) -> Dialogue | None:
    identity = make_id("d", Path(name).name, row.line, [[turn.role, turn.content] for turn in row.messages])
    messages, fault, greetings = repair(row.messages)
    if fault is not None:
        writer.reject(Reject(stage=STAGE, reason=fault, file=name, line=row.line, id=identity))
        return None
    writer.details["greetings_dropped"] += greetings
    writer.details["turns_merged_or_empty"] += len(row.messages) - len(messages) - greetings
    department = department_of(row.department)
    return Dialogue(
        id=identity,
        messages=messages,
        source=_source(name),
        department=department,
        meta=Meta(
            file=name,
            line=row.line,
            format=found.name,
            raw_id=row.raw_id,
            labels=list(_labels(row, department)),
        ),
    )


def _labels(row: Raw, department: str | None) -> Iterator[str]:
    """The file's labels, and its own name for the department where ours differs."""
    if row.department is not None and row.department != department and row.department.lower() != "nan":
        yield row.department
    yield from row.labels


def _source(name: str) -> str:
    return Path(name).name.split(".")[0] or name
