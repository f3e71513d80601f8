from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from annotation.database import (
    Database,
    current_revision,
    downgrade,
    newest_revision,
    open_database,
    parse_url,
    upgrade,
)
from annotation.models import AuditEntry, Base, Job, User
from foundation.errors import ZhongjingError

PLUGINS = ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"]


def test_models_and_migrations_agree(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"autogenerate_plugins": PLUGINS})
        assert compare_metadata(context, Base.metadata) == []


def test_a_forgotten_check_is_seen(database):
    from sqlalchemy import CheckConstraint, MetaData

    changed = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.tables.values():
        table.to_metadata(changed)
    changed.tables["rankings"].append_constraint(CheckConstraint("version < 10", name="few_versions"))
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"autogenerate_plugins": PLUGINS})
        assert compare_metadata(context, changed) != []


def _checks(engine):
    seen = inspect(engine)
    return {
        (table, check["name"]): check["sqltext"]
        for table in sorted(Base.metadata.tables)
        for check in seen.get_check_constraints(table)
    }


def test_checks_say_what_the_models_say(sqlite_url, postgres_url, empty_postgres, tmp_path):
    for migrated, created in ((sqlite_url, f"sqlite:///{tmp_path / 'created.db'}"), (postgres_url, empty_postgres)):
        one, other = Database(migrated).engine, Database(created).engine
        Base.metadata.create_all(other)
        assert _checks(one) == _checks(other)
        one.dispose()
        other.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_down_and_up_again(kind, sqlite_url, empty_postgres):
    url = sqlite_url if kind == "sqlite" else empty_postgres
    upgrade(url)
    downgrade(url, "base")
    database = Database(url)
    assert current_revision(database) is None
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}
    upgrade(url)
    assert current_revision(database) == newest_revision()
    database.close()


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


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log"])
def test_the_audit_log_is_append_only(database, statement):
    with database.write() as session:
        session.add(AuditEntry(action="tried", subject="x"))
    with pytest.raises(DBAPIError), database.write() as session:
        session.execute(text(statement))


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
