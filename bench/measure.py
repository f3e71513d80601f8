"""Timing and text that the benchmarks share."""

import random
import resource
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from corpus.records import Dialogue, Message, Meta

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
    """The most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def invented(count: int, characters: int, seed: int = 0) -> list[str]:
    """Texts of everyday Han characters, `characters` long, every tenth a copy of the one before with 3 % changed."""
    rng = random.Random(seed)
    alphabet = [chr(0x4E00 + rng.randrange(3000)) for _ in range(1500)]
    texts: list[str] = []
    for number in range(count):
        if number % 10 == 9:
            letters = list(texts[-1])
            for place in rng.sample(range(len(letters)), max(1, len(letters) * 3 // 100)):
                letters[place] = rng.choice(alphabet)
            texts.append("".join(letters))
        else:
            texts.append("".join(rng.choices(alphabet, k=characters)))
    return texts


def dialogues(texts: list[str]) -> list[Dialogue]:
    """Each text as a patient's and a doctor's turn."""
    return [
        Dialogue(
            id=f"d-{number:08d}",
            messages=[Message("user", text[: len(text) // 2]), Message("assistant", text[len(text) // 2 :])],
            source="bench",
            meta=Meta(file=str(Path("bench")), line=number + 1, format="bench"),
        )
        for number, text in enumerate(texts)
    ]


def _cpu() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
