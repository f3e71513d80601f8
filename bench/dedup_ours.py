"""`zhongjing corpus dedup` in a process of its own, for `bench_dedup.py`: CPU seconds and peak memory.

python dedup_ours.py WARM_UP_SET SET OUT RESULT.json

`finding` is what the peers do too: which dialogues go and in whose favour, but from the Parquet file instead of ready
strings. `command` adds the rest: signatures, audit rows, rejects, hashes and both new Parquet files.
"""

import json
import sys
import time
from pathlib import Path

from dedup_peers import THRESHOLD, used

from corpus.deduplication.copies import find_copies
from corpus.deduplication.dedup import dedup
from corpus.deduplication.signatures import Shelf, sign_shelf

THREADS = 2


def find(source: Path) -> None:
    shelf = Shelf(source)
    signatures = sign_shelf(shelf, threads=THREADS)
    find_copies([shelf], signatures, tests=0, frozen=0, threshold=THRESHOLD, threads=THREADS, scratch=source)


def main() -> None:
    warm_up, source, out, result = map(Path, sys.argv[1:])
    dedup(warm_up, out, threshold=THRESHOLD, threads=THREADS)
    found = {}
    for name, work in (("finding", lambda: find(source)), ("command", lambda: dedup(source, out, threads=THREADS))):
        before, clock = used()[0], time.perf_counter()
        work()
        after, peak = used()
        found[name] = {"cpu": after - before, "wall": time.perf_counter() - clock, "peak": peak}
    result.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
