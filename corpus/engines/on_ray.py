"""The engine on a Ray cluster: parts of a step are rows of a data set, and `map_batches` does them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import ray.data
from ray import cloudpickle
from ray.data import Dataset, TaskPoolStrategy

from corpus.engines.cluster import RETRIES, Cluster, Fault, Pipeline, Place
from corpus.parts import DoPart, Job, OnRows, Part
from foundation.errors import ZhongjingError

if TYPE_CHECKING:
    from corpus.deduplication.candidates import Numbers
    from corpus.deduplication.copies import Comparison
    from corpus.deduplication.signatures import Shelf, Signatures
    from corpus.deduplication.stars import Rules

Row = dict[str, Any]


class OnRay:
    """Work in tasks of a cluster; a task whose process dies is done again, and leaves the same files."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def do(self, job: Job, waiting: Mapping[int, Part], processes: int | None, advance: OnRows) -> None:
        """Do each part in a task of its own."""
        undone = set(waiting)
        arguments = {
            "place": self.cluster.place,
            "job": msgspec.structs.replace(job, work=None),
            "work": cloudpickle.dumps(job.work),
            "waiting": dict(waiting),
            "processes": processes,
        }
        for _ in self.cluster.run(Pipeline(_parts_done, arguments)):
            done = {number for number in undone if job.is_done(number)}
            advance(sum(job.result(number).read for number in done))
            undone -= done

    def sign(self, shelf: Shelf, *, prefer: Sequence[str], threads: int | None, scratch: Path) -> Signatures:  # noqa: ARG002
        """Sign some row groups in each task."""
        from corpus.engines.ray_dedup import sign_on

        return sign_on(self.cluster, shelf, prefer, scratch)

    def compare(
        self,
        shelves: Sequence[Shelf],
        signatures: Signatures,
        ones: Numbers,
        rules: Rules,
        *,
        threads: int,  # noqa: ARG002
        scratch: Path,
    ) -> Comparison:
        """Let bands meet, and waves be judged, in tasks."""
        from corpus.engines.ray_dedup import OnCluster

        return OnCluster(self.cluster, shelves, signatures, ones, rules, scratch)


def rows_of(items: Iterable[Row]) -> Dataset:
    """A data set of a row for each task."""
    rows = list(items)
    return ray.data.from_items(rows, override_num_blocks=max(1, len(rows)))


def mapped(rows: Dataset, do: Callable[..., pa.Table], processes: int | None = None, **arguments: Any) -> Dataset:
    """`do(table, **arguments)` on each row in a task of its own, which takes a core."""
    return rows.map_batches(
        do,
        batch_size=1,
        batch_format="pyarrow",
        fn_kwargs=arguments,
        compute=TaskPoolStrategy(size=processes),
        num_cpus=1,
        max_retries=RETRIES,
    )


def faults(place: Place, work: Callable[[], None]) -> pa.Table:
    """Do what leaves files only: one row, empty, or with what a person should know."""
    fault = ""
    try:
        place.settle()
        work()
    except ZhongjingError as error:
        fault = msgspec.json.encode(Fault.of(error)).decode()
    return pa.table({"fault": [fault]})


def _parts_done(place: Place, job: Job, work: bytes, waiting: Mapping[int, Part], processes: int | None) -> Dataset:
    rows = ({"number": number, "part": msgspec.json.encode(part)} for number, part in waiting.items())
    return mapped(rows_of(rows), _do_part, processes, place=place, job=job, work=work)


def _do_part(rows: pa.Table, place: Place, job: Job, work: bytes) -> pa.Table:
    (row,) = rows.to_pylist()

    def do() -> None:
        if not job.is_done(row["number"]):
            job.do(_started(work), row["number"], msgspec.json.decode(row["part"], type=Part))

    return faults(place, do)


@lru_cache(maxsize=1)
def _started(work: bytes) -> DoPart:
    """The work made ready, once in each process."""
    started: DoPart = pickle.loads(work).start()  # noqa: S301 (our own, from the process that gave the command)
    return started
