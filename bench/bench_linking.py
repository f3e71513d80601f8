"""Linking beside bare automata on the same names and text, and one fuzzy look-up beside comparing all names.

Ours gives mentions with offsets, entity, type and status; the others only report where a name stands. Each is measured
in a process of its own, CPU time, turn by turn and with all turns as one text.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import consultations
import measure

SIZES = (10_000, 290_000)
CHARACTERS = 1_500_000
QUERIES = 200
RUNS = 5
PEERS = ("ours, link", "ours, link_all", "daachorse", "ahocorasick_rs", "pyahocorasick", "flashtext")


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(_measured(sys.argv[1], Path(sys.argv[2]))))
        return
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            _prepare(Path(folder), size)
            print(f"\n{size:,} names, {CHARACTERS:,} characters in turns of 30 to 200")
            print(f"{'':>22} {'built s':>8} {'M chars/s':>10} {'one text':>9} {'found':>9} {'peak MB':>8}")
            for peer in PEERS:
                row = _run(peer, folder)
                print(
                    f"{peer:>22} {row['built']:>8.1f} {row['turns']:>10.2f} {row['whole']:>9.2f} {row['found']:>9,} "
                    f"{row['peak']:>8,.0f}",
                    flush=True,
                )
            print(f"{'':>22} {'built s':>8} {'ms/query':>10} {'top-1':>9} {'':>9} {'peak MB':>8}")
            for peer in ("index", "extractOne"):
                row = _run(peer, folder)
                print(
                    f"{peer:>22} {row['built']:>8.1f} {row['query']:>10.3f} {row['right']:>9.3f} {'':>9} "
                    f"{row['peak']:>8,.0f}",
                    flush=True,
                )


def _prepare(folder: Path, size: int) -> None:
    from kg.building.build import build_graph

    known = consultations.names(size)
    (folder / "names.json").write_text(json.dumps(known))
    (folder / "texts.json").write_text(json.dumps(consultations.consultations(known, CHARACTERS)))
    consultations.write_graph(folder, known)
    build_graph([folder / "graph.csv"], folder / "kg", aliases=folder / "aliases.json")


def _run(peer: str, folder: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, __file__, peer, folder], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def _measured(peer: str, folder: Path) -> dict[str, Any]:
    known: list[str] = json.loads((folder / "names.json").read_text())
    if peer in ("index", "extractOne"):
        return _looked_up(peer, known)
    texts: list[str] = json.loads((folder / "texts.json").read_text())
    began = time.process_time()
    find = _PEERS[peer](known, folder)
    built = time.process_time() - began
    whole = ["\n".join(texts)]
    found = sum(map(len, find(texts)))
    return {
        "built": built,
        "turns": _speed(find, texts),
        "whole": _speed(find, whole),
        "found": found,
        "peak": measure.peak_megabytes(),
    }


Find = Callable[[list[str]], Iterable[Any]]


def _speed(find: Find, texts: list[str]) -> float:
    """Million characters a second."""
    return sum(map(len, texts)) / measure.cpu_seconds(lambda: sum(map(len, find(texts))), RUNS) / 1e6


def _ours_all(_: list[str], folder: Path) -> Find:
    return _linker(folder).link_all


def _ours(_: list[str], folder: Path) -> Find:
    link = _linker(folder).link
    return lambda texts: map(link, texts)


def _linker(folder: Path) -> Any:
    from kg.graph import KnowledgeGraph
    from kg.linking.linker import EntityLinker

    return EntityLinker(KnowledgeGraph.open(folder / "kg"))


def _daachorse(known: list[str], _: Path) -> Find:
    import daachorse

    automaton = daachorse.CharwiseDoubleArrayAhoCorasick(known, daachorse.MATCH_KIND_LEFTMOST_LONGEST)
    return lambda texts: map(automaton.find, texts)


def _ahocorasick_rs(known: list[str], _: Path) -> Find:
    import ahocorasick_rs

    automaton = ahocorasick_rs.AhoCorasick(known, matchkind=ahocorasick_rs.MatchKind.LeftmostLongest)
    return lambda texts: map(automaton.find_matches_as_indexes, texts)


def _pyahocorasick(known: list[str], _: Path) -> Find:
    import ahocorasick

    automaton = ahocorasick.Automaton()
    for number, name in enumerate(known):
        automaton.add_word(name, number)
    automaton.make_automaton()
    return lambda texts: (list(automaton.iter_long(text)) for text in texts)


def _flashtext(known: list[str], _: Path) -> Find:
    from flashtext import KeywordProcessor

    processor = KeywordProcessor()
    processor.add_keywords_from_list(known)
    return lambda texts: (processor.extract_keywords(text, span_info=True) for text in texts)


_PEERS: dict[str, Callable[[list[str], Path], Find]] = {
    "ours, link": _ours,
    "ours, link_all": _ours_all,
    "daachorse": _daachorse,
    "ahocorasick_rs": _ahocorasick_rs,
    "pyahocorasick": _pyahocorasick,
    "flashtext": _flashtext,
}


def _looked_up(peer: str, known: list[str]) -> dict[str, float]:
    queries = consultations.misspelt(known, QUERIES)
    random.Random(3).shuffle(queries)
    began = time.process_time()
    if peer == "index":
        from kg.linking.fuzzy import FuzzyNames

        names = FuzzyNames(known, [False] * len(known))
        find: Callable[[str], int | None] = names.lookup
    else:
        from rapidfuzz import fuzz, process

        def find(query: str) -> int:
            return process.extractOne(query, known, scorer=fuzz.ratio)[2]

    built = time.process_time() - began
    find(queries[0][0])
    right, seconds = 0, 0.0
    began = time.process_time()
    right = sum(known[find(query) or 0] == name for query, name in queries)
    seconds = time.process_time() - began
    return {
        "built": built,
        "query": 1000 * seconds / len(queries),
        "right": right / len(queries),
        "peak": measure.peak_megabytes(),
    }


if __name__ == "__main__":
    main()
