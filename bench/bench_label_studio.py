"""The same rankings by six people at once, here and in Label Studio: SQLite both, same answers, same machine.

Label Studio lives in an environment of its own, built once (about 1 GB) in $XDG_CACHE_HOME/zhongjing.

python bench/bench_label_studio.py [--rankings N]
"""

import argparse
import http.client
import http.cookies
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench_ranking import ANSWER, EXPERTS, free_port, submissions, wait_for

from annotation.database import upgrade
from annotation.label_studio.environment import DATABASE, SETTINGS, VERSION, environment

CONFIG = (
    '<View><Text name="question" value="$question"/><List name="answers" value="$answers"/>'
    '<Ranker name="rank" toName="answers"/></View>'
)
PASSWORD = "a long enough password"


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rankings", type=int, default=30, help="by each of six people")
    rankings = options.parse_args().rankings
    print(f"{'':>22} {'rankings':>9} {'per s':>7} {'p50 ms':>8} {'p99 ms':>8} {'next p50':>9}")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/ours.db"
        upgrade(url)
        seconds, sent, opened, _ = submissions(url, rankings)
        show("Zhongjing Studio", seconds, sent, opened)
        with label_studio(Path(folder) / "label-studio") as port:
            show(f"Label Studio {VERSION}", *label_studio_submissions(port, rankings))


def show(name: str, seconds: float, sent: list[float], opened: list[float]) -> None:
    p99 = sorted(sent)[int(0.99 * len(sent))]
    rate = len(sent) / seconds
    print(
        f"{name:>22} {len(sent):>9,} {rate:>7.1f} {median(sent):>8.1f} {p99:>8.1f} {median(opened):>9.1f}", flush=True
    )


def label_studio_submissions(port: int, rankings: int) -> tuple[float, list[float], list[float]]:
    people = [Annotator(port, f"expert{number}@example.org") for number in range(EXPERTS)]
    project = people[0].call("POST", "/api/projects/", {"title": "bench", "label_config": CONFIG})["id"]
    tasks = [{"question": f"咳嗽{number}天，需要拍片吗？", "answers": answers(number)} for number in range(rankings)]
    people[0].call("POST", f"/api/projects/{project}/import", tasks)
    ids = [row["id"] for row in people[0].call("GET", f"/api/tasks?project={project}&page_size={rankings}")["tasks"]]
    start = time.perf_counter()
    threads = [threading.Thread(target=person.rank_all, args=(project, ids)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    done = people[0].call("GET", f"/api/projects/{project}/")["total_annotations_number"]
    if done != EXPERTS * rankings:
        raise SystemExit(f"Label Studio holds {done} of {EXPERTS * rankings} rankings")
    return seconds, [t for person in people for t in person.sent], [t for person in people for t in person.opened]


def answers(number: int) -> list[dict[str, str]]:
    return [{"id": f"{number}-{k}", "title": f"回答 {k}", "body": f"{ANSWER}{k}"} for k in range(4)]


class Annotator:
    """A person signed up and logged in to Label Studio, as its own page is."""

    def __init__(self, port: int, email: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.cookies: dict[str, str] = {}
        self.sent: list[float] = []
        self.opened: list[float] = []
        self._send("GET", "/user/signup/", None, "text/html")
        form = {"email": email, "password": PASSWORD, "csrfmiddlewaretoken": self.cookies["csrftoken"]}
        kind = "application/x-www-form-urlencoded"
        status, _ = self._send("POST", "/user/signup/", urllib.parse.urlencode(form), kind)
        if status != http.client.FOUND:
            raise SystemExit(f"Label Studio did not sign {email} up: {status}")

    def rank_all(self, project: int, ids: list[int]) -> None:
        for number, task in enumerate(ids):
            order = [f"{number}-{k}" for k in range(4)]
            value = {"ranker": {"rank": order}}
            result = {"from_name": "rank", "to_name": "answers", "type": "ranker", "value": value}
            start = time.perf_counter()
            self.call(
                "POST", f"/api/tasks/{task}/annotations/?project={project}", {"result": [result], "lead_time": 1.5}
            )
            self.sent.append(1000 * (time.perf_counter() - start))
            start = time.perf_counter()
            self._send("GET", f"/api/projects/{project}/next", None, "application/json")
            self.opened.append(1000 * (time.perf_counter() - start))

    def call(self, method: str, path: str, body: object = None) -> dict:
        status, text = self._send(method, path, None if body is None else json.dumps(body), "application/json")
        if status >= 300:
            raise SystemExit(f"Label Studio: {method} {path}: {status} {text[:200]!r}")
        return json.loads(text)

    def _send(self, method: str, path: str, body: str | None, kind: str) -> tuple[int, bytes]:
        headers = {
            "Content-Type": kind,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "X-CSRFToken": self.cookies.get("csrftoken", ""),
        }
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        for line in response.headers.get_all("Set-Cookie") or []:
            self.cookies |= {name: cookie.value for name, cookie in http.cookies.SimpleCookie(line).items()}
        return response.status, response.read()


@contextmanager
def label_studio(data: Path) -> Iterator[int]:
    """A running Label Studio with an empty database in `data`, where anyone may sign up."""
    made, port = environment(), free_port()
    data.mkdir(parents=True)
    shutil.copyfile(made.database, data / DATABASE)
    settings = {**SETTINGS, "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "false"}
    command = [str(made.program), "start", "--no-browser", "--data-dir", str(data)]
    command += ["--internal-host", "127.0.0.1", "--port", str(port)]
    with (data / "log").open("wb") as log:
        server = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
    try:
        wait_for(port, seconds=300)
        yield port
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
