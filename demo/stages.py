"""Stages that are run once: a second run with the same inputs reuses what the first one left."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from foundation.cli import say
from foundation.files import new_file
from foundation.manifest import NAME, code_version, entry_of

Result = TypeVar("Result", bound=msgspec.Struct)


class StageLine(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the closing table: what went in, what came out, and one line of result."""

    stage: str
    into: int
    out: int
    note: str
    reused: bool = False
    seconds: float = 0.0


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Left when a stage is complete: the fingerprint of its inputs, its outputs' hashes, its result."""

    fingerprint: str
    outputs: dict[str, str]
    result: Any


class Road:
    """Runs stages under `folder`, keeps their receipts in `folder/.receipts` and collects their lines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[StageLine] = []

    def run(
        self,
        stage: str,
        work: Callable[[], Result],
        kind: type[Result],
        *,
        inputs: Sequence[Path],
        outputs: Sequence[Path],
        parameters: Mapping[str, Any],
    ) -> tuple[Result, bool]:
        """The result of `work`, or of an earlier run whose inputs, parameters and outputs are still the same.

        The second value says whether it was reused.
        """
        fingerprint = self._fingerprint(inputs, parameters)
        earlier = self._receipt(stage)
        if earlier and earlier.fingerprint == fingerprint and earlier.outputs == self._hashes(outputs):
            return msgspec.convert(earlier.result, kind, dec_hook=_path), True
        result = work()
        plain = msgspec.to_builtins(result, enc_hook=str)
        receipt = Receipt(fingerprint=fingerprint, outputs=self._hashes(outputs), result=plain)
        with new_file(self._receipt_path(stage)) as temporary:
            temporary.write_bytes(msgspec.json.encode(receipt))
        return result, False

    def tell(self, stage: str, into: int, out: int, note: str, *, reused: bool = False, since: float = 0.0) -> None:
        """Keep a line for the table and print it. `since` is the `time.monotonic()` at which the stage began."""
        seconds = time.monotonic() - since if since else 0.0
        self.lines.append(StageLine(stage=stage, into=into, out=out, note=note, reused=reused, seconds=seconds))
        mark = "reused" if reused else f"{seconds:.1f} s"
        say(f"{len(self.lines):>2}. {stage:<12} {note}  [{mark}]")

    def _fingerprint(self, inputs: Sequence[Path], parameters: Mapping[str, Any]) -> str:
        entries = [entry_of(path) for path in inputs]
        content = msgspec.json.encode([code_version(), [entry.sha256 for entry in entries], dict(parameters)])
        return hashlib.sha256(content).hexdigest()

    def _hashes(self, outputs: Sequence[Path]) -> dict[str, str]:
        return {
            path.relative_to(self.folder).as_posix(): entry_of(path).sha256
            for path in outputs
            if path.is_file() or (path / NAME).is_file()
        }

    def _receipt_path(self, stage: str) -> Path:
        return self.folder / ".receipts" / f"{stage}.json"

    def _receipt(self, stage: str) -> Receipt | None:
        try:
            return msgspec.json.decode(self._receipt_path(stage).read_bytes(), type=Receipt)
        except (FileNotFoundError, msgspec.DecodeError):
            return None


def _path(kind: type, value: Any) -> Any:
    return kind(value)
