"""Workers as processes of their own, killed for real."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from annotation.jobs.data_folder import DataFolder
from annotation.jobs.leases import cancel, find_job, lines_of, retry, submit
from annotation.jobs.orders import Import
from annotation.tables.models import Job, JobLine
from foundation.jsonl import write_records
from foundation.manifest import read_manifest

ROOT = Path(__file__).parents[2]
JOBS, KILLS = 3, 5
PROGRAM = "import sys, zhongjing; sys.exit(zhongjing.main())"


def worker_process(url, data, *options):
    command = [sys.executable, "-c", PROGRAM, "worker", "--data", str(data.root), "--database", url, *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)


@pytest.fixture
def data(tmp_path):
    return DataFolder(tmp_path / "data")


def write_raw(data, name, count, seed=0):
    rows = (
        {"messages": [{"role": "user", "content": f"第{seed}-{n}次咳嗽"}, {"role": "assistant", "content": "查血常规"}]}
        for n in range(count)
    )
    write_records(data.root / name, rows)


def state_of(database, job_id):
    with database.read() as session:
        return find_job(session, job_id).state


def wait_until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)


def children_of(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def is_alive(pid):
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def left_over(data):
    return [path.name for path in data.root.rglob("*.tmp")]


def test_a_cancelled_job_really_stops(url, database, data):
    write_raw(data, "raw.jsonl", 40_000)
    with database.write() as session:
        job_id = submit(session, Import(files=["raw.jsonl"], out="set"), data, by=None).id
    with worker_process(url, data, "--once") as process:
        wait_until(lambda: state_of(database, job_id) == "running" and left_over(data))
        (labourer,) = children_of(process.pid)
        with database.write() as session:
            assert cancel(session, job_id, owner=None, by=None).cancel
        wait_until(lambda: state_of(database, job_id) == "cancelled", 15)
        assert process.wait(15) == 0
    assert not is_alive(labourer)
    assert not (data.root / "set").exists()
    assert left_over(data) == []
    with database.read() as session:
        assert [line.text for line in lines_of(session, job_id)][-1] == "cancelled"


def test_the_work_ends_with_its_worker(url, database, data):
    write_raw(data, "raw.jsonl", 40_000)
    with database.write() as session:
        job_id = submit(session, Import(files=["raw.jsonl"], out="set"), data, by=None).id
    with worker_process(url, data) as process:
        wait_until(lambda: left_over(data))
        (labourer,) = children_of(process.pid)
        process.kill()
    wait_until(lambda: not is_alive(labourer), 10)
    assert state_of(database, job_id) == "running"


def test_a_worker_that_is_told_to_end_puts_its_job_back(url, database, data):
    write_raw(data, "raw.jsonl", 40_000)
    with database.write() as session:
        job_id = submit(session, Import(files=["raw.jsonl"], out="set"), data, by=None).id
    with worker_process(url, data) as process:
        wait_until(lambda: left_over(data))
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 130
    with database.read() as session:
        job = find_job(session, job_id)
        assert (job.state, job.attempts, job.lease_owner) == ("queued", 0, None)


def test_killed_again_and_again_jobs_are_done_once_and_whole(url, database, data):
    """Two workers, one of which is killed every moment; what comes out is what an undisturbed run makes."""
    rng = random.Random(5)
    jobs = []
    with database.write() as session:
        for number in range(JOBS):
            write_raw(data, f"raw{number}.jsonl", 3_000, seed=number)
            jobs.append(submit(session, Import(files=[f"raw{number}.jsonl"], out=f"set{number}"), data, by=None).id)
    workers = [worker_process(url, data, "--lease", "1") for _ in range(2)]
    try:
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.5, 1.5))
            place = rng.randrange(2)
            os.kill(workers[place].pid, signal.SIGKILL)
            workers[place].wait()
            workers[place] = worker_process(url, data, "--lease", "1")
        wait_until(lambda: all_over(database, jobs), 120)
    finally:
        for process in workers:
            process.kill()
            process.wait()
    with database.read() as session:
        assert set(session.scalars(select(Job.state))) == {"done"}
        ended = session.execute(
            select(JobLine.job_id, func.count()).where(JobLine.text == "done").group_by(JobLine.job_id)
        )
        assert dict(ended.all()) == dict.fromkeys(jobs, 1)
    for number in range(JOBS):
        Import(files=[f"raw{number}.jsonl"], out=f"again{number}").run(database, data, 0, lambda _: None)
        made, again = (read_manifest(data.root / f"{name}{number}") for name in ("set", "again"))
        assert made.sha256 == again.sha256
        assert made.counts["dialogues"] == 3_000


def all_over(database, jobs):
    """Whether all are done; one that has used up its attempts is tried again, as a person would."""
    with database.write() as session:
        states = {job_id: find_job(session, job_id).state for job_id in jobs}
        for job_id, state in states.items():
            if state == "dead":
                retry(session, job_id, owner=None, by=None)
    return set(states.values()) == {"done"}


def test_work_that_is_killed_is_tried_again(url, database, data):
    write_raw(data, "raw.jsonl", 40_000)
    with database.write() as session:
        job_id = submit(session, Import(files=["raw.jsonl"], out="set"), data, by=None).id
    with worker_process(url, data, "--once") as process:
        wait_until(lambda: left_over(data))
        os.kill(children_of(process.pid)[0], signal.SIGKILL)
        assert process.wait(30) == 0
    with database.read() as session:
        job = find_job(session, job_id)
        assert (job.state, job.attempts, job.error) == ("queued", 1, "the work ended with status -9")
        assert job.run_after > job.created_at
