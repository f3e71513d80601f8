"""Secrets of a connection: in a file that its owner alone can read, never in the database, never in a log."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

from foundation.errors import ZhongjingError
from foundation.files import new_file

VARIABLE = "ZHONGJING_LABEL_STUDIO_TOKEN"
FOLDER = "label-studio"
_FILE = "credentials.json"


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What opens a Label Studio to us (`token`), and a webhook of it to our service (`hook_secret`)."""

    token: str
    hook_secret: str


def new_secrets(token: str) -> Secrets:
    """A token with a fresh secret for webhooks."""
    return Secrets(token=token, hook_secret=secrets.token_urlsafe(32))


def store(data: Path, url: str, kept: Secrets) -> None:
    """Keep the secrets of the server `url` in the data folder."""
    write_private(data / FOLDER / _FILE, msgspec.json.encode({**_all(data), url: kept}))


def load(data: Path, url: str) -> Secrets | None:
    """The secrets of the server `url`; a token in the environment takes the place of the stored one."""
    stored = _all(data).get(url)
    given = os.environ.get(VARIABLE)
    return msgspec.structs.replace(stored, token=given) if stored and given else stored


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else can read, not even while it is being written."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = os.umask(0o077)
    try:
        with new_file(path) as temporary:
            temporary.write_bytes(content)
    finally:
        os.umask(before)


def read_private(path: Path, kind: type[msgspec.Struct] | object) -> object:
    """What `write_private` wrote; an error where others could read it meanwhile."""
    if path.stat().st_mode & 0o077:
        raise ZhongjingError("others can read these secrets", where=path, hint=f"run: chmod 600 {path}")
    return msgspec.json.decode(path.read_bytes(), type=kind)


def _all(data: Path) -> dict[str, Secrets]:
    path = data / FOLDER / _FILE
    found = read_private(path, dict[str, Secrets]) if path.exists() else {}
    assert isinstance(found, dict)
    return found
