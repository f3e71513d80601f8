from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from annotation.errors import ConflictError, InvalidError, NotFoundError
from annotation.jobs import worker
from annotation.jobs.data_folder import DataFolder
from annotation.jobs.leases import (
    MOST_ATTEMPTS,
    cancel,
    claim,
    find_job,
    finish,
    give_up,
    hold,
    is_to_stop,
    lines_of,
    put_back,
    retry,
    stop,
    submit,
)
from annotation.jobs.orders import RELEASED, Build, Deduplicate, Export, Import, Match
from annotation.releases.exports import export
from annotation.simulation.experts import simulate
from annotation.tables.base import now
from annotation.tables.models import AuditEntry, Job
from foundation.jsonl import write_records
from foundation.manifest import read_manifest
from kg.building.build import build_graph

TURNS = [
    ("user", "医生您好，我咳嗽三天了，还有点发烧，需要做什么检查？"),
    ("assistant", "您好，肺炎建议做血常规和胸片检查，请问有没有胸痛？"),
]


@pytest.fixture
def data(tmp_path):
    """A data folder with raw consultations, one twice, a graph and a recipe."""
    dialogue = {"messages": [{"role": role, "content": content} for role, content in TURNS]}
    root = tmp_path / "data"
    for name in ("raw", "recipes"):
        (root / name).mkdir(parents=True)
    write_records(root / "raw" / "a.jsonl", [dialogue, dialogue])
    (root / "raw" / "graph.csv").write_text("肺炎,检查,胸片\n肺炎,临床表现,咳嗽\n")
    build_graph([root / "raw" / "graph.csv"], root / "kg")
    (root / "recipes" / "made.yaml").write_text("name: made\ninputs: [../raw/a.jsonl]\nout: ../built\n")
    return DataFolder(root)


def queued(database, data, order, by=None):
    with database.write() as session:
        return submit(session, order, data, by=by).id


def exported(database, data, made, *, ranked=True):
    with database.write() as session:
        campaign = made.campaign(session, prompts=3)
        if ranked:
            simulate(session, campaign, seed=1)
    return queued(database, data, Export(campaign=campaign.name, seed=1))


def job_of(database, job_id):
    with database.read() as session:
        return find_job(session, job_id)


def log_of(database, job_id):
    with database.read() as session:
        return [line.text for line in lines_of(session, job_id)]


def hurry(database):
    """Let every waiting time be over."""
    with database.write() as session:
        for job in session.scalars(select(Job)):
            job.run_after = now() - timedelta(seconds=1)
            if job.lease_until:
                job.lease_until = now() - timedelta(seconds=1)


def test_jobs_take_raw_files_to_a_checked_set(database, data):
    steps = [
        Import(files=["raw/a.jsonl"], out="work/import"),
        Deduplicate(source="work/import", out="work/dedup"),
        Match(source="work/dedup", graph="kg", out="work/match"),
    ]
    with pytest.raises(NotFoundError):
        queued(database, data, steps[1])
    for step in steps:
        job_id = queued(database, data, step)
        assert worker.work(database, data=data.root, once=True) == 1
    job = job_of(database, job_id)
    assert (job.state, job.error, job.attempts, job.lease_owner) == ("done", None, 1, None)
    (stage,) = job.result["stages"]
    assert (job.result["folder"], stage["stage"], stage["read"], stage["kept"]) == ("work/match", "match", 1, 1)
    lines = log_of(database, job_id)
    assert lines[0].startswith("match: 1 in, 1 out")
    assert lines[-1] == "done"
    assert data.folders("dialogue-set") == ["work/dedup", "work/import", "work/match"]
    assert data.folders("knowledge-graph") == ["kg"]
    assert data.files() == ["raw/a.jsonl", "raw/graph.csv"]


def test_a_build_job_freezes_a_version(database, data):
    job_id = queued(database, data, Build(recipe="made.yaml"))
    worker.work(database, data=data.root, once=True)
    job = job_of(database, job_id)
    assert (job.state, job.error, job.result["folder"]) == ("done", None, "built")
    assert [stage["stage"] for stage in job.result["stages"]] == [stage["stage"] for stage in job.cursor["stages"]]
    assert job.result["stages"][-1]["stage"] == "freeze"
    assert (data.root / "built" / "versions" / "made-v1" / "dialogues.parquet").is_file()


