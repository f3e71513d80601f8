"""Progress bars on stderr, silent where nobody is looking, or told to a program that watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Watcher = Callable[[str, int, int | None], None]
_WATCHERS: list[Watcher] = []


class Steps:
    """Handle of a bar: `advance(n)` moves it, `say(text)` changes the words beside it."""

    def advance(self, count: int = 1) -> None:
        """Move the bar on by `count` units."""

    def say(self, text: str) -> None:
        """Replace the description."""


class _Watched(Steps):
    def __init__(self, watcher: Watcher, description: str, total: int | None) -> None:
        self._tell, self._description, self._total, self._done = watcher, description, total, 0
        self.advance(0)

    def advance(self, count: int = 1) -> None:
        self._done += count
        self._tell(self._description, self._done, self._total)

    def say(self, text: str) -> None:
        self._description = text
        self.advance(0)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Tell `watcher` (description, done, total or None) of every step in the block in place of showing bars."""
    _WATCHERS.append(watcher)
    try:
        yield
    finally:
        _WATCHERS.remove(watcher)


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Steps]:
    """Show a bar while the block runs; only where stderr is a terminal."""
    if _WATCHERS:
        yield _Watched(_WATCHERS[-1], description, total)
        return
    if not sys.stderr.isatty():
        yield Steps()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(description, total=total)

        class Live(Steps):
            def advance(self, count: int = 1) -> None:
                bars.advance(task, count)

            def say(self, text: str) -> None:
                bars.update(task, description=text)

        yield Live()


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Iterate over `items` under a bar."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with progress(description, total) as steps:
        for item in items:
            yield item
            steps.advance()
