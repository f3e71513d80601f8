"""What was left out, why, and where it stood: nothing is dropped without such a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from foundation.jsonl import read_records, write_records


class Reject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing left out. `detail` explains in general words and never quotes a patient.

    `file` and `line` (from 1) point into the raw input; `id` names the record where it had one already.
    """

    stage: str
    reason: str
    file: str
    line: int
    detail: str = ""
    id: str | None = None


def write_rejects(path: Path, rejects: Iterable[Reject]) -> int:
    """Write one JSON line per reject; returns how many."""
    return write_records(path, rejects)


def read_rejects(path: Path) -> Iterator[Reject]:
    """The rejects of a file written by `write_rejects`; nothing where there is no file."""
    return read_records(path, Reject) if path.exists() else iter(())
