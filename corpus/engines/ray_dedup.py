"""Deduplication on a Ray cluster: signing as `map_batches`, bands and waves as shuffles.

1. Each task signs some row groups.
2. Each task makes the keys of some documents in all bands; a shuffle brings equal keys together, and what meets in a
   share of the keys is written down, with the fewest pairs through which it hangs together.
3. Those pairs are joined to parts here, and parts are put together to waves. A second shuffle brings the texts and the
   groups of each wave together, and it is judged as on one machine.

Here, where the command was given, only arrays over all documents are held, never their texts nor their pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from corpus.deduplication.candidates import Numbers, components, forest, groups_of, joined
from corpus.deduplication.copies import Copies
from corpus.deduplication.minhash import LENGTH, bands_for
from corpus.deduplication.signatures import Shelf, Signatures, gathered, read_signatures
from corpus.deduplication.stars import Rules
from corpus.deduplication.waves import POINTS_AT_ONCE, cut
from corpus.engines.cluster import Cluster, Pipeline
from corpus.engines.on_ray import Row
from corpus.engines.ray_files import load, save
from corpus.engines.ray_tasks import judging, meeting, signing
from foundation.progress import progress

ROWS = 50_000
KEYS_AT_ONCE = 16_000_000
PAIRS_AT_ONCE = 50_000_000
SHARES = 4


def sign_on(cluster: Cluster, shelf: Shelf, prefer: Sequence[str], scratch: Path) -> Signatures:
    """The signatures of a shelf, made on the cluster."""
    parts = shelf.parts(ROWS)
    arguments = {"place": cluster.place, "shelf": shelf, "parts": parts, "prefer": list(prefer), "scratch": scratch}
    with progress("signing", len(shelf)) as steps:
        undone = set(range(len(parts)))
        for _ in cluster.run(Pipeline(signing, arguments)):
            done = {number for number in undone if (scratch / f"{number:05}").is_dir()}
            steps.advance(sum(parts[number].size for number in done))
            undone -= done
    read = (read_signatures(scratch / f"{number:05}", part.size) for number, part in enumerate(parts))
    return gathered(read, len(shelf), lambda _: None)


class OnCluster:
    """A comparison in files of the folder `scratch`."""

    def __init__(
        self,
        cluster: Cluster,
        shelves: Sequence[Shelf],
        signatures: Signatures,
        ones: Numbers,
        rules: Rules,
        scratch: Path,
    ) -> None:
        self.cluster, self.shelves, self.rules, self.scratch = cluster, list(shelves), rules, scratch
        self.lengths = signatures.traits[:, LENGTH].astype(np.int64)
        bands = bands_for(rules.threshold, len(ones))
        self.shares = max(SHARES * cluster.cores(), -(-len(bands) * len(ones) // KEYS_AT_ONCE))
        save(scratch, sketches=signatures.sketches, ones=ones, bands=bands)
        arguments = {"place": cluster.place, "scratch": scratch, "rules": rules, "shares": self.shares}
        pieces = [(begin, min(begin + ROWS, len(ones))) for begin in range(0, len(ones), ROWS)]
        pipeline = Pipeline(meeting, {**arguments, "pieces": pieces})
        with progress("comparing", self.shares) as steps:
            for _ in self._appearing("met", self.shares if pieces else 0, pipeline):
                steps.advance()

    def linked(self) -> tuple[Numbers, Numbers]:
        """The trees of all shares, joined."""
        pairs, waiting = np.empty(0, dtype=np.uint64), [np.empty(0, dtype=np.uint64)]
        for path in self._files("met"):
            waiting.append(load(path)["trees"])
            if sum(map(len, waiting)) > len(pairs) + PAIRS_AT_ONCE:
                pairs, waiting = forest(*joined(np.concatenate((pairs, *waiting)), [], [])), []
        pairs = np.concatenate((pairs, *waiting))
        return components(groups_of(pairs, [], [], len(self.lengths)), len(self.lengths))

    def judged(self, linked: Numbers, parts: Numbers) -> Iterator[tuple[Numbers, Copies]]:
        """Waves small enough to occupy every core; they come as they are done."""
        lengths = self.lengths[linked]
        most = min(POINTS_AT_ONCE, int(lengths.sum()) // (SHARES * self.cluster.cores()) + 1)
        cuts = np.array(cut(lengths, parts, most))
        waves = np.full(len(self.lengths), -1, dtype=np.int32)
        waves[linked] = np.repeat(np.arange(len(cuts) - 1), np.diff(parts[cuts]))
        save(self.scratch, linked=linked, parts=parts, cuts=cuts, waves=waves)
        arguments = {
            "place": self.cluster.place,
            "scratch": self.scratch,
            "rules": self.rules,
            "shelves": self.shelves,
            "parts": list(_places(self.shelves)),
            "met": [path.name for path in self._files("met")],
            "waves": len(cuts) - 1,
        }
        pipeline = Pipeline(judging, arguments)
        for number in self._appearing("judged", len(cuts) - 1, pipeline):
            documents = linked[parts[cuts[number]] : parts[cuts[number + 1]]]
            yield documents, Copies(**load(self.scratch / f"judged-{number:06}.npz"))

    def _files(self, name: str) -> list[Path]:
        return sorted(self.scratch.glob(f"{name}-*.npz"))

    def _appearing(self, name: str, count: int, pipeline: Pipeline) -> Iterator[int]:
        """Run a pipeline that leaves files of this name and a number; each number as soon as its file is there."""
        missing = set(range(count))
        for _ in self.cluster.run(pipeline) if count else ():
            there = {number for number in missing if (self.scratch / f"{name}-{number:06}.npz").is_file()}
            yield from sorted(there)
            missing -= there


def _places(shelves: Sequence[Shelf]) -> Iterator[Row]:
    """A row for each part of the shelves, with the number of its first document."""
    begin = 0
    for number, shelf in enumerate(shelves):
        for part in shelf.parts(ROWS):
            yield {"shelf": number, "part": msgspec.json.encode(part), "begin": begin}
            begin += part.size
