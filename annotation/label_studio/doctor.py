"""What is wrong with a Label Studio and how to mend it; asked of the server itself, where nothing stays changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec

from annotation.database import Database
from annotation.label_studio.client import PERSONAL, Client, LabelStudioError, is_loopback, send
from annotation.label_studio.connection import HOOK, current_server, opened, recognise
from annotation.label_studio.environment import VERSION
from annotation.tables.label_studio import Server

SUPPORTED = ".".join(VERSION.split(".")[:2])
REFUSED = (400, 403)


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at; `mend` says what to do where it is not `well`."""

    well: bool
    what: str
    mend: str | None = None


def examine(database: Database, data: Path, url: str | None = None) -> Iterator[Finding]:
    """Look at the server connected to last, or the one at `url`. Where it does not let us in, that is all."""
    with database.read() as session:
        server = current_server(session, url)
    with opened(server, data) as client:
        try:
            version = client.version()
            client.whoami()
        except LabelStudioError as error:
            yield Finding(False, error.message, error.hint)
            return
        yield _version(version)
        yield from _token(server)
        yield _webhook(client, server)
        yield _signup(server)
        yield _analytics(server)
        with database.write() as session:
            missing = recognise(session, server, client.members())
    yield _people(missing)


def _version(version: str) -> Finding:
    well = version.startswith(f"{SUPPORTED}.")
    return Finding(well, f"version {version}", f"this was made and tested with {VERSION}: install that version")


def _token(server: Server) -> Iterator[Finding]:
    yield Finding(
        server.token_kind == PERSONAL,
        f"{server.token_kind} token",
        "legacy tokens never end and open everything: make a personal access token, connect with it, switch legacy "
        "tokens off (Organization, Access Token Settings)",
    )
    if not server.url.startswith("https:"):
        yield Finding(
            is_loopback(server.url),
            f"address {server.url}",
            "token and patients' words travel unencrypted: put it behind TLS, see docs/label-studio.md",
        )


def _webhook(client: Client, server: Server) -> Finding:
    if server.hook_url is None:
        return Finding(True, "no webhooks: polling is enough (zhongjing label-studio pull --watch)")
    mend = (
        "its rule against private addresses refuses our service: start it with SSRF_PROTECTION_ENABLED=false where "
        "the network is yours, or connect again without --service: polling is enough"
    )
    with _trial_project(client) as project:
        hook = {"url": f"{server.hook_url}{HOOK}/0", "project": project, "is_active": False, "send_payload": False}
        try:
            client.post("/api/webhooks/", hook)
        except LabelStudioError as error:
            if error.status not in REFUSED:
                raise
            return Finding(False, f"webhooks to {server.hook_url} are refused", mend)
    return Finding(True, f"webhooks to {server.hook_url} are taken")


@contextmanager
def _trial_project(client: Client) -> Iterator[int]:
    """A project that is there for a moment: a webhook belongs to one."""
    project = int(client.post("/api/projects/", {"title": "zhongjing doctor"})["id"])
    try:
        yield project
    finally:
        client.delete(f"/api/projects/{project}/")


def _signup(server: Server) -> Finding:
    """A form without an address makes nobody: it is refused outright where an invitation is needed."""
    with _stranger(server) as http:
        send(http, "GET", "/user/signup/")
        form = {"email": "", "password": "", "csrfmiddlewaretoken": http.cookies.get("csrftoken", "")}
        closed = send(http, "POST", "/user/signup/", data=form).status_code == httpx.codes.FORBIDDEN
    return Finding(
        closed,
        "sign-up by invitation alone" if closed else "anyone who reaches it can sign up and read everything",
        "start it with LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK=true",
    )


def _analytics(server: Server) -> Finding:
    with _stranger(server) as http:
        page = send(http, "GET", "/user/login/").text
    off = re.search(r"collect_analytics\s*[=:]\s*false", page) is not None
    return Finding(
        off,
        "analytics are off" if off else "analytics are on: pages tell Label Studio's makers what people do",
        "start it with COLLECT_ANALYTICS=false",
    )


@contextmanager
def _stranger(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=server.url, timeout=60, trust_env=not is_loopback(server.url), headers={"Referer": server.url}
    ) as http:
        yield http


def _people(missing: list[str]) -> Finding:
    if not missing:
        return Finding(True, "every expert who was invited has signed up")
    return Finding(
        False, f"not signed up yet: {', '.join(missing)}", "send them the link of: zhongjing label-studio invite"
    )
