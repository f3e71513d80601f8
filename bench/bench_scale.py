"""What each step of `zhongjing corpus build` costs for 100,000 dialogues, and what deduplication would shuffle on Ray.

python bench/bench_scale.py [--size N] [--graph TRIPLES] [--aliases ALIASES] [RAW_FILE…]

Without raw files the dialogues are those of `planted.py`. With them, each dialogue has as many exchanges as a real one
and takes them from real ones at random, so that words, names and lengths are real; a sixth are copies of an earlier one
with a twentieth of its characters changed. Each step runs in one process of its own.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import measure
import msgspec
import numpy as np
from planted import planted

from corpus.classification.classify import classify
from corpus.deduplication.dedup import dedup
from corpus.deduplication.minhash import LENGTH, bands_for, least_agreement
from corpus.deduplication.signatures import Shelf, sign_shelf
from corpus.deduplication.stars import Rules
from corpus.deduplication.waves import InThreads
from corpus.filters import FilterOptions, filter_dialogues
from corpus.importing import import_files
from corpus.matching import match
from corpus.normalise import normalise
from corpus.privacy.deidentify import deidentify
from corpus.records import Message
from corpus.sets import read_dialogues
from corpus.versioning.versions import freeze
from kg.building.build import build_graph

THRESHOLD, THREADS = 0.5, 2
MANY = 100_000_000
COPIES, EDITED = 1 / 6, 0.05
KEY_BYTES, POINT_BYTES = 8, 4
STEPS: dict[str, Callable[[Path, Path, Path], object]] = {
    "import": lambda source, out, _: import_files([source], out),
    "normalise": lambda source, out, _: normalise(source, out, processes=1),
    "deidentify": lambda source, out, graph: deidentify(source, out, graph=graph, processes=1),
    "filter": lambda source, out, _: filter_dialogues(source, out, options=FilterOptions(min_chars=0), processes=1),
    "dedup": lambda source, out, _: dedup(source, out, threads=THREADS),
    "match": lambda source, out, graph: match(source, graph, out, processes=1),
    "classify": lambda source, out, graph: classify(source, out, graph=graph, processes=1),
    "freeze": lambda source, out, _: freeze(source, out, "scale"),
}


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _warm_up(work / "warm", options)
        raw = work / "raw.jsonl"
        raw.write_bytes(b"".join(msgspec.json.encode({"messages": turns}) + b"\n" for turns in _dialogues(options)))
        print(f"{options.size:,} dialogues, {raw.stat().st_size / options.size:,.0f} bytes each as JSON lines")
        print(f"{'step':<12}{'CPU s for 100,000':>18}{'peak MB':>10}{'bytes a dialogue':>18}")
        _steps(raw, work, options)
        _shuffles(work / "filter")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("raw", nargs="*", type=Path)
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--graph", type=Path)
    parser.add_argument("--aliases", type=Path)
    return parser.parse_args()


def _warm_up(work: Path, options: argparse.Namespace) -> None:
    """Compile every kernel, once."""
    work.mkdir()
    raw = work / "raw.jsonl"
    few = argparse.Namespace(**{**vars(options), "size": 300})
    raw.write_bytes(b"".join(msgspec.json.encode({"messages": turns}) + b"\n" for turns in _dialogues(few)))
    _steps(raw, work, options, tell=lambda _: None)


def _dialogues(options: argparse.Namespace) -> Iterator[list[Message]]:
    if not options.raw:
        for text in planted(options.size):
            yield [Message(("user", "assistant")[at % 2], turn) for at, turn in enumerate(text.turns)]
        return
    lots = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        import_files(options.raw, Path(folder) / "set")
        real = [dialogue.messages for dialogue in read_dialogues(Path(folder) / "set")]
    exchanges = [turns[at : at + 2] for turns in real for at in range(0, len(turns), 2)]
    letters = [letter for turns in real[:200] for turn in turns for letter in turn.content]
    made: list[list[Message]] = []
    for _ in range(options.size):
        if made and lots.random() < COPIES:
            made.append([_edited(turn, letters, lots) for turn in lots.choice(made)])
        else:
            count = -(-len(lots.choice(real)) // 2)
            made.append([turn for exchange in lots.choices(exchanges, k=count) for turn in exchange])
        yield made[-1]


def _edited(turn: Message, letters: list[str], lots: random.Random) -> Message:
    content = "".join(lots.choice(letters) if lots.random() < EDITED else letter for letter in turn.content)
    return Message(turn.role, content)


def _steps(
    raw: Path,
    work: Path,
    options: argparse.Namespace,
    tell: Callable[[str], None] = lambda line: print(line, flush=True),
) -> None:
    graph = work / "kg"
    if options.graph is not None:
        build_graph([options.graph], graph, aliases=options.aliases)
    source = raw
    for step in STEPS:
        if step == "match" and options.graph is None:
            continue
        out = work / ("versions" if step == "freeze" else step)
        command = [sys.executable, __file__, "--one", step, source, out, graph if graph.is_dir() else ""]
        cost = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        written = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
        a_hundred_thousand = cost["seconds"] * 100_000 / options.size
        tell(f"{step:<12}{a_hundred_thousand:>18,.1f}{cost['peak']:>10,.0f}{written / options.size:>18,.0f}")
        source = out


def _one(step: str, source: Path, out: Path, graph: str) -> None:
    seconds = measure.cpu_seconds(lambda: STEPS[step](source, out, Path(graph) if graph else None), runs=1)
    print(json.dumps({"seconds": seconds, "peak": measure.peak_megabytes()}))


def _shuffles(source: Path) -> None:
    """Sizes of the two shuffles of deduplication, here and at `MANY` dialogues with the bands used there."""
    shelf = Shelf(source)
    signatures = sign_shelf(shelf, threads=THREADS)
    count = len(signatures)
    rules = Rules(THRESHOLD, least_agreement(THRESHOLD), 0, 0)
    compared = InThreads([shelf], signatures, np.arange(count), rules, THREADS)
    linked, parts = compared.linked()
    lengths = signatures.traits[:, LENGTH].astype(np.int64)
    held = sum(array.nbytes for array in (signatures.sketches, signatures.keys, signatures.traits))
    bands = len(bands_for(THRESHOLD, MANY))
    print(
        f"bands {len(bands_for(THRESHOLD, count))} (at {MANY:,} dialogues {bands}), keys to shuffle there "
        f"{bands * KEY_BYTES:,} bytes a dialogue\n"
        f"linked {len(linked) / count:.3f} of the dialogues in {len(parts) - 1:,} parts, "
        f"{(len(compared.groups.starts) - 1) / count:.2f} groups a dialogue, texts to shuffle "
        f"{lengths[linked].sum() * POINT_BYTES / count:,.0f} bytes a dialogue\n"
        f"signatures in memory {held / count:.0f} bytes a dialogue and the ids"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _one(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5])
    else:
        main()
