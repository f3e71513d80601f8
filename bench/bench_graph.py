"""The graph beside networkx, rustworkx and sqlite: opening, memory, look-ups, and a check of ten million pairs.

Each is measured in a process of its own on the same triples, names and questions.
"""

import csv
import ctypes
import gc
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import graphs
import measure
import numpy as np
import polars as pl

SIZES = ((10_000, 156_000, 100_000), (graphs.ENTITIES, graphs.TRIPLES, graphs.NAMES))
LOOK_UPS = 2_000
PAIRS = 10_000_000
ONE_BY_ONE = 500_000
PEERS = ("ours", "networkx", "rustworkx", "sqlite")


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(_measured(sys.argv[1], Path(sys.argv[2]))))
        return
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            graphs.write_graph(Path(folder), *size)
            print(f"\n{size[0]:,} entities, {size[1]:,} triples, {size[2]:,} names")
            _write_questions(Path(folder))
            built = _run("build", folder)
            print(f"built in {built['seconds']:.1f} CPU s, peak {built['peak']:,.0f} MB")
            print(
                f"{'':>10} {'open s':>8} {'held MB':>8} {'neighbours µs':>14} {'one pair µs':>12} {'bulk ns/pair':>13}"
            )
            for peer in PEERS:
                row = _run(peer, folder)
                print(
                    f"{peer:>10} {row['open']:>8.3f} {row['held']:>9,.0f} {row['neighbours']:>15.1f} "
                    f"{row['pair']:>13.2f} {row['bulk']:>14.1f}",
                    flush=True,
                )
                for note in row["notes"]:
                    print(f"{'':>11}{note}")


def _run(peer: str, folder: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, __file__, peer, folder], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def _measured(peer: str, folder: Path) -> dict[str, Any]:
    if peer == "build":
        return _build(folder)
    return _PEERS[peer](folder)


def _build(folder: Path) -> dict[str, float]:
    from kg.building.build import build_graph

    seconds = measure.cpu_seconds(
        lambda: build_graph([folder / "triples.csv"], folder / "kg", aliases=folder / "aliases.json"), runs=1
    )
    return {"seconds": seconds, "peak": measure.peak_megabytes()}


