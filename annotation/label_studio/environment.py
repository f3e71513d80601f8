"""Label Studio in a virtual environment of its own (about 1 GB), made once for all who start it here."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from foundation.errors import ZhongjingError
from foundation.files import new_file
from foundation.progress import progress

VERSION = "1.23.2"
DATABASE = "label_studio.sqlite3"
TOLD, LONGEST = 3, 200
SETTINGS = {
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "SSRF_PROTECTION_ENABLED": "false",
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
}
"""Sign-up by invitation alone; webhooks to this machine, which its private-address rule would refuse; and silence
towards its makers: analytics, the check for new versions, crash reports."""


class Environment(NamedTuple):
    """An installed Label Studio: its command, and an empty database that is ready for use."""

    program: Path
    database: Path


def environment() -> Environment:
    """The cached environment. Where it is missing, pip makes it: some minutes and about 1 GB, once.

    pip installs what it was asked for last, so where the command is, everything is; what was interrupted goes on.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "zhongjing" / f"label-studio-{VERSION}"
    made = Environment(home / "bin" / "label-studio", home / DATABASE)
    if not all(path.exists() for path in made):
        home.parent.mkdir(parents=True, exist_ok=True)
        with home.with_name(f"{home.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _complete(home, made)
    return made


def _complete(home: Path, wanted: Environment) -> None:
    """Its own two hundred migrations take most of a first start: they are run here, once for all."""
    if not wanted.program.exists():
        with progress(f"installing Label Studio {VERSION} (once, some minutes)"):
            _run(home, sys.executable, "-m", "venv", str(home))
            _run(home, str(home / "bin" / "pip"), "install", "--quiet", f"label-studio=={VERSION}")
    if not wanted.database.exists():
        with progress("preparing its database (once)"), tempfile.TemporaryDirectory() as folder:
            _run(home, str(wanted.program), "version", "--data-dir", folder)
            with new_file(wanted.database) as temporary:
                shutil.copyfile(Path(folder) / DATABASE, temporary)


def _run(home: Path, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | SETTINGS)
    if done.returncode:
        told = "\n  ".join(line[:LONGEST] for line in done.stderr.strip().splitlines()[-TOLD:])
        raise ZhongjingError(
            f"Label Studio {VERSION} could not be installed",
            where=home,
            hint=f"{told}\n  check the network and the space on the disk (about 1 GB), then run the same command again",
        )
