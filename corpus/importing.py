"""The first step: raw files to a dialogue set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from corpus.departments import department_of
from corpus.parts import DoPart, Part
from corpus.readers.base import Bad, Raw
from corpus.readers.detect import detect
from corpus.records import Dialogue, Meta, make_id
from corpus.sets import REJECTS, Plan, SetWriter, StageResult
from corpus.shards import run_in_shards
from corpus.turns import repair
from foundation.errors import ZhongjingError
from foundation.files import existing_file
from foundation.manifest import entry_of
from foundation.rejects import Reject, read_rejects

STAGE = "import"
UNREADABLE = "unreadable_file"

OnFault = Callable[[ZhongjingError], None]


def import_files(
    files: Sequence[Path],
    out: Path,
    *,
    names: Sequence[str] | None = None,
    processes: int | None = None,
    reuse: bool = False,
    on_fault: OnFault | None = None,
) -> StageResult:
    """Read raw files of any known format into the dialogue set `out`, every file in a shard of its own.

    `names` are recorded in place of the paths, one for each file. Broken rows become rejects with file and line;
    a file that is missing or cannot be read is a reject too, told to `on_fault`, and an error where nothing else
    was read.
    """
    called = [_printable(name) for name in (names if names is not None else (path.as_posix() for path in files))]
    if len(called) != len(files) or not files:
        raise ZhongjingError("one name for each file is needed, and at least one file")
    if len({os.path.realpath(path) for path in files}) < len(files):
        raise ZhongjingError("a file is given twice", hint="name every file once")
    inputs = [entry_of(path, name) for path, name in zip(files, called, strict=True) if _is_readable(path)]
    plan = Plan(stage=STAGE, inputs=inputs, parameters={})
    parts = [Part(places=[place]) for place in range(len(files))]
    work = ReadFiles(list(files), called)
    result = run_in_shards(
        plan, out, parts, work, check=lambda writer: _refuse_nothing(writer, called), processes=processes, reuse=reuse
    )
    if on_fault is not None:
        for fault in _faults(out):
            on_fault(fault)
    return result


class ReadFiles(msgspec.Struct, frozen=True):
    """The step: which files, and what they are called."""

    files: list[Path]
    names: list[str]

    def start(self) -> DoPart:
        """Nothing to open."""
        return self._read

    def _read(self, part: Part, writer: SetWriter) -> None:
        for place in part.places:
            name = self.names[place]
            earlier = [Path(other).name for other in self.names[:place]].count(Path(name).name)
            intake = _Intake(writer, name, earlier)
            try:
                found = detect(self.files[place])
                for row in found.read(self.files[place], found.encoding):
                    intake.take(row, found.name)
            except ZhongjingError as error:
                intake.reject(UNREADABLE, "; ".join(filter(None, (error.message, error.hint))), line=intake.line + 1)


def _printable(name: str) -> str:
    """A file name whose bytes are no UTF-8, with those bytes spelt out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_readable(path: Path) -> bool:
    try:
        existing_file(path)
    except ZhongjingError:
        return False
    return True


def _faults(out: Path) -> Iterator[ZhongjingError]:
    """What kept files from being read to their end."""
    for reject in read_rejects(out / REJECTS):
        if reject.reason == UNREADABLE:
            yield _fault(reject)


def _fault(reject: Reject) -> ZhongjingError:
    return ZhongjingError(reject.detail, where=reject.file if reject.line == 1 else f"{reject.file}:{reject.line}")


def _refuse_nothing(writer: SetWriter, names: Sequence[str]) -> None:
    """An error where no dialogue was read, that names the first thing in the way."""
    if writer.kept:
        return
    first = writer.first_reject
    if first is None:
        raise ZhongjingError("there is no row in it", where=", ".join(names))
    if first.reason == UNREADABLE:
        raise _fault(first)
    why = f"{first.reason}: {first.detail}" if first.detail else first.reason
    raise ZhongjingError(
        "no dialogue could be read; this is the first broken row",
        where=f"{first.file}:{first.line}",
        hint=why,
    )


class _Intake:
    """Makes dialogues of the rows of a file, and rejects of the rows that are none.

    An id is made of the file's name without folders, how many files of that name came `earlier`, the line, the place
    on that line and the words: no id is given twice.
    """

    def __init__(self, writer: SetWriter, file: str, earlier: int) -> None:
        self.writer = writer
        self.file, self.base, self.earlier = file, Path(file).name, earlier
        self.line, self.place = 0, 0

    def reject(self, reason: str, detail: str = "", *, line: int, identity: str | None = None) -> None:
        """Write down a row that is no dialogue."""
        self.writer.reject(Reject(stage=STAGE, reason=reason, file=self.file, line=line, detail=detail, id=identity))

    def take(self, row: Raw | Bad, form: str) -> None:
        """Keep the dialogue in a row, or say why there is none."""
        self.place = self.place + 1 if row.line == self.line else 0
        self.line = row.line
        if isinstance(row, Bad):
            where = f"; row {self.place + 1} of this line" if self.place else ""
            self.reject(row.reason, row.detail + where, line=row.line)
            return
        dialogue = self._dialogue(row, form)
        if dialogue is not None:
            self.writer.keep(dialogue)

    def _dialogue(self, row: Raw, form: str) -> Dialogue | None:
        words = [[turn.role, turn.content] for turn in row.messages]
        more = [self.place, self.earlier] if self.place or self.earlier else []
        identity = make_id("d", self.base, row.line, words, *more)
        messages, fault, greetings = repair(row.messages)
        if fault is not None:
            self.reject(fault, line=row.line, identity=identity)
            return None
        self.writer.details["greetings_dropped"] += greetings
        self.writer.details["turns_merged_or_empty"] += len(row.messages) - len(messages) - greetings
        department = department_of(row.department)
        labels = list(_labels(row, department))
        meta = Meta(file=self.file, line=row.line, format=form, raw_id=row.raw_id, labels=labels)
        return Dialogue(
            id=identity,
            messages=messages,
            source=self.base.split(".")[0] or self.base,
            department=department,
            meta=meta,
        )


def _labels(row: Raw, department: str | None) -> Iterator[str]:
    """The file's labels, and its own name for the department where ours differs."""
    if row.department is not None and row.department != department and row.department.lower() != "nan":
        yield row.department
    yield from row.labels
