"""One contestant of `bench_dedup.py` in a process of its own: texts in; removals, CPU seconds and peak memory out.

python dedup_peers.py NAME TEXTS.jsonl|DIALOGUES.parquet RESULT.json BANDS ROWS

From JSON lines the peers get what `zhongjing` has to make first: comparable texts as ready strings in memory. From
Parquet they begin where `zhongjing` does, and the reading and making of strings counts. Each is used as its
documentation shows, with 3-grams of characters; a text goes where the index knows an earlier one like it. CPU time
begins after imports and one small warm-up.
"""

import json
import pickle
import re
import resource
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

THRESHOLD = 0.5
WARM_UP = 50

Removed = dict[int, int]


def ready(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def from_parquet(path: Path) -> Iterator[str]:
    """What one would write around a peer, one text at a time: turns joined, NFKC, simplified, letters and digits."""
    import opencc
    import pyarrow.parquet as pq

    simplified = opencc.OpenCC("t2s").convert
    between_digits, noise = re.compile(r"(?<=\d)[\W_]+(?=\d)"), re.compile(r"(?:(?!\.)[\W_])+|(?<!\d)\.|\.(?!\d)")
    for batch in pq.ParquetFile(path).iter_batches(batch_size=1_000, columns=["messages"]):
        for turns in batch.column(0).to_pylist():
            joined = unicodedata.normalize("NFKC", "\n".join(turn["content"] for turn in turns))
            yield noise.sub("", between_digits.sub(".", simplified(joined).lower()))


def grams(text: str) -> list[str]:
    return [text[place : place + 3] for place in range(max(len(text) - 2, 1))]


def datasketch(texts: Iterable[str], bands: int, rows: int) -> Removed:
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


def rensa(texts: Iterable[str], bands: int, rows: int) -> Removed:
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


def gaoya(texts: Iterable[str], bands: int, rows: int) -> Removed:
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


def text_dedup(texts: Iterable[str], bands: int, rows: int) -> Removed:
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
        return {number: root for number in list(clusters.parent) if (root := clusters.find(number)) != number}


PEERS: dict[str, Callable[[Iterable[str], int, int], Removed]] = {
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
    read = from_parquet if path.endswith(".parquet") else ready
    if name != "text-dedup":
        PEERS[name](list(islice(read(Path(path)), WARM_UP)), int(bands), int(rows))
    texts = read(Path(path))
    before, clock = used()[0], time.perf_counter()
    removed = PEERS[name](texts, int(bands), int(rows))
    wall = time.perf_counter() - clock
    after, peak = used()
    found = {"cpu": after - before, "wall": wall, "peak": peak, "removed": sorted(removed.items())}
    Path(result).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
