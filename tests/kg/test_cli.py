"""The commands as a person types them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from foundation.cli import group, run
from kg.cli import add_commands
from kg.graph import KnowledgeGraph


def zhongjing(*arguments: str | Path) -> int:
    app = group("test")
    add_commands(app)
    app.callback()(lambda: None)
    return run(app, ["kg", *map(str, arguments)])


def test_build_stats_show(write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("布洛芬,适应症,发热\n布洛芬,禁忌,孕妇\n坏,行\n")
    aliases = write('{"发烧": "发热"}', "aliases.json")
    assert zhongjing("build", path, "--aliases", aliases, "--out", tmp_path / "kg") == 0
    printed = capsys.readouterr()
    assert "2 triples over 3 entities, 1 aliases" in printed.out
    assert "1 rejected (columns 1)" in printed.err
    assert zhongjing("stats", tmp_path / "kg") == 0
    assert "禁忌" in capsys.readouterr().out
    assert zhongjing("stats", tmp_path / "kg", "--json") == 0
    assert json.loads(capsys.readouterr().out)["relations"] == {"禁忌": 1, "适应症": 1}
    assert zhongjing("show", tmp_path / "kg", "发烧") == 0
    shown = capsys.readouterr().out
    assert "发热  [disease]" in shown or "发热  [symptom]" in shown
    assert "graph.csv:1 (适应症)" in shown


def test_an_unknown_name_gets_suggestions(graph: KnowledgeGraph, capsys: pytest.CaptureFixture[str]) -> None:
    assert zhongjing("show", graph.folder, "肺焱") == 2
    error = capsys.readouterr().err
    assert "肺炎" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("content", ["", "坏,行\n", "\x80\x04."])
def test_nothing_readable_ends_with_status_two(
    write, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = write(content.encode("latin-1") if content.startswith("\x80") else content, "broken.csv")
    assert zhongjing("build", path, "--out", tmp_path / "kg") == 2
    assert "broken.csv" in capsys.readouterr().err
    assert not (tmp_path / "kg").exists()


def test_one_bad_file_does_not_stop_the_others(write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write("布洛芬,适应症,发热\n", "good.csv"), write(b"\x80\x04.", "bad.pkl")
    assert zhongjing("build", bad, good, "--out", tmp_path / "kg") == 0
    assert "pickle 1" in capsys.readouterr().err
    assert zhongjing("build", tmp_path / "none.csv", good, "--out", tmp_path / "kg2") == 2
    assert "none.csv" in capsys.readouterr().err


def test_link_and_check_a_text(graph: KnowledgeGraph, capsys: pytest.CaptureFixture[str]) -> None:
    assert zhongjing("link", graph.folder, "没有发烧", "--json") == 0
    (mention,) = json.loads(capsys.readouterr().out)["mentions"]
    assert mention == {
        "start": 2,
        "end": 4,
        "text": "发烧",
        "entity": "发热",
        "type": "symptom",
        "match": "alias",
        "score": 1.0,
        "negated": True,
        "uncertain": False,
        "experiencer": "patient",
        "temporality": "now",
    }
    assert zhongjing("link", graph.folder, "没有发烧") == 0
    assert "negated" in capsys.readouterr().out
    assert zhongjing("check", graph.folder, "孕妇可以吃布洛芬") == 0
    assert "【孕妇可以吃布洛芬】" in capsys.readouterr().out


def test_link_finds_misspelt_and_nested_names_on_request(
    graph: KnowledgeGraph, capsys: pytest.CaptureFixture[str]
) -> None:
    def found(*options: str) -> list[tuple[str, str]]:
        assert zhongjing("link", graph.folder, "原发性肝癌，急性扁挑体炎", "--json", *options) == 0
        return [(one["text"], one["match"]) for one in json.loads(capsys.readouterr().out)["mentions"]]

    whole, nested, slip = ("原发性肝癌", "exact"), ("肝癌", "exact"), ("急性扁挑体炎", "fuzzy")
    assert found() == [whole, slip]
    assert found("--exact") == [whole]
    assert found("--nested") == [whole, nested, slip]


def test_lines_of_stdin_are_answered_one_by_one(graph: KnowledgeGraph) -> None:
    for command, key in (("link", "mentions"), ("check", "claims")):
        code = "import sys, zhongjing; sys.argv[0] = 'zhongjing'; zhongjing.main()"
        done = subprocess.run(
            [sys.executable, "-c", code, "kg", command, str(graph.folder), "--json"],
            input="孕妇可以吃布洛芬\n\n没有发烧\n".encode() + b"\xff\xfe\n",
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line)[key] for line in done.stdout.splitlines()]
        assert [bool(answer) for answer in answers] == [True, False, key == "mentions", False]