def _ours(folder: Path) -> dict[str, Any]:
    from kg.graph import KnowledgeGraph

    nodes, subjects, objects = _questions(folder)
    before = _held()
    opened, graph = _timed(lambda: KnowledgeGraph.open(folder / "kg"))
    numbers = [graph.number(node) or 0 for node in nodes]
    arrays = _each(numbers, lambda number: (graph.outward(number), graph.inward(number)))
    result = {"open": opened, "neighbours": _each(nodes, graph.neighbours), "held": _held() - before}
    result["pair"] = 1e6 * measure.cpu_seconds(lambda: _edges(graph, subjects, objects)) / 20_000
    heads, tails = (np.tile(graph.numbers(names), PAIRS // ONE_BY_ONE) for names in (subjects, objects))
    result["bulk"] = 1e9 * measure.cpu_seconds(lambda: graph.has_many(heads, tails)) / PAIRS
    by_name = 1e9 * measure.cpu_seconds(lambda: graph.has_many(subjects, objects)) / len(subjects)
    related = 1e9 * measure.cpu_seconds(lambda: graph.has_many(heads, tails, "临床表现")) / PAIRS
    notes = [
        f"neighbours as arrays {arrays:.1f} µs; bulk with a relation {related:.1f} ns; bulk by name {by_name:,.0f} ns"
    ]
    return result | {"notes": notes}


def _edges(graph: Any, subjects: list[str], objects: list[str]) -> int:
    return sum(graph.has(one, None, other) for one, other in zip(subjects[:20_000], objects, strict=False))


def _networkx(folder: Path) -> dict[str, Any]:
    import networkx as nx

    def load() -> nx.MultiDiGraph:
        graph: nx.MultiDiGraph = nx.MultiDiGraph()
        graph.add_edges_from((one, other, relation) for one, relation, other in _triples(folder))
        return graph

    nodes, subjects, objects = _questions(folder)
    before = _held()
    opened, graph = _timed(load)
    held = _held() - before

    def neighbours(node: str) -> list[Any]:
        return [*graph.out_edges(node, keys=True), *graph.in_edges(node, keys=True)]

    return _one_by_one(opened, held, _each(nodes, neighbours), graph.has_edge, subjects, objects)


def _rustworkx(folder: Path) -> dict[str, Any]:
    import rustworkx as rx

    numbers: dict[str, int] = {}

    def load() -> rx.PyDiGraph:
        edges = [
            (numbers.setdefault(one, len(numbers)), numbers.setdefault(other, len(numbers)), relation)
            for one, relation, other in _triples(folder)
        ]
        graph = rx.PyDiGraph()
        graph.add_nodes_from(list(numbers))
        graph.add_edges_from(edges)
        return graph

    nodes, subjects, objects = _questions(folder)
    before = _held()
    opened, graph = _timed(load)
    held = _held() - before

    def neighbours(node: str) -> list[Any]:
        number = numbers[node]
        edges = [(graph[other], relation) for _, other, relation in graph.out_edges(number)]
        return edges + [(graph[other], relation) for other, _, relation in graph.in_edges(number)]

    def has(one: str, other: str) -> bool:
        return graph.has_edge(numbers[one], numbers[other])

    return _one_by_one(opened, held, _each(nodes, neighbours), has, subjects, objects)


def _sqlite(folder: Path) -> dict[str, Any]:
    path = folder / "graph.sqlite"
    with sqlite3.connect(path) as writing:
        writing.execute("create table triples (subject text, relation text, object text)")
        writing.executemany("insert into triples values (?, ?, ?)", _triples(folder))
        writing.execute("create index by_subject on triples (subject, object)")
        writing.execute("create index by_object on triples (object)")
    writing.close()
    nodes, subjects, objects = _questions(folder)
    before = _held()
    opened, base = _timed(lambda: sqlite3.connect(path))

    def neighbours(node: str) -> list[Any]:
        out = base.execute("select relation, object from triples where subject = ?", (node,)).fetchall()
        return out + base.execute("select relation, subject from triples where object = ?", (node,)).fetchall()

    found = _each(nodes, neighbours)
    held = _held() - before

    def has(one: str, other: str) -> bool:
        query = "select exists (select 1 from triples where subject = ? and object = ?)"
        return bool(base.execute(query, (one, other)).fetchone()[0])

    return _one_by_one(opened, held, found, has, subjects, objects)


def _one_by_one(
    opened: float,
    held: float,
    neighbours: float,
    has: Callable[[str, str], bool],
    subjects: list[str],
    objects: list[str],
) -> dict[str, Any]:
    """The bulk check of a library that knows single pairs only, over `ONE_BY_ONE` of them."""
    seconds = measure.cpu_seconds(lambda: sum(map(has, subjects, objects)), runs=1) / len(subjects)
    return {
        "open": opened,
        "held": held,
        "neighbours": neighbours,
        "pair": 1e6 * seconds,
        "bulk": 1e9 * seconds,
        "notes": [],
    }


_PEERS = {"ours": _ours, "networkx": _networkx, "rustworkx": _rustworkx, "sqlite": _sqlite}


def _triples(folder: Path) -> Iterator[tuple[str, str, str]]:
    with (folder / "triples.csv").open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream)
        next(rows)
        yield from rows


def _write_questions(folder: Path) -> None:
    """`LOOK_UPS` nodes, and subjects and objects of `ONE_BY_ONE` pairs, half of them stated in the graph."""
    table = pl.read_csv(folder / "triples.csv").sample(ONE_BY_ONE, with_replacement=True, seed=2)
    half = pl.Series(np.arange(len(table)) % 2 == 0)
    subjects, objects = table["head"].to_list(), table["tail"].zip_with(half, table["tail"].shuffle(seed=3)).to_list()
    questions = random.Random(1).choices(subjects, k=LOOK_UPS), subjects, objects
    (folder / "questions.json").write_text(json.dumps(questions), encoding="utf-8")


def _questions(folder: Path) -> tuple[list[str], list[str], list[str]]:
    return tuple(json.loads((folder / "questions.json").read_bytes()))


def _each(items: list[Any], work: Callable[[Any], object]) -> float:
    """Median microseconds of CPU a call, of three rounds over the items."""
    return 1e6 * measure.cpu_seconds(lambda: [work(item) for item in items]) / len(items)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def _held() -> float:
    """Megabytes this process holds now, mapped pages included, what it has freed given back before."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096 / 2**20


if __name__ == "__main__":
    main()
