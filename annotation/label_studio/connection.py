"""Being connected to a Label Studio: which one, with what token, and who is who there."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation.database import Database
from annotation.errors import ConflictError, InvalidError, NotFoundError
from annotation.identity.auth import digest
from annotation.identity.people import named_user, record
from annotation.label_studio.client import LEGACY, PERSONAL, Client, checked_url, open_with
from annotation.label_studio.credentials import FOLDER, Secrets, load, new_secrets, store
from annotation.tables.base import now
from annotation.tables.label_studio import Account, Server
from annotation.tables.models import User

HOOK = "/label-studio/hook"
HOOK_HEADER = "X-Zhongjing-Secret"


def connect(database: Database, data: Path, url: str, token: str, hook_url: str | None) -> Server:
    """Remember the Label Studio at `url` as the one to work with; its webhooks are sent to our service at `hook_url`.

    Connecting again keeps the webhooks' secret, so that those which exist go on working.
    """
    address = checked_url(url)
    hooks = None if hook_url is None else checked_url(hook_url)
    with open_with(address, token) as client:
        version, kind = client.version(), client.kind
    known = load(data, address)
    kept = msgspec.structs.replace(known, token=token) if known else new_secrets(token)
    store(data, address, kept)
    with database.write() as session:
        server = session.scalar(select(Server).where(Server.url == address)) or Server(url=address)
        server.version, server.token_kind, server.connected_at = version, kind, now()
        server.hook_url, server.hook_hash = hooks, digest(kept.hook_secret)
        session.add(server)
        session.flush()
        record(session, None, "label_studio_connected", f"label_studio:{server.id}", {"version": version})
    return server


def current_server(session: Session, url: str | None = None) -> Server:
    """The server at `url`, or the one connected to last."""
    query = select(Server).order_by(Server.connected_at.desc(), Server.id.desc()).limit(1)
    server = session.scalar(query if url is None else query.where(Server.url == checked_url(url)))
    if server is None:
        raise NotFoundError(
            "no_label_studio",
            "no Label Studio is connected",
            hint="zhongjing label-studio up, or: zhongjing label-studio connect --url … --token …",
        )
    return server


def secrets_of(server: Server, data: Path) -> Secrets:
    """What opens this server, from the data folder."""
    kept = load(data, server.url)
    if kept is None:
        raise NotFoundError(
            "no_secrets",
            f"the token of {server.url} is not in {data / FOLDER}",
            hint=f"give the folder with --data, or: zhongjing label-studio connect --url {server.url} --token …",
        )
    return kept


@contextmanager
def opened(server: Server, data: Path) -> Iterator[Client]:
    """A client of this server."""
    token = secrets_of(server, data).token
    with Client(server.url, token, LEGACY if server.token_kind == LEGACY else PERSONAL) as client:
        yield client


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """One push at a time: two would make everything twice."""
    folder = data / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "push.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError("busy", "another push is under way", hint="wait until it has ended") from error
        yield


def enrol(session: Session, server: Server, name: str, email: str) -> Account:
    """Note the address with which an expert signs up there. Once she has, it stays hers."""
    address = email.strip().lower()
    if not 3 <= len(address) <= 254 or address.count("@") != 1 or not address.isprintable() or " " in address:
        raise InvalidError("email", "this is no e-mail address")
    expert = named_user(session, name)
    own = select(Account).where(Account.server_id == server.id, Account.expert_id == expert.id)
    account = session.scalar(own) or Account(server_id=server.id, expert_id=expert.id)
    if account.remote_id is not None and account.email != address:
        raise ConflictError("signed_up", f"{name} has signed up there as {account.email}")
    other = select(Account).where(Account.server_id == server.id, Account.email == address)
    taken = session.scalar(other.where(Account.expert_id != expert.id))
    if taken is not None:
        raise ConflictError("email_taken", f"{address} belongs to another expert")
    account.email = address
    session.add(account)
    session.flush()
    record(session, None, "label_studio_invited", f"user:{expert.id}")
    return account


def recognise(session: Session, server: Server, members: dict[str, int]) -> list[str]:
    """Fix the account numbers of experts who have signed up since; the names of those who have not."""
    query = select(Account, User.name).join(User, User.id == Account.expert_id).where(Account.server_id == server.id)
    missing = []
    for account, name in session.execute(query):
        if account.remote_id is None:
            account.remote_id = members.get(account.email)
        if account.remote_id is None:
            missing.append(name)
    session.flush()
    return sorted(missing)
