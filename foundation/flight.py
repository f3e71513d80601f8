"""Work that waits for others, done by several threads: a bounded number in flight, under a progress bar."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from queue import SimpleQueue
from typing import Any, TypeVar

from foundation.progress import progress

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 2


def in_flight(
    items: Iterable[Item], work: Callable[[Item], Result], threads: int, description: str, total: int | None = None
) -> Iterator[tuple[Item, Result]]:
    """Each item with what `work` makes of it, in the order in which they are done.

    Items are taken only a little ahead. The first error of `work` is raised here, and what is still under way is given
    up: nobody waits for it, not even the end of the program.
    """
    tasks: SimpleQueue[Any] = SimpleQueue()
    done: SimpleQueue[tuple[Item, Any, BaseException | None]] = SimpleQueue()
    stop = threading.Event()
    for _ in range(threads):
        threading.Thread(target=_labour, args=(work, tasks, done, stop), daemon=True).start()
    source, running = iter(items), 0
    try:
        with progress(description, total) as steps:
            while True:
                for item in islice(source, _AHEAD * threads - running):
                    tasks.put((item,))
                    running += 1
                if not running:
                    return
                item, result, error = done.get()
                running -= 1
                if error is not None:
                    raise error
                yield item, result
                steps.advance()
    finally:
        stop.set()
        for _ in range(threads):
            tasks.put(None)


def _labour(work: Callable[[Any], Any], tasks: SimpleQueue[Any], done: SimpleQueue[Any], stop: threading.Event) -> None:
    """A thread's life. It is a daemon: after Ctrl-C nobody waits for an answer that may take minutes."""
    while (task := tasks.get()) is not None and not stop.is_set():
        (item,) = task
        try:
            done.put((item, work(item), None))
        except BaseException as error:  # handed over to the thread that asked
            done.put((item, None, error))
