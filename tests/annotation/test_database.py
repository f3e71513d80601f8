from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from annotation.database import (
    Database,
    current_revision,
    newest_revision,
    open_database,
    parse_url,
)
from annotation.tables.models import AuditEntry, Job, User
from foundation.errors import ZhongjingError


def test_sqlite_is_set_up_safely(sqlite_url):
    with Database(sqlite_url).engine.connect() as connection:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


@pytest.mark.parametrize(
    "user",
    [
        {"role": "king"},
        {"simulated": True},
        {"simulated": True, "reliability": 0.9, "password_hash": "x"},
        {"reliability": 0.9},
        {"simulated": True, "reliability": 0.2},
        {"name": ""},
    ],
)
def test_impossible_users_are_refused_by_the_database(database, user):
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(User(**{"name": "x", "role": "expert", "simulated": False, **user}))


def test_a_running_job_has_a_lease(database):
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(Job(kind="export", payload={}, state="running"))


EVASIONS = {
    "sqlite": ["INSERT OR REPLACE INTO audit_log (id, at, action, subject) VALUES (1, '2026-01-01', 'x', 'x')"],
    "postgresql": ["TRUNCATE audit_log"],
}


def test_the_audit_log_is_append_only(database):
    with database.write() as session:
        session.add(AuditEntry(action="tried", subject="x"))
    changes = ["UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log", *EVASIONS[database.engine.dialect.name]]
    for statement in changes:
        with pytest.raises(DBAPIError, match="never changed"), database.write() as session:
            session.execute(text(statement))
    with database.read() as session:
        assert session.query(AuditEntry).one().action == "tried"


def test_a_failed_transaction_leaves_nothing(database):
    with pytest.raises(RuntimeError), database.write() as session:
        session.add(User(name="x", role="expert", simulated=False))
        session.flush()
        raise RuntimeError
    with database.read() as session:
        assert session.query(User).count() == 0


def test_reading_changes_nothing(database):
    with database.read() as session:
        session.add(User(name="x", role="expert", simulated=False))
        session.flush()
    with database.read() as session:
        assert session.query(User).count() == 0


def test_an_empty_sqlite_file_is_migrated_on_opening(tmp_path):
    opened = open_database(f"sqlite:///{tmp_path / 'new.db'}")
    assert current_revision(opened) == newest_revision()


def test_an_empty_postgresql_is_not(empty_postgres):
    with pytest.raises(ZhongjingError, match="zhongjing db upgrade"):
        open_database(empty_postgres)


def test_a_foreign_sqlite_file_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with create_engine(f"sqlite:///{path}").begin() as connection:
        connection.execute(text("CREATE TABLE mine (id INTEGER)"))
    with pytest.raises(ZhongjingError, match="no tables of ours"):
        open_database(f"sqlite:///{path}")


def test_urls(monkeypatch, tmp_path):
    assert parse_url("postgresql://a@b/c").drivername == "postgresql+psycopg"
    monkeypatch.setenv("ZHONGJING_DATABASE_URL", "sqlite:///other.db")
    assert parse_url(None).database == "other.db"
    for wrong in ("nonsense", "mysql://a/b"):
        with pytest.raises(ZhongjingError):
            parse_url(wrong)
    (tmp_path / "text.db").write_text("not a database, but long enough to be taken for a header of one" * 10)
    for broken in (f"sqlite:///{tmp_path / 'text.db'}", f"sqlite:///{tmp_path / 'no' / 'x.db'}"):
        with pytest.raises(ZhongjingError, match="does not answer"):
            open_database(broken)
