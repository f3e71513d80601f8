"""Every curl line of docs/service.md, run as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import select

from annotation.identity.keys import make_key
from annotation.jobs import worker
from annotation.simulation.experts import simulate
from annotation.tables.models import Campaign
from annotation.web.access import SCOPES
from annotation.web.app import Settings, create_app
from foundation.jsonl import write_records

DOCS = Path(__file__).parents[2] / "docs" / "service.md"
BLOCKS = [block for block in re.findall(r"```sh\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S) if "curl" in block]


@pytest.fixture
def service(url, made, serve, tmp_path):
    """A running service with a data folder, and an administrator's key to all of it."""
    data = tmp_path / "data"
    (data / "raw").mkdir(parents=True)
    prompts = made.prompts(3)
    write_records(data / "prompts.jsonl", prompts)
    write_records(data / "outputs.jsonl", made.outputs(prompts))
    turns = [{"role": "user", "content": "咳嗽三天，要查什么？"}, {"role": "assistant", "content": "建议查血常规。"}]
    write_records(data / "raw" / "dialogues.jsonl", [{"messages": turns}] * 2)
    app = create_app(Settings(database_url=url, data=data))
    with app.state.database.write() as session:
        admin = made.person(session, "管理员", "admin").id
        _, key = make_key(session, admin, name="docs", scopes=SCOPES, known=SCOPES)
    with serve(app) as address:
        yield app.state.database, data, {"ZHONGJING": address, "KEY": key}
    app.state.database.close()


def test_every_line_of_the_documentation_works(service, tmp_path):
    database, data, settings = service
    assert shutil.which("curl"), "curl is missing: make test installs it"
    assert len(BLOCKS) > 5
    answers = []
    for block in BLOCKS:
        for line in block.strip().splitlines():
            done = subprocess.run(
                ["bash", "-c", line], env={**os.environ, **settings}, cwd=tmp_path, capture_output=True, text=True
            )
            assert done.returncode == 0, (line, done.stdout, done.stderr)
            answers.append((line, done.stdout))
            if "/api/jobs/import" in line or "jobs/export" in line:
                rank_what_waits(database)
                worker.work(database, data=data, once=True)
    told = {line.rsplit("/api/", 1)[1].rstrip('"'): answer for line, answer in answers}
    assert json.loads(told["jobs/1"])["state"] == "done"
    assert json.loads(told["jobs/1"])["stages"][0]["kept"] >= 1
    assert json.loads(told["jobs/2/cancel"])["state"] == "cancelled"
    assert json.loads(told["jobs/2/retry"])["state"] == "queued"
    assert json.loads(told["exports"])[0]["job"] == 3
    assert "chosen" in json.loads((tmp_path / "preferences.jsonl").read_text().splitlines()[0])


def rank_what_waits(database):
    with database.write() as session:
        for campaign in session.scalars(select(Campaign)):
            simulate(session, campaign, seed=1)
