"""Timing and text that the benchmarks share."""

import resource
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

RUNS = 3


def cpu_seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """Median CPU seconds of `work`, this process and its children."""
    times = []
    for _ in range(runs):
        start = _cpu()
        work()
        times.append(_cpu() - start)
    return median(times)


def wall_seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """Median seconds on the clock."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def peak_megabytes() -> float:
    """The most memory this program has held so far; `ru_maxrss` would carry over that of the one which started it."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _cpu() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
