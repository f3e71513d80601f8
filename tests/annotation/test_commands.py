from __future__ import annotations

import io
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import pytest
import typer
from sqlalchemy import text

from annotation.campaigns.guideline import default_guideline
from annotation.cli import add_commands
from annotation.database import Database, newest_revision, upgrade
from annotation.identity.invitations import accept
from corpus.records import RankedPrompt
from foundation.cli import run
from foundation.jsonl import read_records, write_records
from foundation.rejects import Reject


@pytest.fixture(params=["sqlite", "postgresql"])
def command(request, tmp_path, monkeypatch, made, capsys):
    """Runs a command line; without a setting on the default SQLite file, or with one on PostgreSQL."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZHONGJING_DATABASE_URL", raising=False)
    if request.param == "postgresql":
        url = request.getfixturevalue("empty_postgres")
        upgrade(url)
        monkeypatch.setenv("ZHONGJING_DATABASE_URL", url)
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


GOLD = '{"prompt_id": "p-04", "tiers": [["o-p-04-3"], ["o-p-04-2", "o-p-04-1"], ["o-p-04-0"]]}'


def test_a_campaign_as_the_lead_asks_for_it(command, tmp_path):
    for name in ("李医生", "王医生", "赵医生"):
        command(f"user add {name} --password-stdin", "a long enough password\n")
    (tmp_path / "gold.jsonl").write_text(GOLD)
    status, out, _ = command(f"{CREATE} --experts all --overlap 2 --gold gold.jsonl --repeats 0.25")
    assert (status, out) == (
        0,
        "campaign ranking: 4 tasks, 8 assignments to 3 experts\n"
        "mixed in unannounced: 1 gold prompts, 1 repeated prompts\n",
    )
    assert command("rank close")[:2] == (0, "campaign ranking is closed\n")
    assert "closed already" in command("rank close")[2]


def test_gold_without_an_order_is_refused_with_its_line_and_nothing_is_made(command, tmp_path):
    (tmp_path / "gold.jsonl").write_text(GOLD + '\n{"prompt_id": "p-03"}\n')
    status, _, err = command(f"{CREATE} --experts simulated --gold gold.jsonl")
    assert status == 2
    assert "gold.jsonl:2: a gold prompt without an order" in err
    assert "no campaign yet" in command("rank status")[2]


def test_what_a_curator_should_look_at_is_said_without_the_words(command, tmp_path, made):
    prompts = made.prompts(2)
    outputs = made.outputs(prompts)
    outputs[0].text = "我是华佗GPT，建议休息"
    outputs[5].text = outputs[4].text + "。"
    write_records(tmp_path / "outputs.jsonl", outputs)
    status, _, err = command(f"{CREATE} --experts simulated")
    assert status == 0
    assert "merged: 1 answers" in err
    assert "not blind: 1 answers name their model: o-p-00-0" in err
    assert "fewer_than_2_answers" in err
    assert "华佗" not in err


def test_a_rule_of_ones_own_has_a_version_of_its_own(command, tmp_path):
    rule = default_guideline()
    for name, changed in (("same", rule), ("other", msgspec.structs.replace(rule, en=rule.zh))):
        (tmp_path / f"{name}.json").write_bytes(msgspec.json.encode(changed))
    (tmp_path / "broken.json").write_text('{"version": "2"}')
    assert command(f"{CREATE} --experts simulated --name a --guideline same.json")[0] == 0
    status, _, err = command(f"{CREATE} --experts simulated --name b --guideline other.json")
    assert (status, "has other words already" in err) == (2, True)
    status, _, err = command(f"{CREATE} --experts simulated --name c --guideline broken.json")
    assert (status, "broken.json: this is not a rule" in err) == (2, True)


def test_people_are_added_with_the_password_from_stdin(command):
    assert command("user add 李医生 --password-stdin", "a long enough password\n")[0] == 0
    assert command("user add 李医生 --password-stdin", "a long enough password\n")[0] == 2
    assert command("user add 王医生 --password-stdin", "short\n")[0] == 2
    assert command("user add 王医生 --password-stdin", "\udcff\udcfe not UTF-8 at all\n")[0] == 2
    assert command("user add 王医生")[0] == 2
    assert command(CREATE)[1] == "campaign ranking: 5 tasks, 5 assignments to 1 experts\n"


def test_people_are_invited_listed_and_let_go(command):
    status, out, _ = command("user invite 李医生 --role senior --public-url https://rank.example/")
    assert (status, out.startswith("https://rank.example/invitation/")) == (0, True)
    token = out.strip().rsplit("/", 1)[1]
    with closing(Database()) as database, database.write() as session:
        accept(session, token, password="a long enough password")
    assert command("user list")[1] == "senior    李医生\n"
    assert command("user disable 李医生")[1] == "李医生 has left\n"
    assert command("user list")[1] == "senior    李医生  [left]\n"
    assert command("user enable 李医生")[1] == "李医生 is back\n"
    assert command("user disable 王医生")[0] == 2
    assert command("user invite 李医生")[0] == 2
    assert command("user invite 王医生 --role king")[0] == 2


def test_experts_are_all_simulated_named_or_together(command):
    command("user add 李医生 --password-stdin", "a long enough password\n")
    for experts, count in (("all", 1), ("simulated", 6), ("all,simulated", 7), ("李医生,模拟专家2,李医生", 2)):
        status, out, _ = command(f"{CREATE} --experts {experts} --name {experts}")
        assert (status, f"{5 * count} assignments to {count} experts" in out) == (0, True)


def test_a_database_of_a_newer_program_is_left_alone(command, tmp_path):
    command("db upgrade")
    with closing(Database()) as database, database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for line in ("db upgrade", "rank status"):
        status, _, err = command(line)
        assert (status, "9999" in err, "Traceback" in err) == (2, True, False)


def test_serve_says_that_its_port_is_taken(command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, _, err = command(f"serve --port {taken.getsockname()[1]}")
    assert (status, "in use" in err, "--port" in err, "serving" in err) == (2, True, True, False)


def test_serve_listens_here_alone_and_ends_at_ctrl_c(url):
    program = "import sys, zhongjing; sys.exit(zhongjing.main())"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--database", url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as server:
        assert server.stderr is not None
        address = re.search(r"http://127\.0\.0\.1:\d+", server.stderr.readline())
        assert address is not None
        wait_for(f"{address[0]}/login")
        server.send_signal(signal.SIGINT)
        rest = server.stderr.read()
    assert (server.returncode, rest) == (0, "stopped\n")


def wait_for(address):
    for _ in range(100):
        with suppress(OSError):
            urllib.request.urlopen(address, timeout=5).close()
            return
        time.sleep(0.1)
    raise AssertionError("the service does not answer")


def test_upgrade_says_where_it_is(command, tmp_path):
    status, out, _ = command(f"db upgrade --database sqlite:///{tmp_path}/x.db")
    assert status == 0
    assert newest_revision() in out
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


def test_rankings_of_another_tool_by_command(command, tmp_path, made):
    command("user add 李医生 --password-stdin", stdin="a long enough password\n")
    command(f"{CREATE} --experts 李医生 --repeats 0")
    answers = [{"value": f"o-p-00-{k}", "rank": rank} for k, rank in enumerate((3, 1, 1, 2))]
    rows = [
        {"id": prompt, "fields": {}, "responses": {"overall": [{"value": answers, "user_id": "9e2c"}]}}
        for prompt in ("p-00", "p-09")
    ]
    write_records(tmp_path / "argilla.jsonl", rows)
    status, out, error = command("rank import argilla.jsonl --as 9e2c=李医生 --rejects refused.jsonl")
    assert (status, out) == (1, "1 rankings imported, 0 were there already, 1 refused\n")
    assert error == "argilla.jsonl:2: no prompt of this campaign has this id or these words\n"
    (reject,) = read_records(tmp_path / "refused.jsonl", Reject)
    assert (reject.file, reject.line) == ("argilla.jsonl", 2)
    status, out, error = command("export --out release --test-share 0")
    assert status == 0
    assert "ranked by one expert alone" in error
    (row,) = read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt)
    assert row.judgements[0].tiers == [["o-p-00-1", "o-p-00-2"], ["o-p-00-3"], ["o-p-00-0"]]
    assert row.judgements[0].origin == "argilla argilla.jsonl:1"


def test_a_campaign_by_its_number_with_a_threshold_of_its_own(command, tmp_path):
    status, _, error = command(f"{CREATE} --experts simulated --adjudicate-below 1.1")
    assert (status, "--adjudicate-below" in error) == (2, True)
    assert command(f"{CREATE} --experts simulated --overlap 3 --adjudicate-below 0.25")[0] == 0
    assert command(f"{CREATE} --experts simulated --overlap 3 --name 1")[0] == 0
    assert command("rank simulate --campaign ranking --seed 1")[0] == 0
    assert command("rank status --campaign 2")[1].startswith("1: 5 prompts, 0 ranked")
    assert command("rank status --campaign 1")[1].startswith("1: 5 prompts, 0 ranked")
    assert command("rank close --campaign 2")[0] == 0
    status, _, error = command("export --campaign 99 --out release")
    assert (status, "there is no campaign 99" in error) == (2, True)
    for _ in range(2):
        assert command("export --campaign ranking --out release")[0] == 0
    assert "Kendall's W under 0.25" in (tmp_path / "release" / "README.md").read_text("utf-8")


def test_an_adaptive_campaign_consent_and_a_method_by_command(command, tmp_path):
    status, out, _ = command(f"{CREATE} --experts simulated --overlap 6 --adaptive --min-overlap 3 --repeats 0")
    assert (status, out) == (0, "campaign ranking: 5 tasks, 15 assignments to 6 experts\n")
    status, out, _ = command("rank simulate --truth truth.jsonl --seed 1")
    assert status == 0
    assert 15 < int(out.split()[0]) <= 30
    assert command("consent withdraw dialogue d-02 --note letter")[:2] == (0, "consent of dialogue d-02 is withdrawn\n")
    assert "withdrawn dialogue d-02  letter" in command("consent list")[1]
    status, _, error = command("consent withdraw dialogue d-99")
    assert (status, "no dialogue of this name" in error) == (2, True)
    status, _, error = command("export --out release --method plackett_luce")
    assert (status, "1 prompts are left out" in error) == (0, True)
    assert "p-02" not in {row.prompt_id for row in read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt)}
    status, _, error = command("export --out other --method schulze")
    assert (status, "ranked_pairs, borda, plackett_luce" in error) == (2, True)
    assert not (tmp_path / "other").exists()
