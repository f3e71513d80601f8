"""Work in shards: each is whole or not there, so that a run that was killed goes on where it stood.

The shards of a set lie beside it in `.<name>.shards` until all are done: one folder each, written under a temporary
name and renamed when complete, with the part's dialogues, its rejects and its statistics (`result.json`). The set is
then put together from them in order, so that neither the engine, nor the number of processes, nor an interruption
shows in its bytes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from corpus.engines import current
from corpus.parts import RESULT, Job, Part, Work
from corpus.sets import Plan, SetWriter, StageResult, run_step
from foundation.errors import ZhongjingError
from foundation.files import new_file
from foundation.manifest import code_version
from foundation.progress import progress

PLAN = "plan.json"


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
    """Do `work` on every part, on the engine in use, and write the set `out`.

    There are as many processes as the engine has cores unless told otherwise. Shards that an interrupted run of the
    same plan left complete are kept. `check` may refuse the whole when it is put together.
    """
    job = Job(folder=out.parent / f".{out.name}.shards", stage=plan.stage, work=work)

    def collect(writer: SetWriter) -> None:
        with _shards_of(plan, parts, job.folder):
            _do_parts(job, parts, processes)
            for number in range(len(parts)):
                writer.include(job.shard(number), job.result(number))
            shutil.rmtree(job.folder)
        if check is not None:
            check(writer)

    return run_step(plan, out, collect, reuse=reuse)


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


def _do_parts(job: Job, parts: Sequence[Part], processes: int | None) -> None:
    """Do what no earlier run has done, under a bar that counts rows."""
    done = [number for number in range(len(parts)) if job.is_done(number)]
    waiting = {number: part for number, part in enumerate(parts) if not job.is_done(number)}
    with progress(job.stage, sum(part.size for part in parts) or None) as steps:
        steps.advance(sum(job.result(number).read for number in done))
        if waiting:
            current().do(job, waiting, processes, steps.advance)
