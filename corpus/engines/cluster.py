"""A Ray cluster: how it is reached, and how a pipeline of Ray Data is run on it.

Whatever the way to the cluster, a pipeline is put together and driven by one task on it, the conductor: a program
that comes in by Ray Client (`ray://`) cannot drive Ray Data itself, and one that sits on the cluster may as well not.
Data passes in files of a file system that all nodes see under the same paths; what a conductor hands back is at most
a fault.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import ray

from foundation.errors import ZhongjingError
from foundation.manifest import code_version

if TYPE_CHECKING:
    from ray.data import Dataset

ATTEMPTS = 3
NOT_STARTED = "Starting Ray client server failed"
CLIENT = "ray://"
RETRIES = 5
REFRESH = 0.5
PATIENCE = 10.0
LINE = "\n"
SAME_EVERYWHERE = (
    "every node needs the same release of zhongjing with the extra `ray`, and the same file system under the same paths"
)


class Fault(msgspec.Struct, frozen=True):
    """A `ZhongjingError` on its way from one machine to another."""

    message: str
    where: str | None = None
    hint: str | None = None

    @classmethod
    def of(cls, error: ZhongjingError) -> Fault:
        """What the error says."""
        return cls(error.message, None if error.where is None else str(error.where), error.hint)

    def error(self) -> ZhongjingError:
        """The error again."""
        return ZhongjingError(self.message, where=self.where, hint=self.hint)


class Place(msgspec.Struct, frozen=True):
    """Where the command was given, and by which code: both must hold on every node."""

    folder: Path
    code: str

    def settle(self) -> None:
        """Work from the same folder with the same code in this process; an error where that cannot be."""
        _settle(self)


class Pipeline(msgspec.Struct, frozen=True):
    """Work for Ray Data: `build` is called with `arguments` on the cluster and gives rows with a column `fault`."""

    build: Callable[..., Dataset]
    arguments: dict[str, Any]


class Cluster(msgspec.Struct, frozen=True):
    """A cluster that this process is connected to."""

    place: Place

    def cores(self) -> int:
        """Cores of all nodes."""
        return max(1, int(ray.cluster_resources().get("CPU", 1)))

    def run(self, pipeline: Pipeline) -> Iterator[None]:
        """Run a pipeline to its end; yields now and then meanwhile, and once more when it is done."""
        conductor: Any = ray.remote(num_cpus=0, max_retries=RETRIES)(_conduct)
        running = conductor.remote(self.place, pipeline)
        try:
            while not ray.wait([running], timeout=REFRESH)[0]:
                yield
        except BaseException:
            ray.cancel(running)
            raise
        fault: Fault | None = _got(running)
        if fault is not None:
            raise fault.error()
        yield


@contextmanager
def connected(name: str) -> Iterator[Cluster]:
    """The cluster at `ray://HOST:PORT`; for `ray` the one that Ray itself finds, or a new one on this machine."""
    _join(name)
    try:
        cluster = Cluster(Place(Path.cwd(), code_version()))
        greeting: Any = ray.remote(num_cpus=0)(_greet)
        try:
            fault = _got(greeting.remote(cluster.place))
        except ray.exceptions.RayTaskError as error:
            raise ZhongjingError("a node cannot run zhongjing", where=name, hint=SAME_EVERYWHERE) from error
        if fault is not None:
            raise fault.error()
        yield cluster
    finally:
        ray.shutdown()


def _ask_for_a_server(name: str, options: dict[str, Any]) -> None:
    """A cluster starts a server for each client; a busy one may not manage it in time, so it is asked up to thrice."""
    for attempt in range(ATTEMPTS):
        try:
            ray.init(name, **options)
            return
        except RuntimeError as error:
            if attempt + 1 == ATTEMPTS or NOT_STARTED not in str(error):
                raise
            ray.shutdown()


def _join(name: str) -> None:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if name.startswith(CLIENT):
            _knock(name)
            _ask_for_a_server(name, options)
        else:
            ray.init(include_dashboard=False, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise ZhongjingError(
            f"no Ray cluster answers: {str(error).strip().rpartition(LINE)[2] or type(error).__name__}",
            where=name,
            hint="ray:// takes the port of the Ray Client server (10001 unless `ray start --ray-client-server-port` "
            "said otherwise); both sides need the same versions of Ray and Python, and RAY_AUTH_MODE=token where the "
            "cluster asks for a token",
        ) from error


def _knock(name: str) -> None:
    """An error at once where nobody listens: Ray would try for half a minute."""
    host, _, port = name.removeprefix(CLIENT).rpartition(":")
    if not port.isdigit():
        raise ValueError("this is no HOST:PORT")
    socket.create_connection((host, int(port)), timeout=PATIENCE).close()


def _got(reference: Any) -> Any:
    """What a task on the cluster gave; an error that says what to do where the cluster failed, not our code."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError:
        raise
    except ray.exceptions.RayError as error:
        raise _given_up(error).error() from error


def _given_up(error: Exception) -> Fault:
    return Fault(
        f"the cluster gave up after {RETRIES} attempts ({type(error).__name__})",
        hint="run the same command again to go on from the finished shards, with fewer --processes if memory is short; "
        f"{SAME_EVERYWHERE}",
    )


def _greet(place: Place) -> Fault | None:
    try:
        place.settle()
    except ZhongjingError as error:
        return Fault.of(error)
    return None


def _conduct(place: Place, pipeline: Pipeline) -> Fault | None:
    """On the cluster: run a pipeline until it ends or a row names a fault."""
    from ray.data import DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    try:
        place.settle()
        for row in pipeline.build(**pipeline.arguments).iter_rows():
            if row["fault"]:
                return msgspec.json.decode(row["fault"], type=Fault)
    except ZhongjingError as error:
        return Fault.of(error)
    except ray.exceptions.UserCodeException:
        raise
    except ray.exceptions.RayError as error:
        return _given_up(error)
    return None


@cache
def _settle(place: Place) -> None:
    if code_version() != place.code:
        raise ZhongjingError(
            f"a node has another zhongjing ({code_version()}) than this machine ({place.code})", hint=SAME_EVERYWHERE
        )
    try:
        os.chdir(place.folder)
    except OSError as error:
        raise ZhongjingError("a node does not see this folder", where=place.folder, hint=SAME_EVERYWHERE) from error