def test_an_export_job_leaves_a_release(database, data, made):
    job_id = exported(database, data, made)
    assert worker.work(database, data=data.root, once=True) == 1
    job = job_of(database, job_id)
    assert (job.state, job.result["folder"]) == ("done", f"releases/{job_id}")
    assert read_manifest(data.root / job.result["folder"]).counts["prompts"] == 3
    assert worker.work(database, data=data.root, once=True) == 0


def test_an_export_job_writes_what_the_command_writes(database, data, made, tmp_path):
    with database.write() as session:
        campaign = made.campaign(session, prompts=3)
        simulate(session, campaign, seed=1)
        export(session, campaign, tmp_path / "release", seed=1, method="borda")
    job_id = queued(database, data, Export(campaign=campaign.name, seed=1, method="borda", guideline_version=""))
    worker.work(database, data=data.root, once=True)
    names = sorted(path.name for path in (tmp_path / "release").iterdir())
    assert names == sorted(RELEASED)
    folder = data.root / "releases" / str(job_id)
    assert [(folder / name).read_bytes() for name in names] == [
        (tmp_path / "release" / name).read_bytes() for name in names
    ]


def test_what_a_person_must_mend_fails_at_once_and_says_why(database, data, made):
    job_id = exported(database, data, made, ranked=False)
    worker.work(database, data=data.root, once=True)
    job = job_of(database, job_id)
    assert job.state == "failed"
    assert "nobody has ranked" in job.error


def test_a_crash_is_tried_again_later_and_then_dead(database, data, made):
    job_id = exported(database, data, made)
    with database.write() as session:
        session.get(Job, job_id).payload = {"campaign": 1}
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert worker.work(database, data=data.root, once=True) == 1
        job = job_of(database, job_id)
        assert (job.attempts, job.error) == (attempt, "ValidationError")
        assert worker.work(database, data=data.root, once=True) == 0
        hurry(database)
    assert job_of(database, job_id).state == "dead"
    assert any("orders.py" in line or "labour.py" in line for line in log_of(database, job_id))


def test_a_lost_lease_finishes_nothing(database, data, made):
    job_id = exported(database, data, made)
    with database.write() as session:
        first = claim(session, "one")
    with database.write() as session:
        assert claim(session, "two") is None
    hurry(database)
    with database.write() as session:
        second = claim(session, "two")
    assert second.fence > first.fence
    with database.write() as session:
        assert is_to_stop(session, first)
        assert not finish(session, first, {"from": "one"})
        assert not hold(session, first, lines=["from one"], cursor={"from": "one"})
        assert not give_up(session, first, "x", for_good=True)
        assert not stop(session, first)
        assert not put_back(session, first)
    with database.write() as session:
        assert not is_to_stop(session, second)
        assert hold(session, second, lines=["from two"], cursor={"from": "two"})
        assert finish(session, second, {"from": "two"})
    job = job_of(database, job_id)
    assert (job.result, job.cursor) == ({"from": "two"}, {"from": "two"})
    assert log_of(database, job_id) == ["the worker died; its job begins again", "from two", "done"]


def test_a_job_that_kills_its_workers_is_dead_and_can_be_tried_again(database, data, made):
    job_id = exported(database, data, made)
    for _ in range(MOST_ATTEMPTS):
        with database.write() as session:
            assert claim(session, "doomed") is not None
        hurry(database)
    with database.write() as session:
        assert claim(session, "next") is None
    job = job_of(database, job_id)
    assert (job.state, job.error) == ("dead", "the worker died")
    with database.write() as session:
        retry(session, job_id, owner=None, by=None)
    with database.write() as session:
        assert claim(session, "next").attempt == 1


def test_a_waiting_job_is_cancelled_at_once_and_tried_again(database, data, made):
    job_id = exported(database, data, made)
    with database.write() as session:
        assert cancel(session, job_id, owner=None, by=None).state == "cancelled"
    with database.write() as session, pytest.raises(ConflictError):
        cancel(session, job_id, owner=None, by=None)
    assert worker.work(database, data=data.root, once=True) == 0
    with database.write() as session:
        assert retry(session, job_id, owner=None, by=None).state == "queued"
    assert worker.work(database, data=data.root, once=True) == 1
    with database.write() as session, pytest.raises(ConflictError):
        retry(session, job_id, owner=None, by=None)
    with database.read() as session:
        actions = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
    assert actions[-3:] == ["job_export", "job_cancelled", "job_retried"]


