"""Work done so far, in a file beside the output, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

import msgspec

from foundation.cli import warn
from foundation.errors import ZhongjingError

Record = TypeVar("Record", bound=msgspec.Struct)


class Partial(Generic[Record]):
    """Batches of records under keys, one line each after a first line that names the run.

    A line cut short by a crash ends the file; a file of another run is started afresh, and both are said. The file is
    locked while it is open: a second run of the same work is refused.
    """

    def __init__(self, path: Path, fingerprint: str, kind: type[Record]) -> None:
        self.path = path
        self.fingerprint = fingerprint
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(tuple[str, list[kind]])  # type: ignore[valid-type]
        self._batches: dict[str, list[Record]] = {}

    @property
    def records(self) -> list[Record]:
        """All records in the order in which they came."""
        return [record for batch in self._batches.values() for record in batch]

    def found(self, key: str) -> list[Record] | None:
        """The batch of this key where it is done."""
        return self._batches.get(key)

    def add(self, key: str, batch: Sequence[Record]) -> None:
        """Keep a batch; on return it is on the disk."""
        self._batches[key] = list(batch)
        self._stream.write(msgspec.json.encode((key, batch)) + b"\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def remove(self) -> None:
        """The run is complete: the output stands for this file now."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Partial[Record]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self.path.open("a+b")
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            good = self._read()
        except BlockingIOError as error:
            self._stream.close()
            raise ZhongjingError("another run is at this work", where=self.path, hint="wait for it to end") from error
        except OSError as error:
            raise ZhongjingError(f"cannot be written: {error.strerror}", where=self.path) from error
        self._stream.truncate(good)
        if not good:
            self._stream.write(msgspec.json.encode(self.fingerprint) + b"\n")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()

    def _read(self) -> int:
        """Take over what an earlier run left; returns up to which byte the file is good."""
        good = 0
        with self.path.open("rb") as stream:
            first = stream.readline()
            if not first:
                return 0
            if first != msgspec.json.encode(self.fingerprint) + b"\n":
                warn(f"{self.path}: left by another run or recipe, started afresh")
                return 0
            good = stream.tell()
            for line in stream:
                try:
                    key, batch = self._decoder.decode(line)
                except msgspec.DecodeError:
                    break
                if not line.endswith(b"\n"):
                    break
                self._batches[key] = batch
                good += len(line)
        if self._batches:
            warn(f"{self.path}: going on after {len(self._batches)} batches of an interrupted run")
        return good
