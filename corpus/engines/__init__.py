"""Where work is done: on this machine, or on a Ray cluster. What is done, and every byte of it, is the same.

An engine belongs to a run and not to a step: `running_on` sets the one that all steps inside the block use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from corpus.engines.local import Local
from corpus.parts import Job, OnRows, Part
from foundation.errors import ZhongjingError, needs_extra

if TYPE_CHECKING:
    from corpus.deduplication.candidates import Numbers
    from corpus.deduplication.copies import Comparison
    from corpus.deduplication.signatures import Shelf, Signatures
    from corpus.deduplication.stars import Rules

LOCAL = "local"
RAY = "ray"


class Engine(Protocol):
    """Does the work that can be shared out. `scratch` is a folder for files on the way; the caller removes it."""

    def do(self, job: Job, waiting: Mapping[int, Part], processes: int | None, advance: OnRows) -> None:
        """Do the parts that are `waiting`, in at most so many processes; `advance` is told of rows that are through."""

    def sign(self, shelf: Shelf, *, prefer: Sequence[str], threads: int | None, scratch: Path) -> Signatures:
        """The signatures of all dialogues on a shelf."""

    def compare(
        self,
        shelves: Sequence[Shelf],
        signatures: Signatures,
        ones: Numbers,
        rules: Rules,
        *,
        threads: int,
        scratch: Path,
    ) -> Comparison:
        """Compare the documents `ones` by their bands."""


_HERE: Engine = Local()
_CURRENT: ContextVar[Engine] = ContextVar("engine")


def current() -> Engine:
    """The engine in use: this machine, unless the block is one of `running_on`."""
    return _CURRENT.get(_HERE)


@contextmanager
def running_on(name: str) -> Iterator[None]:
    """Use the engine of this name in the block: `local`, `ray`, or `ray://HOST:PORT`."""
    if name == LOCAL:
        yield
        return
    if name != RAY and not name.startswith(f"{RAY}://"):
        raise ZhongjingError(f"there is no engine {name!r}", hint="known engines: local, ray, ray://HOST:PORT")
    with needs_extra(RAY, f"the engine {name}"):
        from corpus.engines.cluster import connected
    from corpus.engines.on_ray import OnRay

    with connected(name) as cluster:
        token = _CURRENT.set(OnRay(cluster))
        try:
            yield
        finally:
            _CURRENT.reset(token)
