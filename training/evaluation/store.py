"""Answers and verdicts under the hash of all that they depend on: a killed run goes on, a changed recipe reuses."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec

from foundation.errors import ZhongjingError

Record = TypeVar("Record", bound=msgspec.Struct)


class Store(Generic[Record]):
    """Records by key in a file that only grows, one line each. What was added is on the disk when `add` returns; a line
    cut short by a crash is cut off when the file is opened again.

    One run at a time: a second one is refused.
    """

    def __init__(self, path: Path, kind: type[Record]) -> None:
        self.path = path
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(tuple[str, kind])  # type: ignore[valid-type]
        self._records: dict[str, Record] = {}

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self.path.open("a+b")
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._stream.close()
            raise ZhongjingError(
                "another run works with these files", where=self.path, hint="wait for it, or name another `cache`"
            ) from error
        self._stream.truncate(self._read())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()

    def found(self, key: str) -> Record | None:
        """The record of a key where it was kept."""
        return self._records.get(key)

    def add(self, records: dict[str, Record]) -> None:
        """Keep records."""
        self._records |= records
        self._stream.write(b"".join(msgspec.json.encode(pair) + b"\n" for pair in records.items()))
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def _read(self) -> int:
        """Take over what is there; returns up to which byte the file is good."""
        good = 0
        self._stream.seek(0)
        for line in self._stream:
            try:
                key, record = self._decoder.decode(line)
            except msgspec.DecodeError:
                break
            if not line.endswith(b"\n"):
                break
            self._records[key] = record
            good += len(line)
        return good


def key_of(*parts: Any) -> str:
    """The key of what depends on `parts` alone."""
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()
