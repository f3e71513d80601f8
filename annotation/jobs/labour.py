"""A job's own process: it reads the order from stdin, does it, and tells of it in JSON lines on stdout.

It is started by the worker, which can stop it at any moment, and ends with it: when stdin closes, all of it is killed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from annotation.database import Database
from annotation.jobs.data_folder import DataFolder
from annotation.jobs.orders import order_from
from foundation.errors import ZhongjingError
from foundation.progress import watched

TELL_EVERY = 0.25


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is told."""

    database_url: str
    data: str
    job_id: int
    kind: str
    payload: dict[str, Any]


class News(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the process tells: how far it is, a stage's report, a line of the log, or how it ended."""

    progress: dict[str, Any] | None = None
    stage: dict[str, Any] | None = None
    line: str | None = None
    result: dict[str, Any] | None = None
    error: str | None = None
    for_good: bool = False


def main() -> None:
    """Do the order that stands on stdin."""
    work = msgspec.json.decode(sys.stdin.buffer.readline(), type=Work)
    threading.Thread(target=_die_with_worker, args=(sys.stdin.fileno(),), daemon=True).start()
    with _own_stdout() as out:
        teller = _Teller(out)
        try:
            with watched(teller.progress):
                result = _do(work, teller)
        except ZhongjingError as error:
            teller.tell(News(error=str(error).replace(work.data, "…"), for_good=True))
        except Exception as error:  # the message may hold a patient's words; where it happened does not
            for frame in traceback.extract_tb(error.__traceback__)[-8:]:
                teller.tell(News(line=f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}"))
            teller.tell(News(error=type(error).__name__))
        else:
            teller.tell(News(result=result))


def _do(work: Work, teller: _Teller) -> dict[str, Any]:
    database, data = Database(work.database_url), DataFolder(Path(work.data))
    order = order_from(work.kind, work.payload)
    with database.read() as session:
        order.check(session, data)
    return order.run(database, data, work.job_id, teller.stage)


class _Teller:
    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._told = 0.0
        self._description = ""

    def tell(self, news: News) -> None:
        self._out.write(msgspec.json.encode(news) + b"\n")
        self._out.flush()

    def stage(self, report: dict[str, Any]) -> None:
        if "fault" in report:
            self.tell(News(line=f"warning: {report['fault']}"))
        else:
            self.tell(News(stage=report))

    def progress(self, description: str, done: int, total: int | None) -> None:
        last = total is not None and done >= total
        if description == self._description and not last and time.monotonic() - self._told < TELL_EVERY:
            return
        self._told, self._description = time.monotonic(), description
        self.tell(News(progress={"step": description, "done": done, "total": total}))


def _die_with_worker(stdin: int) -> None:
    while os.read(stdin, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


@contextmanager
def _own_stdout() -> Iterator[BinaryIO]:
    """Keep stdout to ourselves: whatever else is printed goes to stderr."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        yield out


if __name__ == "__main__":
    main()
