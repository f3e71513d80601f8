"""One peer of `bench_dedup.py` in a process of its own: texts in, removals, CPU seconds and peak memory out.

python dedup_peers.py NAME TEXTS.jsonl RESULT.json

Every peer gets the comparable text as ready-made strings, the threshold 0.5, 3-grams of characters and its own defaults otherwise, and is
used the way its documentation shows for many documents. Later texts are removed in favour of earlier ones.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

THRESHOLD = 0.5
import os

BANDS, ROWS = map(int, os.environ.get("BR", "97,4").split(","))
PERMUTATIONS = BANDS * ROWS


Removed = dict[int, int]


def grams(text: str) -> set[str]:
    return {text[place : place + 3] for place in range(max(len(text) - 2, 1))}


def datasketch(texts: list[str]) -> Removed:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(params=(BANDS, ROWS), num_perm=PERMUTATIONS)
    removed: Removed = {}
    tokens = ([gram.encode() for gram in grams(text)] for text in texts)
    for number, sketch in enumerate(MinHash.generator(tokens, num_perm=PERMUTATIONS)):
        if found := index.query(sketch):
            removed[number] = min(found)
        else:
            index.insert(number, sketch)
    return removed


def rensa(texts: list[str]) -> Removed:
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, num_bands=BANDS)
    removed: Removed = {}
    for number, text in enumerate(texts):
        sketch = RMinHash(num_perm=PERMUTATIONS, seed=42)
        sketch.update([text[p : p + 3] for p in range(len(text) - 2)] if os.environ.get("L") else list(grams(text)))
        if found := index.query(sketch):
            removed[number] = min(found)
        else:
            index.insert(number, sketch)
    return removed


def rensa_bulk(texts: list[str]) -> Removed:
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, num_bands=BANDS)
    tokens = ([text[place : place + 3] for place in range(len(text) - 2)] for text in texts)
    m = RMinHash.digest_matrix_from_token_sets(tokens, PERMUTATIONS, 42)
    f = index.query_duplicate_flags_matrix_one_shot(m)
    return {i: 0 for i, x in enumerate(f) if x}


def gaoya(texts: list[str]) -> Removed:
    from gaoya.minhash import MinHashStringIndex

    index = MinHashStringIndex(
        hash_size=32,
        jaccard_threshold=THRESHOLD,
        num_bands=BANDS,
        band_size=ROWS,
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


PEERS: dict[str, Callable[[list[str]], Removed]] = {
    "datasketch": datasketch,
    "gaoya": gaoya,
    "rensa": rensa,
    "rensa_bulk": rensa_bulk,
}


def main() -> None:
    name, texts, result = sys.argv[1:]
    lines = [json.loads(line) for line in Path(texts).open(encoding="utf-8")]
    start, clock = time.process_time(), time.perf_counter()
    removed = PEERS[name](lines)
    found = {
        "cpu": time.process_time() - start,
        "wall": time.perf_counter() - clock,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "removed": sorted(removed.items()),
    }
    Path(result).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
