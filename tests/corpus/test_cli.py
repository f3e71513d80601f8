"""The commands, as a person types them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import foundation.cli
import zhongjing

ROW = {"instruction": "胃痛反酸一个月了，吃什么药？", "output": "先做胃镜，可以吃奥美拉唑。"}


def call(*arguments: object) -> int:
    return foundation.cli.run(zhongjing.app, [str(argument) for argument in arguments])


def test_the_road_by_commands(
    jsonl: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    jsonl(ROW, {"instruction": "谢谢", "output": "不客气"}, "broken")
    monkeypatch.chdir(tmp_path)
    assert call("corpus", "import", "raw.jsonl", "--out", "a", "--processes", 1) == 0
    for step, source, out in (
        ("normalise", "a", "b"),
        ("deidentify", "b", "c"),
        ("filter", "c", "d"),
        ("dedup", "d", "e"),
    ):
        assert call("corpus", step, source, "--out", out, *(() if step == "dedup" else ("--processes", 1))) == 0
    assert call("corpus", "freeze", "e", "--name", "care", "--versions", "versions") == 0
    assert call("corpus", "sample", "versions/care-v1", "--out", "prompts.jsonl", "--count", 3) == 0
    prompt = json.loads(Path("prompts.jsonl").read_text())
    assert call("trace", prompt["prompt_id"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "import: 3 in, 2 out; left out not_an_object 1"
    assert lines[3] == "filter: 2 in, 1 out; left out goodbye_only 1"
    assert lines[-1] == "raw file raw.jsonl, line 1, read as jsonl"


@pytest.mark.parametrize(
    "arguments",
    [
        ("corpus", "import", "missing.json", "--out", "x"),
        ("corpus", "normalise", "missing", "--out", "x"),
        ("corpus", "build", "missing.yaml"),
        ("trace", "p-0"),
    ],
)
def test_nothing_to_do_is_status_two(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(*arguments) == 2
    assert "error:" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
