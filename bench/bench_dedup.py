"""Near-duplicate removal beside its peers: what is found, what is removed wrongly, CPU time, memory, and how it grows.

python bench/bench_dedup.py [DOCUMENTS_BESIDE_PEERS [OURS_ALONE…]]

All get the same texts with planted near-duplicates (`planted.py`): the peers once from the Parquet file, as we do, and
once as ready strings in memory, which spares them what is ours to do first. They run once with as many values as
`corpus dedup` needs for its recall (97 bands of 4) and once with 128, what most people use.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from dedup_peers import PEERS, THRESHOLD
from planted import CHUNK, KINDS, Planted, dialogues, planted

from corpus.deduplication.comparable import string_of, texts_of, turns_of
from corpus.sets import DIALOGUES, Plan, SetWriter, arrow_batches, run_step

HERE = Path(__file__).parent
BESIDE_PEERS = 100_000
ALONE = (10_000, 1_000_000)
BRUTE_FORCE = 4_000
SETTINGS = ((97, 4), (32, 4))
TEXT_DEDUP = HERE.parent / ".venv-text-dedup"


class Outcome(msgspec.Struct, frozen=True):
    """What one contestant did: documents gone and in whose favour, documents flagged."""

    name: str
    cpu: float
    peak: float
    removed: dict[int, int]
    flagged: frozenset[int] = frozenset()


def main() -> None:
    beside, *alone = [int(size) for size in sys.argv[1:]] or [BESIDE_PEERS, *ALONE]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = _prepare(folder, beside)
        texts = _write_texts(source, folder / "texts.jsonl")
        truth, lines = list(planted(beside)), [json.loads(line) for line in texts.read_text("utf-8").splitlines()]
        ours = _ours(folder, source)
        print(_HEAD)
        _show(ours, ours, lines, truth)
        for bands, rows in SETTINGS:
            for peer in PEERS:
                for begin in (texts,) if peer == "text-dedup" else (source / DIALOGUES, texts):
                    outcome = _peer(peer, begin, folder, bands, rows)
                    if outcome is not None:
                        _show(outcome, ours, lines, truth)
        _show_kinds(ours, lines, truth)
        _show_brute_force(ours, lines)
        print("\nzhongjing by size:  documents   finding/CPU s   command/CPU s   command s   peak MB")
        for size in sorted({beside, *alone}):
            _show_size(folder, size)


_HEAD = (
    f"{'':34} {'docs/CPU s':>10} {'ours is':>8} {'peak MB':>8} {'removed':>8} {'wrongly':>8} {'recall':>7} "
    f"{'weakest kind':>24}"
)


def _prepare(folder: Path, size: int) -> Path:
    """The texts as a dialogue set."""
    source = folder / f"set-{size}"
    if not source.exists():

        def write(writer: SetWriter) -> None:
            for dialogue in dialogues(planted(size)):
                writer.keep(dialogue)

        run_step(Plan(stage="bench", inputs=[], parameters={}), source, write)
    return source


def _write_texts(source: Path, path: Path) -> Path:
    """The texts in comparable form as JSON lines."""
    with path.open("w", encoding="utf-8") as stream:
        for batch in arrow_batches(source, ["messages"]):
            points, starts = texts_of(turns_of(batch), np.arange(batch.num_rows))
            for first, last in pairwise(starts):
                stream.write(json.dumps(string_of(points[first:last]), ensure_ascii=False) + "\n")
    return path


def _measured(folder: Path, source: Path) -> dict[str, Any]:
    warm_up = _prepare(folder, CHUNK)
    result = folder / "result.json"
    words = [sys.executable, HERE / "dedup_ours.py", warm_up, source, folder / "out", result]
    subprocess.run(words, check=True)
    return dict(json.loads(result.read_text()))


def _ours(folder: Path, source: Path) -> Outcome:
    measured = _measured(folder, source)
    rows = [json.loads(line) for line in (folder / "out" / "duplicates.jsonl").open("rb")]
    number = lambda name: int(name[2:], 16)  # noqa: E731
    removed = {number(row["removed"]): number(row["keeper"]) for row in rows if "removed" in row}
    flagged = frozenset(number(row["flagged"]) for row in rows if "flagged" in row)
    return Outcome("zhongjing", measured["finding"]["cpu"], measured["command"]["peak"], removed, flagged)


def _peer(name: str, begin: Path, folder: Path, bands: int, rows: int) -> Outcome | None:
    python = _text_dedup() if name == "text-dedup" else Path(sys.executable)
    if python is None:
        return None
    result = folder / "result.json"
    words = [python, HERE / "dedup_peers.py", name, begin, result, str(bands), str(rows)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        print(f"{name} failed: {(done.stderr.splitlines() or ['no message'])[-1]}")
        return None
    found = json.loads(result.read_text())
    label = f"{name} {bands} x {rows}{', from Parquet' if begin.suffix == '.parquet' else ''}"
    return Outcome(label, found["cpu"], found["peak"], dict(map(tuple, found["removed"])))


def _text_dedup() -> Path | None:
    """Its interpreter: it wants older libraries than ours, so it lives in an environment of its own."""
    python = TEXT_DEDUP / "bin" / "python"
    if not python.exists():
        print(f"installing text-dedup into {TEXT_DEDUP.name} (once; a minute or two)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", TEXT_DEDUP], check=True)
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", "text-dedup==0.4.0"])
        if done.returncode:
            print("text-dedup could not be installed: left out; remove the folder to try again")
            return None
    return python


def _show(outcome: Outcome, ours: Outcome, lines: list[str], truth: list[Planted]) -> None:
    wrong = sum(_jaccard(lines[gone], lines[keeper]) < THRESHOLD for gone, keeper in outcome.removed.items())
    kinds = _recall(outcome, truth)
    weakest = min(kinds, key=lambda kind: kinds[kind][0] + kinds[kind][1])
    pairs = [(number, item.original) for number, item in enumerate(truth) if item.original is not None]
    alike = [pair for pair in pairs if _jaccard(lines[pair[0]], lines[pair[1]]) >= THRESHOLD]
    print(
        f"{outcome.name:34} {len(lines) / outcome.cpu:>10,.0f} {outcome.cpu / ours.cpu:>7.1f}x {outcome.peak:>8,.0f} "
        f"{len(outcome.removed):>8,} {wrong:>8,} {_found(outcome, alike):>7.4f} "
        f"{weakest + f' {sum(kinds[weakest]):.4f}':>24}",
        flush=True,
    )


def _show_kinds(ours: Outcome, lines: list[str], truth: list[Planted]) -> None:
    print(f"\n{'planted kind (ours)':34} {'copies':>8} {'mean s':>8} {'removed':>8} {'flagged':>8}")
    for kind, (removed, flagged) in _recall(ours, truth).items():
        pairs = [(number, item.original) for number, item in enumerate(truth) if item.kind == kind]
        alike = np.mean([_jaccard(lines[one], lines[other or 0]) for one, other in pairs])
        print(f"{kind:34} {len(pairs):>8,} {alike:>8.3f} {removed:>8.4f} {flagged:>8.4f}")


def _show_brute_force(ours: Outcome, lines: list[str]) -> None:
    pairs = list(_pairs_at_threshold(lines[:BRUTE_FORCE]))
    share = _found(ours, pairs)
    print(f"\nby brute force among the first {BRUTE_FORCE:,}: {len(pairs):,} pairs, {share:.4f} of them found")


def _show_size(folder: Path, size: int) -> None:
    source = _prepare(folder, size)
    found = _measured(folder, source)
    finding, command = found["finding"], found["command"]
    print(
        f"{size:>29,} {size / finding['cpu']:>15,.0f} {size / command['cpu']:>15,.0f} {command['wall']:>11.1f} "
        f"{command['peak']:>9,.0f}",
        flush=True,
    )


def _recall(outcome: Outcome, truth: list[Planted]) -> dict[str, tuple[float, float]]:
    """For each kind the share of copies that were removed (or their originals), and of those only flagged."""
    copies: Counter[str] = Counter()
    removed: Counter[str] = Counter()
    flagged: Counter[str] = Counter()
    for number, item in enumerate(truth):
        if item.kind is not None:
            pair = {number, item.original}
            copies[item.kind] += 1
            removed[item.kind] += not pair.isdisjoint(outcome.removed)
            flagged[item.kind] += pair.isdisjoint(outcome.removed) and not pair.isdisjoint(outcome.flagged)
    return {kind: (removed[kind] / copies[kind], flagged[kind] / copies[kind]) for kind in KINDS if copies[kind]}


def _found(outcome: Outcome, pairs: list[Any]) -> float:
    gone = {*outcome.removed, *outcome.flagged}
    return sum(not gone.isdisjoint(pair) for pair in pairs) / len(pairs)


def _grams(text: str) -> set[str]:
    return {text[place : place + 3] for place in range(max(len(text) - 2, min(len(text), 1)))}


def _jaccard(one: str, other: str) -> float:
    first, second = _grams(one), _grams(other)
    return len(first & second) / len(first | second) if first or second else 1.0


def _pairs_at_threshold(lines: list[str]) -> Iterable[tuple[int, int]]:
    """Every pair, by counting shared 3-grams in one sparse product."""
    from scipy.sparse import csr_array

    sets = [_grams(line) for line in lines]
    columns = {gram: place for place, gram in enumerate(sorted(set().union(*sets)))}
    indices = [columns[gram] for grams in sets for gram in grams]
    ends = np.cumsum([0, *map(len, sets)])
    matrix = csr_array((np.ones(len(indices), dtype=np.int32), indices, ends), shape=(len(sets), len(columns)))
    shared = (matrix @ matrix.T).tocoo()
    for one, other, count in zip(shared.row, shared.col, shared.data, strict=True):
        if one < other and count >= THRESHOLD * (len(sets[one]) + len(sets[other]) - count):
            yield int(one), int(other)


if __name__ == "__main__":
    main()
