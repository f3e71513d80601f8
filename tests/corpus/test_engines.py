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
from corpus.deduplication.duplicates import DUPLICATES, Duplicate
from corpus.engines import current, running_on
from corpus.engines.local import Local
from corpus.parts import Job, Part
from corpus.sets import SetWriter
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records
from foundation.rejects import Reject

ROOT = Path(corpus.steps.__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "disabled"}
PATIENCE = 300
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
import sys, corpus.engines.ray_dedup as ray_dedup, corpus.steps
from zhongjing import main
corpus.steps.SHARD = ray_dedup.ROWS = 1
sys.exit(main())
"""


class Cluster(NamedTuple):
    """A head node: where the Ray Client server and the cluster itself answer, and the process that holds it."""

    client: str
    address: str
    process: subprocess.Popen[bytes]

    def processes(self) -> Iterator[tuple[int, str]]:
        """Processes of the node, and what they call themselves."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if os.getsid(int(path.name)) == self.process.pid:
                    yield int(path.name), (path / "cmdline").read_bytes().split(b"\0")[0].decode()
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
    said = folder / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=output, stderr=output, start_new_session=True)
    node = Cluster(f"ray://127.0.0.1:{client}", f"127.0.0.2:{port}", process)
    try:
        wait_until(lambda: "Ray runtime started" in said.read_text() and answers(client))
        yield node
    finally:
        for pid, _ in node.processes():
            os.kill(pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as calling:
        return calling.connect_ex(("127.0.0.1", port)) == 0


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
        {"id": f"t{number}", "instruction": "".join(lots.choices(WORDS, k=9)), "output": template}
        for number in range(40)
    ]
    write(folder / "before.jsonl", rows[:20])
    write(folder / "exam.jsonl", rows[20:30])
    write(folder / "first.jsonl", [*rows[:400], {"broken": True}, *copies])
    write(folder / "second.jsonl", [*rows[400:], *letters])
    (folder / "triples.csv").write_text("头痛,检查,血压\n咳嗽,临床表现,发热\n感冒,并发症,咳嗽\n", encoding="utf-8")
    (folder / "before.yaml").write_text("name: care\ninputs: [before.jsonl]\nout: before\n")
    for out in ("local", "ray"):
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


def test_a_cluster_whose_workers_are_killed_gives_the_same_bytes(cluster: Cluster, here: Path) -> None:
    script = here / "script.py"
    script.write_text(BUILD)
    command = [sys.executable, script, "corpus", "build", here / "ray.yaml", "--engine", cluster.client]
    process = subprocess.Popen(command, env=ENVIRONMENT)
    for stage, doing in (("normalise", "_do_part"), ("filter", "_conduct"), ("dedup", "Map")):
        kill(cluster, process, here / "ray" / "work", stage, doing)
    assert process.wait(PATIENCE) == 0
    assert files(here / "ray") == files(here / "local")
    reasons = {row.reason for row in read_records(here / "ray" / "work" / "dedup" / DUPLICATES, Duplicate)}
    assert {"exact", "near", "contaminated", "questions_differ"} <= reasons


def kill(cluster: Cluster, process: subprocess.Popen[bytes], work: Path, stage: str, doing: str) -> None:
    """Kill -9 the first worker that is found at a kind of task while a stage runs."""

    def killed() -> bool:
        assert process.poll() is None, f"the build ended before a worker could be killed in {stage}"
        if not any(work.glob(f".{stage}.*")):
            return False
        for pid, title in cluster.processes():
            if title.startswith("ray::") and doing in title:
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    wait_until(killed)


class Weigh:
    """Counts a row for each place of a part; place 7 is one that it refuses."""

    def start(self) -> Callable[[Part, SetWriter], None]:
        return self.weigh

    def weigh(self, part: Part, writer: SetWriter) -> None:
        if 7 in part.places:
            raise ZhongjingError("this is a seven", where="sevens", hint="take another number")
        for place in part.places:
            writer.reject(Reject(stage="weigh", reason="light", file="made-up", line=place))


def test_rows_are_counted_and_an_error_there_is_the_error_here(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    monkeypatch.setenv("RAY_AUTH_MODE", ENVIRONMENT["RAY_AUTH_MODE"])
    job, through = Job(folder=tmp_path, stage="weigh", work=Weigh()), []
    with running_on("ray"):
        current().do(job, {0: Part(places=[1, 2]), 3: Part(places=[4])}, 1, through.append)
        assert (sum(through), job.result(3).rejected) == (3, {"light": 1})
        with pytest.raises(ZhongjingError) as caught:
            current().do(job, {5: Part(places=[7])}, None, through.append)
    assert (caught.value.message, caught.value.where) == ("this is a seven", "sevens")
    assert caught.value.hint == "take another number"
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["00000", "00003"]
    assert isinstance(current(), Local)


def test_a_node_must_be_like_this_machine(tmp_path: Path) -> None:
    from corpus.engines.cluster import Place

    with pytest.raises(ZhongjingError, match="another zhongjing"):
        Place(tmp_path, "0+other").settle()


def test_without_ray_the_command_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "corpus.engines.cluster", raising=False)
    with pytest.raises(ZhongjingError, match=r"pip install 'zhongjing\[ray\]'"), running_on("ray://127.0.0.1:10001"):
        pass


@pytest.mark.parametrize(("place", "why"), [("", "refused"), ("nowhere", "no HOST:PORT"), (":port", "no HOST:PORT")])
def test_a_cluster_that_does_not_answer(place: str, why: str) -> None:
    name = f"ray://{place or f'127.0.0.1:{free_port()}'}"
    with pytest.raises(ZhongjingError, match=rf"(?s){name}: no Ray cluster answers: .*{why}.*10001"), running_on(name):
        pass


def test_an_unknown_engine_is_told_from_known_ones() -> None:
    with pytest.raises(ZhongjingError, match="known engines: local, ray, ray://HOST:PORT"), running_on("spark"):
        pass
