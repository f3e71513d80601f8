"""One contestant of `bench_dedup.py` in a process of its own: texts in; removals, CPU seconds and peak memory out.

python dedup_peers.py NAME TEXTS.jsonl RESULT.json [BANDS ROWS]

The peers get what `zhongjing` has to make first: comparable texts as ready strings in memory. Each is used as its
documentation shows, with 3-grams of characters; a text goes where the index knows an earlier one like it. CPU time
begins after imports and one small warm-up. Only the standard library is needed besides the peer itself.
"""

import json
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

THRESHOLD = 0.5
WARM_UP = 50

Removed = dict[int, int]


def grams(text: str) -> list[str]:
    return [text[place : place + 3] for place in range(max(len(text) - 2, 1))]


def datasketch(texts: list[str], bands: int, rows: int) -> Removed:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=bands * rows, params=(bands, rows))
    removed: Removed = {}
    tokens = ([gram.encode() for gram in grams(text)] for text in texts)
    for number, sketch in enumerate(MinHash.generator(tokens, num_perm=bands * rows)):
        if found := index.query(sketch):
            removed[number] = min(found)
        else:
            index.insert(number, sketch)
    return removed


def rensa(texts: list[str], bands: int, rows: int) -> Removed:
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(threshold=THRESHOLD, num_perm=bands * rows, num_bands=bands)
    removed: Removed = {}
    for number, text in enumerate(texts):
        sketch = RMinHash(num_perm=bands * rows, seed=42)
        sketch.update(grams(text))
        if found := index.query(sketch):
            removed[number] = min(found)
        else:
            index.insert(number, sketch)
    return removed


def gaoya(texts: list[str], bands: int, rows: int) -> Removed:
    from gaoya.minhash import MinHashStringIndex

    index = MinHashStringIndex(
        hash_size=32,
        jaccard_threshold=THRESHOLD,
        num_bands=bands,
        band_size=rows,
        analyzer="char",
        ngram_range=(3, 3),
        id_container="smallvec",
    )
    removed: Removed = {}
    for number, text in enumerate(texts):
        if found := index.query(text):
            removed[number] = min(found)
        else:
            index.insert_document(number, text)
    return removed


def text_dedup(texts: list[str], bands: int, rows: int) -> Removed:
    """Its command, on characters set apart by spaces, for it knows only words; in one process, like the others."""
    with tempfile.TemporaryDirectory() as folder:
        spaced, out = Path(folder) / "texts.jsonl", Path(folder) / "out"
        spaced.write_text("".join(f"{json.dumps({'text': ' '.join(text)})}\n" for text in texts), encoding="utf-8")
        options = {
            "path": "json",
            "data_files": spaced,
            "split": "train",
            "cache_dir": Path(folder) / "cache",
            "num_proc": 1,
            "output": out,
            "column": "text",
            "ngram": 3,
            "min_length": 1,
            "num_perm": bands * rows,
            "b": bands,
            "r": rows,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        subprocess.run([sys.executable, "-m", "text_dedup.minhash", *words, "--debug"], check=True, capture_output=True)
        with (out / "uf.pkl").open("rb") as stream:
            clusters = pickle.load(stream)
        return {number: root for number in range(len(texts)) if (root := clusters.find(number)) != number}


PEERS: dict[str, Callable[[list[str], int, int], Removed]] = {
    "datasketch": datasketch,
    "gaoya": gaoya,
    "rensa": rensa,
    "text-dedup": text_dedup,
}


def used() -> tuple[float, float]:
    """CPU seconds and peak megabytes so far, of this process or of the largest one it started.

    The kernel's own high-water mark: `ru_maxrss` would begin with what the parent held when it forked.
    """
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return sum(use.ru_utime + use.ru_stime for use in both), max(own, both[1].ru_maxrss) / 1024


def main() -> None:
    name, path, result, bands, rows = sys.argv[1:]
    with Path(path).open(encoding="utf-8") as lines:
        texts = [json.loads(line) for line in lines]
    if name != "text-dedup":
        PEERS[name](texts[:WARM_UP], int(bands), int(rows))
    before, clock = used()[0], time.perf_counter()
    removed = PEERS[name](texts, int(bands), int(rows))
    wall = time.perf_counter() - clock
    after, peak = used()
    found = {"cpu": after - before, "wall": wall, "peak": peak, "removed": sorted(removed.items())}
    Path(result).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
