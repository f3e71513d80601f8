"""The same bytes from a Ray cluster in processes of its own as from this machine, with workers killed on the way."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import corpus.steps
from corpus.build import build
from corpus.duplicates import DUPLICATES, Duplicate
from corpus.engines import current, running_on
from corpus.engines.local import Local
from corpus.parts import Job, Part
from corpus.sets import SetWriter
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records
from foundation.progress import watched

ROOT = Path(corpus.steps.__file__).parent.parent
PATIENCE = 120
WORDS = "头痛发热咳嗽胃疼失眠皮疹腹泻过敏感冒乏力怎么办医生请问最近三天可以吃药检查休息多喝水复查血压血糖"
RECIPE = """
name: care
inputs: [first.jsonl, second.jsonl]
graph: [triples.csv]
out: {out}
options:
  dedup: {{against: before/versions/care-v1, exclude: exam.jsonl}}
"""
BUILD = """
import sys, corpus.build, corpus.engines.ray_dedup as ray_dedup, corpus.steps
from pathlib import Path
corpus.steps.SHARD = ray_dedup.ROWS = 1
corpus.build.build(Path(sys.argv[1]), engine=sys.argv[2])
"""


class Cluster(NamedTuple):
    """A head node: where the Ray Client server and the cluster itself answer, and the process that holds it."""

    client: str
    address: str
    process: subprocess.Popen[bytes]

    def workers(self) -> Iterator[tuple[int, str]]:
        """Processes of workers, and what they are doing."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                title = (path / "cmdline").read_bytes().split(b"\0")[0].decode()
                if title.startswith("ray::") and os.getsid(int(path.name)) == self.process.pid:
                    yield int(path.name), title.removeprefix("ray::")
            except OSError:
                continue


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="zhongjing-ray-"))
    port, client = free_port(), free_port()
    command = [
        *(str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--node-ip-address=127.0.0.2"),
        *(f"--port={port}", f"--ray-client-server-port={client}", "--num-cpus=2"),
        *("--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={folder}"),
        "--object-store-memory=100000000",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until(lambda: answers("127.0.0.2", port) and answers("127.0.0.1", client))
        yield Cluster(f"ray://127.0.0.1:{client}", f"127.0.0.2:{port}", process)
    finally:
        process.terminate()
        process.wait(PATIENCE)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def answers(host: str, port: int) -> bool:
    with socket.socket() as calling:
        return calling.connect_ex((host, port)) == 0


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raw files, an older version, a test set, a graph, and what this machine makes of them."""
    folder = tmp_path_factory.mktemp("engines")
    lots = random.Random(3)
    rows = [row(lots, number) for number in range(600)]
    copies = [{**lots.choice(rows), "id": f"c{number}"} for number in range(60)]
    for copy in copies[20:]:
        copy["output"] = copy["output"][:-3] + "".join(lots.choices(WORDS, k=5))
    template = "您好，建议您清淡饮食，规律作息，避免熬夜，多喝温水，必要时到正规医院消化内科复查胃镜。"
    letters = [
        {"id": f"t{number}", "instruction": f"{template}{''.join(lots.choices(WORDS, k=6))}", "output": template}
        for number in range(40)
    ]
    write(folder / "before.jsonl", rows[:20])
    write(folder / "exam.jsonl", rows[20:30])
    write(folder / "first.jsonl", [*rows[:400], {"broken": True}, *copies])
    write(folder / "second.jsonl", [*rows[400:], *letters])
    (folder / "triples.csv").write_text("头痛,检查,血压\n咳嗽,临床表现,发热\n感冒,并发症,咳嗽\n", encoding="utf-8")
    (folder / "before.yaml").write_text("name: care\ninputs: [before.jsonl]\nout: before\n")
    for out in ("local", "near", "far"):
        (folder / f"{out}.yaml").write_text(RECIPE.format(out=out))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus.steps, "SHARD", 1)
        build(folder / "before.yaml", processes=1)
        build(folder / "local.yaml", processes=1)
    return folder


def row(lots: random.Random, number: int) -> dict[str, str]:
    asked, said = ("".join(lots.choices(WORDS, k=40)) for _ in range(2))
    return {"id": f"r{number}", "instruction": f"{asked}？", "output": f"{said}。"}


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_program_on_the_cluster_gets_the_same_bytes(
    cluster: Cluster, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    monkeypatch.setattr(corpus.steps, "SHARD", 1)
    monkeypatch.setattr("corpus.engines.ray_dedup.ROWS", 1)
    seen: dict[str, int] = {}
    with watched(lambda what, done, _: seen.update({what: done})):
        build(here / "near.yaml", engine="ray")
    assert files(here / "near") == files(here / "local")
    assert seen["normalise"] == seen["signing"] > 600
    reasons = [row.reason for row in read_records(here / "near" / "work" / "dedup" / DUPLICATES, Duplicate)]
    assert {"exact", "near", "contaminated", "questions_differ"} <= set(reasons)
    assert isinstance(current(), Local)


def test_workers_killed_on_the_way_change_no_byte(cluster: Cluster, here: Path) -> None:
    script = here / "script.py"
    script.write_text(BUILD)
    process = subprocess.Popen(
        [sys.executable, script, here / "far.yaml", cluster.client], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    for stage, doing in (("normalise", "_do_part"), ("filter", "_conduct"), ("dedup", "Map"), ("match", "_do_part")):
        kill(cluster, process, here / "far" / "work", stage, doing)
    assert process.wait(PATIENCE) == 0
    assert files(here / "far") == files(here / "local")


def kill(cluster: Cluster, process: subprocess.Popen[bytes], work: Path, stage: str, doing: str) -> None:
    """Kill -9 the first worker that is found at a kind of task while a stage runs."""

    def killed() -> bool:
        assert process.poll() is None, f"the build ended before a worker could be killed in {stage}"
        if not any(work.glob(f".{stage}.*")):
            return False
        for pid, title in cluster.workers():
            if doing in title:
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    wait_until(killed)


class Refuse:
    """Work that cannot be done."""

    def start(self) -> Callable[[Part, SetWriter], None]:
        def do(part: Part, writer: SetWriter) -> None:
            raise ZhongjingError("no tagger here", where="lac", hint="install it")

        return do


def test_an_error_on_the_cluster_is_the_error_here(cluster: Cluster, tmp_path: Path) -> None:
    job = Job(folder=tmp_path, stage="refuse", work=Refuse())
    with running_on(cluster.client), pytest.raises(ZhongjingError) as caught:
        current().do(job, {0: Part(places=[])}, None, lambda _: None)
    assert (caught.value.message, caught.value.where, caught.value.hint) == ("no tagger here", "lac", "install it")
    assert list(tmp_path.iterdir()) == []


def test_a_node_must_be_like_this_machine(tmp_path: Path) -> None:
    from corpus.engines.cluster import Place

    with pytest.raises(ZhongjingError, match="another zhongjing"):
        Place(tmp_path, "0+other").settle()


def test_without_ray_the_command_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "corpus.engines.cluster", raising=False)
    with pytest.raises(ZhongjingError, match=r"pip install 'zhongjing\[ray\]'"), running_on("ray://127.0.0.1:10001"):
        pass


def test_an_unknown_engine_is_told_from_known_ones() -> None:
    with pytest.raises(ZhongjingError, match="known engines: local, ray, ray://HOST:PORT"), running_on("spark"):
        pass
