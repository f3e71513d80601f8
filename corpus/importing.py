"""The first step: raw files to a dialogue set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

OnFault = Callable[[ZhongjingError], None]


def import_files(
    files: Sequence[Path],
    out: Path,
    *,
    names: Sequence[str] | None = None,
    reuse: bool = False,
    on_fault: OnFault | None = None,
) -> StageResult:
    """Read raw files of any known format into the dialogue set `out`.

    `names` are recorded in place of the paths, one for each file. Broken rows become rejects with file and line;
    a file that is missing or cannot be read is a reject too, told to `on_fault`, and an error where nothing else
    was read.
    """
    called = [_printable(name) for name in (names if names is not None else (path.as_posix() for path in files))]
    if len(called) != len(files) or not files:
        raise ZhongjingError("one name for each file is needed, and at least one file")
    named = list(zip(files, called, strict=True))
    inputs = [entry_of(path, name) for path, name in named if _is_readable(path)]
    plan = Plan(stage=STAGE, inputs=inputs, parameters={})
    return run_step(plan, out, lambda writer: _read_all(named, writer, on_fault), reuse=reuse)


def _printable(name: str) -> str:
    """A file name whose bytes are no UTF-8, with those bytes spelt out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_readable(path: Path) -> bool:
    try:
        existing_file(path)
    except ZhongjingError:
        return False
    return True


def _read_all(named: Sequence[tuple[Path, str]], writer: SetWriter, on_fault: OnFault | None) -> None:
    seen: set[str] = set()
    faults: list[ZhongjingError] = []
    for path, name in track(named, "reading"):
        line = 0
        try:
            found = detect(path)
            for row in found.read(path, found.encoding):
                line = row.line
                _take(row, name, found, seen, writer)
        except ZhongjingError as error:
            faults.append(error)
            writer.reject(Reject(stage=STAGE, reason="unreadable_file", file=name, line=line + 1, detail=error.message))
    final = None if seen else (faults.pop() if faults else _nothing_read(named, writer))
    if on_fault is not None:
        for fault in faults:
            on_fault(fault)
    if final is not None:
        raise final


def _nothing_read(named: Sequence[tuple[Path, str]], writer: SetWriter) -> ZhongjingError:
    first = writer.first_reject
    if first is None:
        return ZhongjingError("there is no row in it", where=", ".join(name for _, name in named))
    why = f"{first.reason}: {first.detail}" if first.detail else first.reason
    return ZhongjingError(
        "no dialogue could be read; this is the first broken row",
        where=f"{first.file}:{first.line}",
        hint=why,
    )


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
