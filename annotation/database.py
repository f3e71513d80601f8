"""The database: SQLite by default, PostgreSQL by one setting; the same code and constraints on both.

Domain functions take a `Session` and never commit: the edge (a request, a command, a job step) opens one with
`Database.read` or `Database.write` and its transaction ends there.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from importlib.resources import as_file, files
from json import dumps
from threading import RLock
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.orm import Session

from foundation.errors import ZhongjingError

DEFAULT_URL = "sqlite:///zhongjing.db"
VARIABLE = "ZHONGJING_DATABASE_URL"
BUSY_TIMEOUT_MS = 30_000
CONNECTIONS = 20
MIGRATING = 0x5A4A


class Database:
    """An engine and the two kinds of transaction the service uses."""

    def __init__(self, url: str | None = None) -> None:
        self.url = parse_url(url)
        self.engine = _engine(self.url)
        self._writer = self.engine.execution_options(begin="BEGIN IMMEDIATE")
        # SQLite wakes waiting writers by guessing; the threads of one process can take turns exactly.
        self._turn: AbstractContextManager[Any] = RLock() if self.is_sqlite else nullcontext()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of ours rather than a server."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session whose changes, if any, are thrown away."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session committed on a clean exit and rolled back otherwise; on SQLite it holds the write lock."""
        with self._turn, Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def open_database(url: str | None = None) -> Database:
    """A database ready for work: an empty SQLite file is migrated, anything else out of date is an error."""
    database = Database(url)
    revision, newest = current_revision(database), newest_revision()
    if revision is None and _is_empty_sqlite(database):
        upgrade(url)
    elif revision != newest:
        state = "has no tables of ours" if revision is None else f"is at revision {revision}, the program at {newest}"
        raise ZhongjingError(f"this database {state}", where=shown(database.url), hint="run: zhongjing db upgrade")
    return database


def upgrade(url: str | None = None, revision: str = "head") -> str:
    """Migrate the database to `revision`; returns the revision it now has."""
    from alembic import command

    _refuse_unknown(url)
    _migrate(url, partial(command.upgrade, revision=revision))
    return newest_revision() if revision == "head" else revision


def downgrade(url: str | None, revision: str) -> None:
    """Migrate the database back to `revision` ("base" empties it)."""
    from alembic import command

    _migrate(url, partial(command.downgrade, revision=revision))


def newest_revision() -> str:
    """The revision the models of this program need."""
    return max(_revisions())


def current_revision(database: Database) -> str | None:
    """The revision the database is at, None where it was never migrated."""
    with reachable(database.url), database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).first()
        return found[0] if found else None


def parse_url(url: str | None) -> URL:
    """`url`, else the environment's, else the default; a driver is filled in for PostgreSQL."""
    text = url or os.environ.get(VARIABLE) or DEFAULT_URL
    try:
        parsed = make_url(text)
        backend = parsed.get_backend_name()
    except ArgumentError as error:
        raise ZhongjingError(
            "this is not a database URL", hint=f"for example {DEFAULT_URL} or postgresql://user:password@host/name"
        ) from error
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ZhongjingError(f"{backend} is not supported", hint="use sqlite:/// or postgresql://")
    if parsed.database in (None, "", ":memory:"):
        raise ZhongjingError("this database URL names no file", hint=f"for example {DEFAULT_URL}")
    return parsed


def shown(url: URL) -> str:
    """The URL as it may be printed, without its password."""
    return url.render_as_string(hide_password=True)


@contextmanager
def reachable(url: URL) -> Iterator[None]:
    """Turn a failed connection into a message a person can act on."""
    try:
        yield
    except DBAPIError as error:
        raise ZhongjingError(
            f"the database does not answer ({type(error.orig).__name__})",
            where=shown(url),
            hint="check that it runs, that it is a database, and the URL",
        ) from error


def _is_empty_sqlite(database: Database) -> bool:
    return database.is_sqlite and not inspect(database.engine).get_table_names()


def _refuse_unknown(url: str | None) -> None:
    database = Database(url)
    found = current_revision(database)
    database.close()
    if found is not None and found not in _revisions():
        raise ZhongjingError(
            f"this database is at revision {found}, which this program does not know",
            where=shown(database.url),
            hint="it was made by a newer version: update the program",
        )


def _revisions() -> set[str]:
    """By the names of the files, `0001_….py`: a server that starts need not load Alembic to know them."""
    names = (entry.name for entry in files("annotation").joinpath("migrations/versions").iterdir())
    return {name.split("_")[0] for name in names if name[:1].isdecimal()}


def _migrate(url: str | None, step: Any) -> None:
    from alembic.config import Config

    database = Database(url)
    with as_file(files("annotation").joinpath("migrations")) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        with reachable(database.url), database.engine.connect() as connection:
            config.attributes["connection"] = _alone(connection)
            step(config)
    database.close()


def _alone(connection: Connection) -> Connection:
    """Keep other migrations out until this one's transaction ends.

    On SQLite a table is changed by making it anew; with foreign keys on, dropping the old one would delete the rows
    that refer to it. `migrations/env.py` checks them all before it commits.
    """
    if connection.dialect.name == "sqlite":
        connection.connection.execute("PRAGMA foreign_keys=OFF")
        return connection.execution_options(begin="BEGIN IMMEDIATE")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATING})")
    return connection


def _engine(url: URL) -> Engine:
    options: dict[str, Any] = {
        "hide_parameters": True,
        "json_serializer": partial(dumps, ensure_ascii=False, separators=(",", ":")),
        "pool_size": CONNECTIONS,
        "max_overflow": CONNECTIONS,
    }
    if url.get_backend_name() != "sqlite":
        engine = create_engine(url, **options)
        event.listen(engine, "checkout", _refuse_ended)
        return engine
    engine = create_engine(url, **options)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _refuse_ended(connection: Any, _record: Any, _proxy: Any) -> None:
    """A server that went away has left an end of file to read; seeing it costs no round trip, as a ping would."""
    watch = select.poll()
    watch.register(connection.fileno(), select.POLLIN)
    if watch.poll(0):
        raise DisconnectionError


def _configure_sqlite(connection: Any, _record: Any) -> None:
    """WAL lets readers go on while one writes; FULL makes a commit survive a power cut."""
    connection.isolation_level = None
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the write lock at once: taking it later would fail where another writer came between."""
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
