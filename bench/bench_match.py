"""Match and classify: CPU seconds, seconds on the clock and memory, with one process and with as many as cores.

The dialogues are those of the demo's sample (or of the raw file named first) over and over, every copy with other
numbers in it and an id of its own; the graph is the demo's (or is built from the triples named second, with the aliases
named third). Every figure comes from a process of its own.

python bench/bench_match.py [DIALOGUES TRIPLES ALIASES]
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import measure
import msgspec

from corpus.classification.classify import classify
from corpus.deduplication.threads import cores
from corpus.importing import import_files
from corpus.matching import match
from corpus.records import Dialogue, Message
from corpus.sets import Plan, SetWriter, read_dialogues, run_step
from kg.building.build import build_graph

SAMPLE = Path(__file__).parents[1] / "demo" / "sample"
SIZES = (7_000, 70_000)
HEADS = ("processes", "CPU s", "clock s", "per CPU s", "peak MB")
_DIGIT = re.compile(r"\d")


def main() -> None:
    given = [Path(name) for name in sys.argv[1:]]
    raw, triples, aliases = given or (SAMPLE / "cmtmedqa.json", SAMPLE / "graph.csv", SAMPLE / "aliases.json")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_graph([triples], folder / "kg", aliases=aliases)
        import_files([raw], folder / "import", processes=1)
        print(f"{'step':<10}{'dialogues':>10}" + "".join(f"{head:>11}" for head in HEADS))
        for size in SIZES:
            _repeat(folder / "import", folder / f"{size}", size)
            for step in ("match", "classify"):
                for processes in (1, cores()):
                    if processes == 1 and size > SIZES[0]:
                        continue
                    arguments = [sys.executable, __file__, "run", step, str(folder), str(size), str(processes)]
                    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
                    cpu, clock, peak = json.loads(done.stdout)
                    figures = f"{processes:>11}{cpu:>11.1f}{clock:>11.1f}{size / cpu:>11,.0f}{peak:>11,.0f}"
                    print(f"{step:<10}{size:>10,}{figures}")


def run(step: str, folder: Path, size: int, processes: int) -> None:
    source, graph, out = folder / f"{size}", folder / "kg", folder / f"{size}-{step}-{processes}"
    work = {
        "match": lambda: match(source, graph, out, processes=processes),
        "classify": lambda: classify(source, out, graph=graph, processes=processes),
    }
    start = time.perf_counter()
    cpu = measure.cpu_seconds(work[step], runs=1)
    print(json.dumps([cpu, time.perf_counter() - start, measure.peak_megabytes()]))


def _repeat(source: Path, out: Path, size: int) -> None:
    def work(writer: SetWriter) -> None:
        for number, dialogue in enumerate(islice(cycle(list(read_dialogues(source))), size)):
            writer.keep(_varied(dialogue, number))

    run_step(Plan(stage="import", inputs=[], parameters={}), out, work)


def _varied(dialogue: Dialogue, number: int) -> Dialogue:
    """The dialogue with every digit moved on, and an id of its own."""
    messages = [
        Message(message.role, _DIGIT.sub(lambda digit: str((int(digit[0]) + number) % 10), message.content))
        for message in dialogue.messages
    ]
    return msgspec.structs.replace(dialogue, id=f"d-{number:016x}", messages=messages)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
