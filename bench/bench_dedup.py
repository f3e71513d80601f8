"""Near-duplicate removal beside brute force: documents per CPU second, memory, and what either finds."""

import tempfile
from itertools import combinations
from pathlib import Path

import measure

from corpus.dedup import THRESHOLD, dedup
from corpus.records import Dialogue
from corpus.sets import Plan, run_step

CHARACTERS = 300
SIZES = (1_000, 2_000, 10_000, 50_000)
BRUTE_FORCE_UP_TO = 2_000


def main() -> None:
    print(f"texts of {CHARACTERS} characters, one in ten a copy with 3 % changed; threshold {THRESHOLD}\n")
    print(f"{'documents':>10} {'ours/s':>10} {'removed':>8} {'brute/s':>10} {'pairs':>8} {'ratio':>8} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder) / "warm-up", 100)
        for size in SIZES:
            ours, removed = _measure(Path(folder) / str(size), size)
            brute, pairs, ratio = "", "", ""
            if size <= BRUTE_FORCE_UP_TO:
                texts = measure.invented(size, CHARACTERS)
                found: list[tuple[int, int]] = []
                seconds = measure.cpu_seconds(lambda: found.extend(_brute_force(texts)), runs=1)  # noqa: B023
                brute, pairs = f"{size / seconds:,.0f}", f"{len(found):,}"
                ratio = f"{ours / (size / seconds):,.0f} x"
            print(
                f"{size:>10,} {ours:>10,.0f} {removed:>8,} {brute:>10} {pairs:>8} {ratio:>8} "
                f"{measure.peak_megabytes():>8,.0f}",
                flush=True,
            )


def _measure(folder: Path, size: int) -> tuple[float, int]:
    """Documents per CPU second and how many were removed."""
    source, out = folder / "in", folder / "out"
    _write(source, measure.dialogues(measure.invented(size, CHARACTERS)))
    seconds = measure.cpu_seconds(lambda: dedup(source, out))
    return size / seconds, sum(dedup(source, out).rejected.values())


def _write(out: Path, dialogues: list[Dialogue]) -> None:
    plan = Plan(stage="bench", inputs=[], parameters={})
    run_step(plan, out, lambda writer: [writer.keep(dialogue) for dialogue in dialogues] and None)


def _brute_force(texts: list[str]) -> list[tuple[int, int]]:
    shingles = [{text[place : place + 3] for place in range(len(text) - 2)} for text in texts]
    return [
        (one, other)
        for one, other in combinations(range(len(texts)), 2)
        if len(shingles[one] & shingles[other]) >= THRESHOLD * len(shingles[one] | shingles[other])
    ]


if __name__ == "__main__":
    main()
