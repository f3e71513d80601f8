"""Work in shards: each is whole or not there, so that a run that was killed goes on where it stood.

The shards of a set lie beside it in `.<name>.shards` until all are done: one folder each, written under a temporary
name and renamed when complete, with the part's dialogues, its rejects and its statistics (`result.json`). The set is
then put together from them in order, so that neither the number of processes nor an interruption shows in its bytes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, Protocol

import msgspec

from corpus.sets import Plan, SetWriter, StageResult, run_step
from foundation.errors import ZhongjingError
from foundation.files import new_file, new_folder
from foundation.manifest import code_version
from foundation.progress import progress

PLAN = "plan.json"
RESULT = "result.json"
REFRESH = 0.5


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the work: row groups of the source, or one of the raw files; `size` in rows where it is known."""

    places: list[int]
    size: int = 0


class Work(Protocol):
    """What is done to parts. It is sent to every process, where `start` makes it ready once."""

    def start(self) -> Callable[[Part, SetWriter], None]:
        """Open what the work needs and give the function that does one part."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A step's work on all its parts: `folder` collects the shards, `stage` names the step in rejects."""

    folder: Path
    stage: str
    work: Any


def run_in_shards(
    plan: Plan,
    out: Path,
    parts: Sequence[Part],
    work: Work,
    *,
    check: Callable[[SetWriter], None] | None = None,
    processes: int | None = None,
    reuse: bool = False,
) -> StageResult:
    """Do `work` on every part, in as many processes as there are cores unless told otherwise, and write the set `out`.

    Shards that an interrupted run of the same plan left complete are kept. `check` may refuse the whole when it is
    put together.
    """
    folder = out.parent / f".{out.name}.shards"
    job = Job(folder=folder, stage=plan.stage, work=work)

    def collect(writer: SetWriter) -> None:
        with _shards_of(plan, parts, folder):
            _do_parts(job, parts, min(processes or cores(), len(parts)))
            for number in range(len(parts)):
                writer.include(folder / _name(number), _result(folder, number))
            shutil.rmtree(folder)
        if check is not None:
            check(writer)

    return run_step(plan, out, collect, reuse=reuse)


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def _shards_of(plan: Plan, parts: Sequence[Part], folder: Path) -> Iterator[None]:
    """Hold the folder for this run alone, emptied of what belongs to another plan or was never finished."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ZhongjingError("another run is writing this set", where=folder, hint="wait for it to end") from error
        _make_room(plan, parts, folder)
        try:
            yield
        finally:
            if folder.is_dir() and not any(entry.is_dir() for entry in folder.iterdir()):
                shutil.rmtree(folder)
    finally:
        os.close(handle)


def _make_room(plan: Plan, parts: Sequence[Part], folder: Path) -> None:
    wanted = msgspec.json.encode([plan.stage, plan.inputs, plan.parameters, code_version(), parts])
    path = folder / PLAN
    same = path.is_file() and path.read_bytes() == wanted
    for entry in folder.iterdir():
        if entry.is_dir() and not (same and (entry / RESULT).is_file() and not entry.name.startswith(".")):
            shutil.rmtree(entry)
    if not same:
        with new_file(path) as temporary:
            temporary.write_bytes(wanted)


def _do_parts(job: Job, parts: Sequence[Part], processes: int) -> None:
    """Do what no earlier run has done, under a bar that counts rows."""
    done = {number for number in range(len(parts)) if (job.folder / _name(number)).is_dir()}
    waiting = {number: part for number, part in enumerate(parts) if number not in done}
    with progress(job.stage, sum(part.size for part in parts) or None) as steps:
        steps.advance(sum(_result(job.folder, number).read for number in done))
        if min(processes, len(waiting)) > 1:
            _do_in_pool(job, waiting, processes, steps.advance)
        elif waiting:
            do = job.work.start()
            for number, part in waiting.items():
                _do_part(job, do, number, part, steps.advance)


def _do_in_pool(job: Job, waiting: Mapping[int, Part], processes: int, advance: Callable[[int], None]) -> None:
    context = get_context("spawn")
    rows, shown = context.Value("Q", 0), 0
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_ready, initargs=(job, rows))
    try:
        running = {pool.submit(_do_in_process, number, part) for number, part in waiting.items()}
        while running:
            done, running = wait(running, timeout=REFRESH, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            advance(rows.value - shown)
            shown = rows.value
    except BrokenProcessPool as error:
        raise ZhongjingError(
            f"a process of the step {job.stage} ended unexpectedly",
            where=job.folder,
            hint="run the same command again to go on from the finished shards, with --processes 1 if memory is short; "
            "a script needs the guard `if __name__ == '__main__'`",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_READY: list[Any] = []


def _ready(job: Job, rows: Any) -> None:
    """Run once in each process of the pool: Ctrl-C is the parent's to handle, and nobody outlives the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _READY[:] = [job, job.work.start(), rows]


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do_in_process(number: int, part: Part) -> None:
    job, do, rows = _READY

    def count(more: int) -> None:
        with rows.get_lock():
            rows.value += more

    _do_part(job, do, number, part, count)


def _do_part(job: Job, do: Any, number: int, part: Part, on_rows: Callable[[int], None]) -> None:
    with new_folder(job.folder / _name(number)) as folder:
        with SetWriter(folder, job.stage, on_rows) as writer:
            do(part, writer)
            result = writer.close()
        (folder / RESULT).write_bytes(msgspec.json.encode(result))


def _result(folder: Path, number: int) -> StageResult:
    return msgspec.json.decode((folder / _name(number) / RESULT).read_bytes(), type=StageResult)


def _name(number: int) -> str:
    return f"{number:05}"
