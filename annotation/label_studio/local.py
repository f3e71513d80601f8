"""A Label Studio of our own on this machine: started unattended, found again, stopped."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import httpx
import msgspec

from annotation.label_studio.client import LabelStudioError, send
from annotation.label_studio.credentials import FOLDER, read_private, write_private
from annotation.label_studio.environment import DATABASE, SETTINGS, environment
from foundation.errors import ZhongjingError
from foundation.progress import progress

HOST, PORT = "127.0.0.1", 8080
ADMIN = "admin@zhongjing.local"
PATIENCE, PAUSE = 600.0, 0.25
TOLD = 5


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """Our server: its port, process and administrator."""

    port: int
    process: int
    password: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self.port}"


class LocalServer:
    """Our Label Studio with all it keeps, in the folder `label-studio` of the data folder."""

    def __init__(self, data: Path) -> None:
        self.folder = (data / FOLDER).resolve()
        self._note = self.folder / "server.json"

    def up(self, port: int | None = None) -> Running:
        """The running server, started where it does not run: on `port`, any free one where that is 0, and where it is
        None on the port it had before."""
        known = self._known()
        if known is not None and self._runs(known):
            running = known
        else:
            before, password = (known.port, known.password) if known else (PORT, secrets.token_urlsafe(18))
            running = self._start((port or _free_port()) if port is not None else before, password)
        self._wait(running)
        return running

    def down(self) -> bool:
        """Stop it; whether it ran."""
        known = self._known()
        if known is None or not self._runs(known):
            return False
        os.killpg(known.process, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while self._runs(known) and time.monotonic() < deadline:
            with suppress(ChildProcessError):
                os.waitpid(known.process, os.WNOHANG)
            time.sleep(PAUSE)
        return True

    def token(self, running: Running) -> str:
        """A new personal access token of the administrator; the one before it ends."""
        with httpx.Client(base_url=running.url, timeout=60, trust_env=False, headers={"Referer": running.url}) as http:
            send(http, "GET", "/user/login/")
            form = {"email": ADMIN, "password": running.password, "csrfmiddlewaretoken": http.cookies["csrftoken"]}
            if send(http, "POST", "/user/login/", data=form).status_code != httpx.codes.FOUND:
                raise LabelStudioError(
                    "its administrator has another password now", where=running.url, hint=f"see {self._note}"
                )
            http.headers["X-CSRFToken"] = http.cookies["csrftoken"]
            for old in send(http, "GET", "/api/token/").json():
                send(http, "POST", "/api/token/blacklist/", json={"refresh": old["token"]})
            return str(send(http, "POST", "/api/token/", json={}).json()["token"])

    def _start(self, port: int, password: str) -> Running:
        if _listens(port):
            raise ZhongjingError(
                "something else listens there", where=f"{HOST}:{port}", hint="choose another one with --port"
            )
        made, home = environment(), self.folder / "server"
        for folder in (self.folder, home):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (home / DATABASE).exists():
            shutil.copyfile(made.database, home / DATABASE)
        command = [str(made.program), "start", "--no-browser", "--data-dir", str(home)]
        command += ["--internal-host", HOST, "--port", str(port)]
        account = {"LABEL_STUDIO_USERNAME": ADMIN, "LABEL_STUDIO_PASSWORD": password}
        with (self.folder / "server.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env=os.environ | SETTINGS | account,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        running = Running(port=port, process=process.pid, password=password)
        write_private(self._note, msgspec.json.encode(running))
        return running

    def _wait(self, running: Running) -> None:
        deadline = time.monotonic() + PATIENCE
        with progress("Label Studio starts"):
            while time.monotonic() < deadline:
                with suppress(httpx.HTTPError):
                    if httpx.get(f"{running.url}/health", timeout=10, trust_env=False).is_success:
                        return
                if not self._runs(running):
                    break
                time.sleep(PAUSE)
        last = (self.folder / "server.log").read_text(errors="replace").strip().splitlines()[-TOLD:]
        raise ZhongjingError(
            "Label Studio did not start", where=self.folder / "server.log", hint="its last words: " + "\n  ".join(last)
        )

    def _known(self) -> Running | None:
        found = read_private(self._note, Running) if self._note.exists() else None
        assert found is None or isinstance(found, Running)
        return found

    def _runs(self, running: Running) -> bool:
        """Whether that process is still ours: numbers of processes are used again."""
        try:
            command = Path(f"/proc/{running.process}/cmdline").read_bytes()
        except OSError:
            return False
        return str(self.folder).encode() in command


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as free:
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False
