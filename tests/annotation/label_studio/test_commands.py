"""The commands as a person types them, a server that stops and starts, and one that is careless."""

from __future__ import annotations

import re
import stat
from contextlib import closing

import pytest
from fastapi.testclient import TestClient

import foundation.cli
import zhongjing
from annotation.database import Database
from annotation.identity.auth import log_in
from annotation.label_studio import local
from annotation.label_studio.client import Client
from annotation.label_studio.credentials import load
from annotation.label_studio.local import LocalServer
from annotation.web.app import Settings, create_app
from foundation.jsonl import write_records

CARELESS = dict.fromkeys(("LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK", "COLLECT_ANALYTICS"), "")


@pytest.fixture
def run(sqlite_url, tmp_path, monkeypatch, capsys):
    """A command in a folder of its own; its status and what it printed on both streams."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZHONGJING_DATABASE_URL", sqlite_url)

    def command(*words):
        status = foundation.cli.run(zhongjing.app, [str(word) for word in words])
        told = capsys.readouterr()
        return status, told.out + told.err

    yield command
    LocalServer(tmp_path / "zhongjing-data").down()


def test_from_up_to_pull_with_a_restart_and_a_careless_server(
    run, sqlite_url, made, made_board, tmp_path, monkeypatch, studio
):
    status, told = run("label-studio", "up", "--port", "0")
    assert status == 0, told
    url = re.search(r"http://127\.0\.0\.1:\d+", told)[0]
    assert run("label-studio", "up")[0] == 0, "it runs already"
    kept = tmp_path / "zhongjing-data" / "label-studio"
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.glob("*.json")} == {0o600}
    token = load(tmp_path / "zhongjing-data", url).token
    assert token.split(".")[2], "a whole personal token"
    assert token not in (tmp_path / "test.db").read_bytes().decode("latin-1")
    assert token not in (kept / "server.log").read_text()

    prompts = made.prompts(2)
    write_records(tmp_path / "prompts.jsonl", prompts)
    write_records(tmp_path / "outputs.jsonl", made.outputs(prompts))
    with Database(sqlite_url).write() as session:
        made.person(session)
    assert run("rank", "create", "--prompts", "prompts.jsonl", "--outputs", "outputs.jsonl", "--repeats", 0)[0] == 0
    status, told = run("label-studio", "push")
    assert (status, "label-studio invite 李医生" in told) == (2, True)
    status, told = run("label-studio", "invite", "李医生", "--email", "li@example.org")
    assert (status, f"{url}/user/signup/?token=" in told) == (0, True)
    status, told = run("label-studio", "push", "--campaign", "ranking")
    assert (status, "李医生 has not signed up there yet" in told, "2 tasks sent" in told) == (0, True, True)

    status, told = run("label-studio", "doctor")
    assert status == 1
    assert [line for line in told.splitlines() if line.startswith("WRONG")] == ["WRONG not signed up yet: 李医生"]

    link = run("label-studio", "invite", "李医生", "--email", "li@example.org")[1].strip()
    with closing(studio.sign_up(link, "li@example.org")) as browser, Client(url, token) as client:
        ((task, _),) = (page for page, _ in client.tasks(next(client.projects())["id"]))
        path = f"{url}/api/tasks/{task['id']}/annotations?project={task['project']}"
        assert browser.post(path, json={"result": made_board(task, [[1, 2], [3], [4]]), "lead_time": 4}).is_success

    assert run("label-studio", "down") == (0, "stopped\n")
    status, told = run("label-studio", "pull")
    assert (status, "does not answer" in told, "Traceback" in told) == (2, True, False)
    with monkeypatch.context() as careless:
        careless.setattr(local, "SETTINGS", {"SENTRY_DSN": "", "LATEST_VERSION_CHECK": "false"})
        assert run("label-studio", "up")[0] == 0
    status, told = run("label-studio", "doctor")
    wrong = [line for line in told.splitlines() if line.startswith("WRONG")]
    assert (status, len(wrong)) == (1, 3), told
    assert re.search("webhooks to .* are refused.*anyone who reaches it can sign up.*analytics are on", told, re.S)
    assert "SSRF_PROTECTION_ENABLED=false" in told
    status, told = run("label-studio", "push")
    assert (status, "nothing to do" in told or "no webhook" in told) == (0, True), told
    assert "1 used, 0 quarantined" in run("label-studio", "pull")[1]
    assert "0 used, 0 quarantined" in run("label-studio", "pull")[1]


def test_connecting_says_what_is_wrong(run, studio):
    status, told = run("label-studio", "connect", "--url", studio.url, "--token", "nonsense")
    assert (status, "opens nothing" in told) == (2, True)
    status, told = run("label-studio", "connect", "--url", "http://127.0.0.1:9", "--token", "nonsense")
    assert (status, "does not answer" in told) == (2, True)
    status, told = run("label-studio", "connect", "--url", "ftp://x", "--token", "nonsense")
    assert (status, "no address of a Label Studio" in told) == (2, True)
    status, told = run("label-studio", "pull")
    assert (status, "no Label Studio is connected" in told) == (2, True)
    status, told = run("label-studio", "connect", "--url", studio.url, "--token", studio.token)
    assert (status, "with a personal token" in told, studio.token in told) == (0, True, False)


def test_the_lead_sees_the_quarantine_and_may_take_from_it(house, made, run, sqlite_url):
    there = house(experts=2, prompts=2)
    first, second = there.tasks(0)
    there.annotate(first, [[2], [1], [3, 4]], by=1)
    there.annotate(second, [[1], [2]], left=[3, 4])
    assert there.pull().quarantined == {"leftovers": 1, "wrong_person": 1}
    app = create_app(Settings(database_url=sqlite_url))
    with there.database.write() as session:
        token = log_in(session, made.person(session, "赵", "curator").id)
    page = TestClient(app, cookies={"zhongjing_login": token}).get("/label-studio").text
    assert all(words in page for words in ("试验 · 专家0", "不是该项目的专家所做", "有回答没有排入", there.studio.url))
    app.state.database.close()
    status, told = run("label-studio", "quarantine")
    assert (status, "not by the expert whose project it is" in told, "left unsorted" in told) == (0, True, True)
    numbers = {line.split(":")[-1].strip(): line.split()[0] for line in told.splitlines()}
    status, told = run("label-studio", "accept", numbers["some answers were left unsorted"], "--reason", "x")
    assert (status, "left unsorted" in told) == (2, True)
    taken = numbers["not by the expert whose project it is"]
    assert run("label-studio", "accept", taken, "--reason", "她用了同事的账号，已电话确认")[0] == 0
    assert there.stored(0, 0) == [[[2], [1], [3, 4]]]
    assert there.sightings()[-1] == ("accepted", "used", None)
    assert run("label-studio", "accept", taken, "--reason", "again")[0] == 2
    assert "not by the expert" not in run("label-studio", "quarantine")[1]
    assert there.pull().used == 0
