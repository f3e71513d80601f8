"""Work in shards: killed anywhere, it goes on where it stood, and nobody can tell from the bytes."""

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import corpus.steps
from corpus.records import Dialogue
from corpus.sets import DIALOGUES, Drop, SetWriter, plan_step, read_dialogues
from corpus.steps import Change, map_step, one_by_one
from foundation.errors import ZhongjingError
from foundation.manifest import read_manifest

DIALOGUES_IN_ALL = 5_000
POINTS = (
    "work/.import.*.tmp",
    "work/.normalise.shards/00000",
    "work/.deidentify.shards/plan.json",
    "work/filter",
    "work/.dedup.*.tmp",
    "versions/.care-v1.*.tmp",
)
RECIPE = "name: care\ninputs: [raw.jsonl]\nout: run\n"
BUILD = """
import sys, corpus.steps, corpus.build
from pathlib import Path
if __name__ == "__main__":
    corpus.steps.SHARD = 1
    corpus.build.build(Path(sys.argv[1]), processes=2)
"""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> str:
    lots = random.Random(5)
    words = "头痛发热咳嗽胃疼失眠皮疹腹泻过敏感冒乏力怎么办医生请问最近三天可以吃药检查休息多喝水复查血压血糖"
    rows = []
    for number in range(DIALOGUES_IN_ALL):
        asked, said = ("".join(lots.choices(words, k=40)) for _ in range(2))
        rows.append({"id": str(number), "instruction": f"我叫赵文博，{asked}？", "output": f"{said}。"})
    rows[7] = {"broken": True}
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def start(folder: Path) -> subprocess.Popen[bytes]:
    script = folder / "script.py"
    script.write_text(BUILD)
    environment = {**os.environ, "PYTHONPATH": str(Path(corpus.steps.__file__).parent.parent)}
    return subprocess.Popen([sys.executable, script, folder / "recipe.yaml"], env=environment)


def prepare(folder: Path, raw: str) -> Path:
    folder.mkdir()
    (folder / "raw.jsonl").write_text(raw, encoding="utf-8")
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


def children_of(pid: int) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            yield int(path.parent.name)


@pytest.mark.timeout(300)
def test_killed_at_any_point_it_ends_with_the_same_bytes(raw: str, tmp_path: Path) -> None:
    whole, killed = prepare(tmp_path / "whole", raw), prepare(tmp_path / "killed", raw)
    assert start(whole).wait() == 0
    kills = 0
    for point in POINTS:
        process = start(killed)
        while process.poll() is None and not any((killed / "run").glob(point)):
            time.sleep(0.001)
        if process.poll() is None:
            workers = list(children_of(process.pid))
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            ended(workers)
    assert start(killed).wait() == 0
    assert kills >= len(POINTS) - 1
    files = [
        {
            path.relative_to(folder / "run").as_posix(): path.read_bytes()
            for path in (folder / "run").rglob("*")
            if path.is_file()
        }
        for folder in (whole, killed)
    ]
    left = {name for name in files[1] if ".tmp/" in name or ".shards/" in name}
    assert {name: content for name, content in files[1].items() if name not in left} == files[0]
    assert all(".tmp/" in name for name in left)


def ended(workers: list[int]) -> None:
    """Nobody outlives the parent."""
    until = time.monotonic() + 10
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < until, "a worker outlived its parent"
        time.sleep(0.05)


class Mark:
    """Counts its calls in a file, and fails where told to."""

    def __init__(self, calls: Path, fails_at: str = "") -> None:
        self.calls, self.fails_at = calls, fails_at

    def start(self) -> Change:
        return one_by_one(self.change)

    def change(self, dialogue: Dialogue, writer: SetWriter) -> Dialogue | Drop:
        if dialogue.id == self.fails_at:
            raise KeyboardInterrupt
        with self.calls.open("a") as calls:
            calls.write(f"{dialogue.id}\n")
        writer.details["seen"] += 1
        writer.add("weight", 2.0)
        return Drop("even") if dialogue.meta.line % 2 == 0 else dialogue


@pytest.fixture
def source(set_of: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(corpus.steps, "SHARD", 1)
    monkeypatch.setattr("corpus.sets.BATCH", 3)
    return set_of(*[["疼", "多久了"]] * 10)


def test_an_interrupted_step_does_only_what_is_left(source: Path, tmp_path: Path) -> None:
    plan, out, calls = plan_step("mark", source, {}), tmp_path / "out", tmp_path / "calls"
    last = list(read_dialogues(source))[-1].id
    with pytest.raises(KeyboardInterrupt):
        map_step(plan, out, Mark(calls, fails_at=last), processes=1)
    assert not out.exists()
    assert len(calls.read_text().splitlines()) == 9
    calls.unlink()
    result = map_step(plan, out, Mark(calls), processes=1)
    assert calls.read_text().splitlines() == [last]
    assert (result.read, result.kept, result.rejected) == (10, 5, {"even": 5})
    assert (result.details, result.sums) == ({"seen": 10}, {"weight": 20.0})
    assert len(result.samples["even"]) == 5
    assert [dialogue.meta.line for dialogue in read_dialogues(out)] == [1, 3, 5, 7, 9]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calls", "out", "source"]


def test_shards_of_another_plan_are_not_taken(source: Path, tmp_path: Path) -> None:
    out, calls = tmp_path / "out", tmp_path / "calls"
    last = list(read_dialogues(source))[-1].id
    with pytest.raises(KeyboardInterrupt):
        map_step(plan_step("mark", source, {}), out, Mark(calls, fails_at=last), processes=1)
    calls.unlink()
    map_step(plan_step("mark", source, {"other": 1}), out, Mark(calls), processes=1)
    assert len(calls.read_text().splitlines()) == 10


def test_two_runs_of_one_set_do_not_meet(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / ".out.shards"
    folder.mkdir()
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(ZhongjingError, match="another run"):
        map_step(plan_step("mark", source, {}), tmp_path / "out", Mark(tmp_path / "calls"), processes=1)
    os.close(held)


def test_an_empty_set_stays_a_set(set_of: Callable[..., Path], tmp_path: Path) -> None:
    result = map_step(plan_step("mark", set_of(), {}), tmp_path / "out", Mark(tmp_path / "calls"))
    assert (result.read, result.kept) == (0, 0)
    assert read_manifest(tmp_path / "out").files[0].name == DIALOGUES
