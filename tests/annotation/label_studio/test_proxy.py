"""The proxy rules of deploy/label-studio.conf, in a real nginx before a real Label Studio."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

RULES = Path(__file__).parents[3] / "deploy" / "label-studio.conf"


@pytest.fixture
def proxy(studio, tmp_path):
    """The address of nginx with these very rules; only where it listens and what is behind it are other."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
    assert program, "nginx is missing: make browser"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    rules = RULES.read_text(encoding="utf-8")
    rules = rules.replace("listen 8080", f"listen 127.0.0.1:{port}")
    rules = rules.replace("http://label-studio:8080", studio.url)
    temporary = "\n".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        f"pid {tmp_path}/pid; daemon off; error_log {tmp_path}/error.log; events {{}}\n"
        f"http {{ access_log off; {temporary}\n{rules} }}\n",
        encoding="utf-8",
    )
    server = subprocess.Popen([program, "-c", str(conf), "-e", str(tmp_path / "error.log")], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health")
            break
        except httpx.HTTPError:
            assert server.poll() is None, server.stderr.read()
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait()


CLOSED = """
GET /api/annotations/{annotation}/
PATCH /api/annotations/{annotation}/
PUT /api/annotations/{annotation}/
DELETE /api/annotations/{annotation}/
GET /api/tasks/{task}/annotations/
PATCH /api/tasks/{task}/
DELETE /api/tasks/{task}/
POST /api/tasks/
POST /api/projects/
PATCH /api/projects/{project}/
DELETE /api/projects/{project}/
POST /api/projects/{project}/import
GET /api/projects/{project}/export
GET /api/projects/{project}/exports/
POST /api/dm/actions?id=delete_tasks&project={project}
POST /api/dm/actions?id=delete_tasks_annotations&project={project}
GET /api/webhooks/?project={project}
GET /api/invite
POST /api/invite/reset-token
GET /api/users/1/
DELETE /api/users/1/
GET /api/organizations/
GET /api/organizations/1/memberships
GET /api/current-user/token
POST /api/current-user/reset-token
GET /api/token/
POST /api/token/
POST /api/token/refresh/
GET /api/jwt/settings
POST /api/jwt/settings
GET /api/storages/
POST /api/storages/localfiles
POST /api/ml/
GET /organization/
GET /people/
GET /projects/{project}/settings
GET /admin/
GET /version/
GET /metrics
GET /docs/api/
GET /data/upload/1/x
GET /user/account/
POST /user/signup/
"""


def test_experts_can_work_and_nothing_else_is_open(chromium, house, proxy):
    there = house(experts=2, prompts=2)
    first, second = there.tasks(0)
    made = there.annotate(first, [[1], [2], [3], [4]])
    numbers = {"annotation": made["id"], "task": first["id"], "project": first["project"]}
    member = there.client.get(f"/api/users/{there.members[1]}/")["email"]
    form = {"email": member, "password": "a long enough password"}
    with closing(httpx.Client(base_url=proxy, headers={"Referer": proxy}, timeout=60)) as expert:
        expert.get("/user/login/")
        form["csrfmiddlewaretoken"] = expert.cookies["csrftoken"]
        assert expert.post("/user/login/", data=form).status_code == 302
        expert.headers["X-CSRFToken"] = expert.cookies["csrftoken"]
        for line in CLOSED.strip().splitlines():
            method, path = line.format(**numbers).split()
            answer = expert.request(method, path, json=None if method == "GET" else {})
            assert (line, answer.status_code) == (line, 403)
            assert "nginx" in answer.text, line
        assert expert.get("/api/users/").json() == []
        assert expert.get(f"/api/tasks?project={numbers['project']}").json()["tasks"] == []
        own = there.tasks(1)[0]
        following = expert.post(f"/api/dm/actions?id=next_task&project={own['project']}", json={})
        assert following.json()["id"] == own["id"]
        sent = {"result": there.result(own, [[4], [3], [2], [1]]), "lead_time": 2, "project": str(own["project"])}
        path = f"/api/tasks/{own['id']}/annotations?project={own['project']}"
        assert expert.post(path, json=sent).status_code == 201
    token = httpx.get(f"{proxy}/api/projects/", headers={"Authorization": f"Token {there.studio.token}"})
    assert token.status_code in (401, 403), "no token opens anything from outside"
    cookies = [{"name": name, "value": value, "url": proxy} for name, value in expert.cookies.items()]
    context = chromium.new_context(base_url=proxy)
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto(f"/projects/{own['project']}/data?labeling=1")
    page.wait_for_selector("[data-ranker-id]", timeout=60_000)
    context.close()
    assert (there.pull().used, there.stored(1, 0)) == (2, [[[4], [3], [2], [1]]])
    assert second["project"] == first["project"]
