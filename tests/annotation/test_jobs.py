from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from annotation import worker
from annotation.base import now
from annotation.errors import NotFoundError
from annotation.jobs import MOST_ATTEMPTS, claim, finish, give_up, heartbeat, submit_build, submit_export
from annotation.models import Job
from annotation.recipes import recipe_names, recipe_path
from annotation.simulation import simulate
from foundation.jsonl import write_records
from foundation.manifest import read_manifest


def submitted(database, made, *, ranked=True):
    with database.write() as session:
        campaign = made.campaign(session, prompts=3)
        if ranked:
            simulate(session, campaign, seed=1)
        return submit_export(session, campaign=campaign.name, seed=1, by=None).id


def job_of(database, job_id):
    with database.read() as session:
        return session.get(Job, job_id)


def hurry(database):
    """Let every waiting time be over."""
    with database.write() as session:
        for job in session.scalars(select(Job)):
            job.run_after = now() - timedelta(seconds=1)
            if job.lease_until:
                job.lease_until = now() - timedelta(seconds=1)


def test_an_export_job_leaves_a_release(database, made, tmp_path):
    job_id = submitted(database, made)
    assert worker.work(database, data=tmp_path, once=True) == 1
    job = job_of(database, job_id)
    assert (job.state, job.attempts, job.lease_owner) == ("done", 1, None)
    assert read_manifest(tmp_path / job.result["folder"]).counts["prompts"] == 3
    assert worker.work(database, data=tmp_path, once=True) == 0


def test_a_build_job_freezes_a_version(database, made, tmp_path):
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    turns = [
        ("user", "医生您好，我咳嗽三天了，还有点发烧，需要做什么检查？"),
        ("assistant", "您好，建议做血常规和胸片检查，请问有没有胸痛？"),
    ]
    dialogue = {"messages": [{"role": role, "content": content} for role, content in turns]}
    write_records(recipes / "raw.jsonl", [dialogue])
    (recipes / "made.yaml").write_text("name: made\ninputs: [raw.jsonl]\nout: ../built\n")
    with database.write() as session:
        job_id = submit_build(session, data=tmp_path, recipe="made.yaml", by=None).id
    worker.work(database, data=tmp_path, once=True)
    job = job_of(database, job_id)
    assert (job.state, job.error) == ("done", None)
    assert job.result["stages"][-1] == {"stage": "freeze", "read": 1, "kept": 1}
    assert (tmp_path / "built" / "versions" / "made-v1" / "dialogues.parquet").is_file()


def test_what_a_person_must_mend_fails_at_once_and_says_why(database, made, tmp_path):
    job_id = submitted(database, made, ranked=False)
    worker.work(database, data=tmp_path, once=True)
    job = job_of(database, job_id)
    assert job.state == "failed"
    assert "nobody has ranked" in job.error


def test_a_crash_is_tried_again_later_and_then_given_up(database, made, tmp_path, monkeypatch):
    job_id = submitted(database, made)

    def crash(*_):
        raise RuntimeError("with a patient's words in it")

    monkeypatch.setitem(worker.HANDLERS, "export", crash)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert worker.work(database, data=tmp_path, once=True) == 1
        job = job_of(database, job_id)
        assert job.attempts == attempt
        assert job.error == "RuntimeError"
        assert worker.work(database, data=tmp_path, once=True) == 0
        hurry(database)
    assert job_of(database, job_id).state == "failed"


def test_a_lost_lease_finishes_nothing(database, made):
    job_id = submitted(database, made)
    with database.write() as session:
        first = claim(session, "one")
    with database.write() as session:
        assert claim(session, "two") is None
    hurry(database)
    with database.write() as session:
        second = claim(session, "two")
    assert second.fence > first.fence
    with database.write() as session:
        assert not finish(session, first, {"from": "one"})
        assert not heartbeat(session, first)
        assert not give_up(session, first, "x", for_good=True)
    with database.write() as session:
        assert heartbeat(session, second)
        assert finish(session, second, {"from": "two"})
    assert job_of(database, job_id).result == {"from": "two"}


def test_a_job_that_kills_its_workers_is_buried(database, made):
    job_id = submitted(database, made)
    for _ in range(MOST_ATTEMPTS):
        with database.write() as session:
            assert claim(session, "doomed") is not None
        hurry(database)
    with database.write() as session:
        assert claim(session, "next") is None
    assert job_of(database, job_id).error == "the worker died"


def test_many_workers_share_without_doubling(database, made):
    submitted(database, made)
    with database.write() as session:
        for seed in range(19):
            submit_export(session, campaign="试验", seed=seed, by=None)
    claimed: list[int] = []

    def run(name):
        while True:
            with database.write() as session:
                lease = claim(session, name)
            if lease is None:
                return
            claimed.append(lease.job_id)

    threads = [threading.Thread(target=run, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 20


def test_recipes_are_named_files_of_one_folder(database, tmp_path):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "a.yaml").write_text("name: x\n")
    (tmp_path / "secret.yaml").write_text("name: x\n")
    assert recipe_names(tmp_path) == ["a.yaml"]
    assert recipe_names(tmp_path / "none") == []
    for name in ("../secret.yaml", "/etc/passwd", "", "b.yaml", "a.yaml\x00"):
        with pytest.raises(NotFoundError):
            recipe_path(tmp_path, name)
    with database.write() as session:
        assert submit_build(session, data=tmp_path, recipe="a.yaml", by=None).payload == {"recipe": "a.yaml"}
