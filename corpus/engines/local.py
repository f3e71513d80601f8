"""This machine: a pool of processes for parts, threads for what compiled kernels do."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpus.deduplication.threads import cores
from corpus.parts import Job, OnRows, Part
from foundation.errors import ZhongjingError

if TYPE_CHECKING:
    from corpus.deduplication.candidates import Numbers
    from corpus.deduplication.copies import Comparison
    from corpus.deduplication.signatures import Shelf, Signatures
    from corpus.deduplication.stars import Rules

REFRESH = 0.5


class Local:
    """The engine that is used unless another is named."""

    def do(self, job: Job, waiting: Mapping[int, Part], processes: int | None, advance: OnRows) -> None:
        """Do parts in processes of their own, or here where one is enough."""
        processes = min(processes or cores(), len(waiting))
        if processes > 1:
            _do_in_pool(job, waiting, processes, advance)
            return
        do = job.work.start()
        for number, part in waiting.items():
            job.do(do, number, part, advance)

    def sign(self, shelf: Shelf, *, prefer: Sequence[str], threads: int | None, scratch: Path) -> Signatures:  # noqa: ARG002
        """Sign in threads."""
        from corpus.deduplication.signatures import sign_shelf

        return sign_shelf(shelf, prefer=prefer, threads=threads)

    def compare(
        self,
        shelves: Sequence[Shelf],
        signatures: Signatures,
        ones: Numbers,
        rules: Rules,
        *,
        threads: int,
        scratch: Path,  # noqa: ARG002
    ) -> Comparison:
        """Compare in threads."""
        from corpus.deduplication.waves import InThreads

        return InThreads(shelves, signatures, ones, rules, threads)


def _do_in_pool(job: Job, waiting: Mapping[int, Part], processes: int, advance: OnRows) -> None:
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

    job.do(do, number, part, count)
