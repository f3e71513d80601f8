from __future__ import annotations

import io
import sys

import pytest
import typer

from annotation.cli import add_commands
from corpus.records import RankedPrompt
from foundation.cli import run
from foundation.jsonl import read_records, write_records


@pytest.fixture
def command(tmp_path, monkeypatch, made, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZHONGJING_DATABASE_URL", raising=False)
    prompts = made.prompts(5)
    outputs = made.outputs(prompts)
    write_records(tmp_path / "prompts.jsonl", prompts)
    write_records(tmp_path / "outputs.jsonl", outputs)
    write_records(
        tmp_path / "truth.jsonl",
        [{"output_id": name, "quality": value} for name, value in made.truth(outputs).items()],
    )
    app = typer.Typer()
    add_commands(app)

    def call(line: str, stdin: str = ""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        status = run(app, line.split())
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


CREATE = "rank create --prompts prompts.jsonl --outputs outputs.jsonl"


def test_the_road_by_commands(command, tmp_path):
    assert command(f"{CREATE} --experts simulated --overlap 3 --seed 2")[:2] == (
        0,
        "campaign ranking: 5 tasks, 15 assignments to 6 experts\n",
    )
    status, out, _ = command("rank simulate --truth truth.jsonl --seed 1")
    assert (status, out.split()[:2]) == (0, ["15", "SIMULATED"])
    status, out, _ = command("rank status")
    assert status == 0
    assert out.count("[SIMULATED]") == 6
    assert "alpha" in out
    status, out, _ = command("export --out release --seed 1")
    assert status == 0
    assert "SIMULATED" in out
    assert len(list(read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt))) == 5
    assert command("worker --once")[:2] == (0, "0 jobs done\n")


def test_people_are_added_with_the_password_from_stdin(command):
    assert command("user add 李医生 --password-stdin", "a long enough password\n")[0] == 0
    assert command("user add 李医生 --password-stdin", "a long enough password\n")[0] == 2
    assert command("user add 王医生 --password-stdin", "short\n")[0] == 2
    assert command("user add 王医生")[0] == 2
    assert command(CREATE)[1] == "campaign ranking: 5 tasks, 5 assignments to 1 experts\n"


def test_upgrade_says_where_it_is(command, tmp_path):
    status, out, _ = command(f"db upgrade --database sqlite:///{tmp_path}/x.db")
    assert status == 0
    assert "0001" in out
    assert (tmp_path / "x.db").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rank create --prompts none.jsonl --outputs outputs.jsonl", "none.jsonl"),
        ("rank create --prompts . --outputs outputs.jsonl", "folder"),
        ("rank create --prompts outputs.jsonl --outputs outputs.jsonl", "outputs.jsonl:1"),
        ("rank create --prompts empty.jsonl --outputs outputs.jsonl", "empty.jsonl"),
        ("rank create --prompts broken.jsonl --outputs outputs.jsonl", "broken.jsonl:1"),
        (CREATE, "no expert yet"),
        (f"{CREATE} --experts simulated --overlap 7", "overlap"),
        (f"{CREATE} --experts nobody", "nobody"),
        ("rank status", "no campaign yet"),
        ("rank simulate", "no campaign yet"),
        ("export --out release", "no campaign yet"),
        ("rank status --database nonsense", "database URL"),
        ("serve --database mysql://a/b", "not supported"),
    ],
)
def test_what_cannot_be_done_is_said_with_status_2(command, tmp_path, line, message):
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "broken.jsonl").write_bytes(b'{"prompt_id": "\xff\xfe')
    status, out, err = command(line)
    assert status == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "release").exists()
