"""The script that anyone can run for a minute, run for some seconds: a server killed with kill -9 loses nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_killed_server_loses_doubles_and_changes_nothing(url):
    options = ["--seconds", "8", "--tasks", "150", "--pause", "2", "3"]
    done = subprocess.run(
        [sys.executable, "bench/durability.py", "--url", url, *options], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = dict(re.findall(r"([a-z ]+?) (\d+)", done.stdout.split(":", 1)[1]))
    figures = {name.strip(): int(value) for name, value in found.items()}
    assert figures["kills"] >= 2
    assert figures["acknowledged"] >= 6
    assert [figures[name] for name in ("lost", "doubled", "changed", "unasked")] == [0, 0, 0, 0]