def test_a_cancelled_job_whose_worker_died_is_not_begun_again(database, data, made):
    job_id = exported(database, data, made)
    with database.write() as session:
        claim(session, "one")
        cancel(session, job_id, owner=None, by=None)
    hurry(database)
    with database.write() as session:
        assert claim(session, "two") is None
    assert job_of(database, job_id).state == "cancelled"


def test_an_interrupted_worker_puts_its_job_back(database, data, made):
    job_id = exported(database, data, made)
    with database.write() as session:
        assert put_back(session, claim(session, "one"))
    job = job_of(database, job_id)
    assert (job.state, job.attempts, job.lease_owner) == ("queued", 0, None)


def test_two_jobs_never_write_to_one_place(database, data):
    order = Import(files=["raw/a.jsonl"], out="work/import")
    first = queued(database, data, order)
    with pytest.raises(ConflictError):
        queued(database, data, order)
    with database.write() as session:
        cancel(session, first, owner=None, by=None)
    queued(database, data, order)
    with database.write() as session, pytest.raises(ConflictError):
        retry(session, first, owner=None, by=None)


def test_many_workers_share_without_doubling(database, data, made):
    exported(database, data, made)
    for seed in range(19):
        queued(database, data, Export(campaign="试验", seed=seed))
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


OUTSIDE = ["../secret.jsonl", "/etc/passwd", "raw/../../secret.jsonl", "link/secret.jsonl", "secret", "a\x00b", ""]


@pytest.fixture
def secret(data):
    """Something beside the data folder, and links to it from within."""
    beside = data.root.parent / f"{data.root.name}-beside"
    beside.mkdir()
    (beside / "secret.jsonl").write_text("{}\n")
    (data.root / "link").symlink_to(beside)
    (data.root / "secret").symlink_to(beside / "secret.jsonl")
    return beside / "secret.jsonl"


@pytest.mark.parametrize("name", OUTSIDE)
def test_jobs_read_and_write_in_the_data_folder_alone(database, data, secret, name):
    makers = [
        lambda: Import(files=[name], out="x"),
        lambda: Import(files=["raw/a.jsonl"], out=name),
        lambda: Deduplicate(source=name, out="x"),
        lambda: Match(source="raw", graph=name, out="x"),
        lambda: Build(recipe=name),
    ]
    for make in makers:
        with pytest.raises((InvalidError, NotFoundError, ValidationError)):
            queued(database, data, make())
    assert secret.read_text() == "{}\n"


@pytest.mark.parametrize("name", [".hidden/x", ".", "work/.x"])
def test_nothing_is_written_over_the_folder_or_under_hidden_names(data, name):
    with pytest.raises(InvalidError):
        data.target(name)


@pytest.mark.parametrize(
    "recipe",
    [
        "name: x\ninputs: [/etc/passwd]\nout: ../x\n",
        "name: x\ninputs: [../../secret.jsonl]\nout: ../x\n",
        "name: x\ninputs: [../link/secret.jsonl]\nout: ../x\n",
        'name: x\ninputs: ["../lin?/*.jsonl"]\nout: ../x\n',
        "name: x\ninputs: [../raw/a.jsonl]\nout: ../../x\n",
        "name: x\ninputs: [../raw/a.jsonl]\nout: ../x\ngraph: [../link/g.csv]\n",
        "name: x\ninputs: [../raw/a.jsonl]\nout: ../x\ngraph: [../raw/graph.csv]\naliases: /etc/passwd\n",
    ],
)
def test_a_recipe_does_not_lead_out_either(database, data, secret, recipe):
    (data.root / "recipes" / "bad.yaml").write_text(recipe)
    with pytest.raises(InvalidError):
        queued(database, data, Build(recipe="bad.yaml"))


def test_paths_are_checked_again_when_the_job_is_done(database, data, secret):
    job_id = queued(database, data, Build(recipe="made.yaml"))
    (data.root / "recipes" / "made.yaml").write_text(f"name: x\ninputs: [{secret}]\nout: ../x\n")
    worker.work(database, data=data.root, once=True)
    job = job_of(database, job_id)
    assert job.state == "failed"
    assert "out of the data folder" in job.error
