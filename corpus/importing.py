"""The first step: raw files to a dialogue set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from corpus.departments import department_of
from corpus.readers.base import Bad, Raw
from corpus.readers.detect import detect
from corpus.records import Dialogue, Meta, make_id
from corpus.sets import Plan, SetWriter, StageResult, run_step
from corpus.turns import repair
from foundation.errors import ZhongjingError
from foundation.files import existing_file
from foundation.manifest import entry_of
from foundation.progress import progress
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
    faults: list[ZhongjingError] = []
    intake = _Intake(writer, [name for _, name in named])
    with progress("reading") as steps:
        for path, name in named:
            steps.say(f"reading {Path(name).name}")
            try:
                found = detect(path)
                intake.begin(name, found.name)
                for row in found.read(path, found.encoding):
                    intake.take(row)
                    steps.advance()
            except ZhongjingError as error:
                faults.append(error)
                intake.reject("unreadable_file", error.message, file=name, line=intake.line_after(name))
    if not intake.kept:
        raise faults[0] if faults else _nothing_read(named, writer)
    if on_fault is not None:
        for fault in faults:
            on_fault(fault)


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


class _Intake:
    """Makes dialogues of the rows of one file after the other, and rejects of the rows that are none.

    An id is made of the file's name without folders, the line, the place on that line and the words: it can occur
    twice only where two files have one name, and only then are ids remembered.
    """

    def __init__(self, writer: SetWriter, names: Sequence[str]) -> None:
        self.writer = writer
        self.kept = 0
        self.file, self.base, self.format = "", "", ""
        self.line, self.place = 0, 0
        self.shared = {base for base, count in Counter(Path(name).name for name in names).items() if count > 1}
        self.seen: set[str] = set()

    def begin(self, file: str, form: str) -> None:
        """Go on to a file read as `form`."""
        self.file, self.base, self.format = file, Path(file).name, form
        self.line, self.place = 0, 0

    def line_after(self, file: str) -> int:
        """The line behind the last row taken from `file`."""
        return self.line + 1 if file == self.file else 1

    def reject(self, reason: str, detail: str = "", *, file: str, line: int, identity: str | None = None) -> None:
        """Write down a row that is no dialogue."""
        self.writer.reject(Reject(stage=STAGE, reason=reason, file=file, line=line, detail=detail, id=identity))

    def take(self, row: Raw | Bad) -> None:
        """Keep the dialogue in a row, or say why there is none."""
        self.place = self.place + 1 if row.line == self.line else 0
        self.line = row.line
        if isinstance(row, Bad):
            where = f"; row {self.place + 1} of this line" if self.place else ""
            self.reject(row.reason, row.detail + where, file=self.file, line=row.line)
            return
        dialogue = self._dialogue(row)
        if dialogue is None:
            return
        if dialogue.id in self.seen:
            self.writer.drop(dialogue, "duplicate_id", "the same file name, line and words came before")
            return
        if self.base in self.shared:
            self.seen.add(dialogue.id)
        self.kept += 1
        self.writer.keep(dialogue)

    def _dialogue(self, row: Raw) -> Dialogue | None:
        words = [[turn.role, turn.content] for turn in row.messages]
        place = [self.place] if self.place else []
        identity = make_id("d", self.base, row.line, words, *place)
        messages, fault, greetings = repair(row.messages)
        if fault is not None:
            self.reject(fault, file=self.file, line=row.line, identity=identity)
            return None
        self.writer.details["greetings_dropped"] += greetings
        self.writer.details["turns_merged_or_empty"] += len(row.messages) - len(messages) - greetings
        department = department_of(row.department)
        labels = list(_labels(row, department))
        meta = Meta(file=self.file, line=row.line, format=self.format, raw_id=row.raw_id, labels=labels)
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
