"""Does what waits in the lease table. Several may run; killing one at any moment loses and doubles nothing."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from annotation.campaigns import find_campaign
from annotation.database import Database
from annotation.exports import export
from annotation.jobs import BUILD, EXPORT, LEASE, Lease, claim, finish, give_up, heartbeat
from annotation.recipes import recipe_path
from foundation.errors import ZhongjingError

POLL_SECONDS = 1.0
log = logging.getLogger("zhongjing.worker")

Handler = Callable[[Database, Path, Lease], dict[str, Any]]


def work(database: Database, *, data: Path, once: bool = False) -> int:
    """Do jobs until interrupted, or with `once` until nothing waits; returns how many attempts were made."""
    owner = secrets.token_hex(8)
    done = 0
    while True:
        with database.write() as session:
            lease = claim(session, owner)
        if lease is not None:
            attempt(database, data, lease)
            done += 1
        elif once:
            return done
        else:
            time.sleep(POLL_SECONDS)


def attempt(database: Database, data: Path, lease: Lease) -> None:
    """Do one job. What a person can mend fails at once; anything else is tried again later."""
    try:
        with _kept_alive(database, lease):
            result = HANDLERS[lease.kind](database, data, lease)
    except ZhongjingError as error:
        _give_up(database, lease, str(error), for_good=True)
    except Exception as error:
        log.exception("job %d failed", lease.job_id)
        _give_up(database, lease, type(error).__name__, for_good=False)
    else:
        with database.write() as session:
            finish(session, lease, result)


def _give_up(database: Database, lease: Lease, error: str, *, for_good: bool) -> None:
    with database.write() as session:
        give_up(session, lease, error, for_good=for_good)


@contextmanager
def _kept_alive(database: Database, lease: Lease) -> Iterator[None]:
    """Prolong the lease from another thread while the block runs."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(LEASE.total_seconds() / 3):
            with database.write() as session:
                if not heartbeat(session, lease):
                    return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _export(database: Database, data: Path, lease: Lease) -> dict[str, Any]:
    out = data / "releases" / f"{lease.job_id}"
    with database.read() as session:
        campaign = find_campaign(session, lease.payload["campaign"])
        release = export(session, campaign, out, seed=lease.payload["seed"])
    return {"folder": f"releases/{lease.job_id}", **msgspec.to_builtins(release)}


def _build(_database: Database, data: Path, lease: Lease) -> dict[str, Any]:
    from corpus.build import build

    results = build(recipe_path(data, lease.payload["recipe"])).results
    return {"stages": [{"stage": result.stage, "read": result.read, "kept": result.kept} for result in results]}


HANDLERS: dict[str, Handler] = {EXPORT: _export, BUILD: _build}
