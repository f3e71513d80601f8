"""Does what waits in the lease table. Several may run; killing one at any moment loses and doubles nothing.

Each job runs in a process of its own, which is stopped when the job is cancelled or its lease is lost.
"""

from __future__ import annotations

import logging
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from annotation.database import Database
from annotation.jobs.labour import News, Work
from annotation.jobs.leases import LEASE, Lease, claim, finish, give_up, hold, is_to_stop, put_back, stop
from corpus.sets import StageResult

POLL_SECONDS = 1.0
LOOK_SECONDS = 0.5
GRACE_SECONDS = 5.0
log = logging.getLogger("zhongjing.worker")


def work(database: Database, *, data: Path, once: bool = False, length: timedelta = LEASE) -> int:
    """Do jobs until interrupted, or with `once` until nothing waits; returns how many attempts were made.

    A worker that is silent for `length` has lost its job to the next one.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    owner = secrets.token_hex(8)
    done = 0
    while True:
        with database.write() as session:
            lease = claim(session, owner, length)
        if lease is not None:
            Attempt(database, data, lease, length).run()
            done += 1
        elif once:
            return done
        else:
            time.sleep(POLL_SECONDS)


class Attempt:
    """One try at one job: a process, and what it tells, stored under the lease."""

    def __init__(self, database: Database, data: Path, lease: Lease, length: timedelta = LEASE) -> None:
        self.database, self.data, self.lease, self.length = database, data, lease, length
        self._stages: list[dict[str, Any]] = []
        self._lines: list[str] = []
        self._progress: dict[str, Any] | None = None
        self._end: News | None = None
        self._beaten = 0.0

    def run(self) -> None:
        """Let the process do the job, and end the job as the process ended; who interrupts us puts it back."""
        try:
            with _labourer(self._work()) as (process, news):
                self._watch(process, news)
        except KeyboardInterrupt:
            with self.database.write() as session:
                put_back(session, self.lease)
            raise
        self._conclude(process.returncode)

    def _watch(self, process: subprocess.Popen[bytes], news: queue.Queue[News | None]) -> None:
        while self._take(news):
            self._store()
            with self.database.read() as session:
                if is_to_stop(session, self.lease):
                    _stop(process)
                    return
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)

    def _work(self) -> Work:
        return Work(
            database_url=self.database.url.render_as_string(hide_password=False),
            data=str(self.data.resolve()),
            job_id=self.lease.job_id,
            kind=self.lease.kind,
            payload=self.lease.payload,
        )

    def _take(self, news: queue.Queue[News | None]) -> bool:
        """Wait a moment for news and note all there is; false when the process has closed its end."""
        until = time.monotonic() + LOOK_SECONDS
        with suppress(queue.Empty):
            while (left := until - time.monotonic()) > 0:
                item = news.get(timeout=left)
                if item is None:
                    return False
                self._note(item)
        return True

    def _note(self, news: News) -> None:
        if news.progress is not None:
            self._progress = news.progress
        if news.stage is not None:
            self._stages.append(news.stage)
            self._lines.append(msgspec.convert(news.stage, StageResult).line())
        if news.line is not None:
            self._lines.append(news.line)
        if news.result is not None or news.error is not None:
            self._end = news

    def _store(self) -> None:
        """Prolong the lease where it is time, with whatever is new since."""
        is_new = self._progress is not None or self._lines
        if not is_new and time.monotonic() - self._beaten < self.length.total_seconds() / 3:
            return
        values: dict[str, Any] = {"progress": self._progress} if self._progress is not None else {}
        if self._stages:
            values["cursor"] = {"stages": self._stages}
        with self.database.write() as session:
            hold(session, self.lease, self.length, lines=self._lines, **values)
        self._beaten = time.monotonic()
        self._lines, self._progress = [], None

    def _conclude(self, status: int) -> None:
        with self.database.write() as session:
            if is_to_stop(session, self.lease):
                stop(session, self.lease)
                return
            hold(session, self.lease, self.length, lines=self._lines, cursor={"stages": self._stages})
            if self._end is None:
                give_up(session, self.lease, f"the work ended with status {status}", for_good=False)
            elif self._end.error is not None:
                give_up(session, self.lease, self._end.error, for_good=self._end.for_good)
            else:
                finish(session, self.lease, {"stages": self._stages, **(self._end.result or {})})


@contextmanager
def _labourer(work: Work) -> Iterator[tuple[subprocess.Popen[bytes], queue.Queue[News | None]]]:
    """The process that does a job, and a queue of what it tells, ended by None; it never outlives the block."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "annotation.jobs.labour"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        news: queue.Queue[News | None] = queue.Queue()
        reader = threading.Thread(target=_read, args=(process.stdout, news), daemon=True)
        reader.start()
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(msgspec.json.encode(work) + b"\n")
                process.stdin.flush()
            yield process, news
        finally:
            _signal(process, signal.SIGKILL)
            process.wait()
            reader.join()


def _read(stream: BinaryIO, news: queue.Queue[News | None]) -> None:
    for line in stream:
        try:
            news.put(msgspec.json.decode(line, type=News))
        except msgspec.DecodeError:
            log.error("a job told something that is no news")
    news.put(None)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to stop, as Ctrl-C does, so that it removes what it has half-written."""
    _signal(process, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the process and all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
