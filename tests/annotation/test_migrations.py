"""The migrations make what the models say, and carry ten thousand rows down and up again unchanged."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, MetaData, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError

import annotation
from annotation.database import Database, current_revision, downgrade, newest_revision, upgrade
from annotation.tables.drift import differences
from annotation.tables.models import Base

FIRST = "0001"
START = datetime(2026, 1, 1, tzinfo=UTC)


def test_models_and_migrations_agree(database):
    assert differences(database) == []


def test_the_newest_revision_is_the_one_alembic_would_go_to():
    scripts = ScriptDirectory(str(Path(annotation.__file__).parent / "migrations"))
    assert newest_revision() == scripts.get_current_head()


def copied_models():
    changed = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.tables.values():
        table.to_metadata(changed)
    return changed


def test_a_forgotten_check_is_seen(database):
    changed = copied_models()
    changed.tables["rankings"].append_constraint(CheckConstraint("version < 10", name="few_versions"))
    assert "few_versions" in "".join(differences(database, changed))


def test_a_changed_check_is_seen(database):
    changed = copied_models()
    checks = changed.tables["rankings"].constraints
    old = next(check for check in checks if check.name == "ck_rankings_version")
    checks.remove(old)
    changed.tables["rankings"].append_constraint(CheckConstraint("version >= 0", name="version"))
    (line,) = differences(database, changed)
    assert "version of rankings" in line
    assert differences(database) == []


def test_what_make_check_runs_ends_well():
    done = subprocess.run([sys.executable, ".ci/migrations.py"], cwd=Path(__file__).parents[2], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return request.getfixturevalue("empty_postgres")


def test_ten_thousand_rows_go_up_down_and_up_unchanged(empty_url):
    upgrade(empty_url, FIRST)
    tables = first_tables(empty_url)
    fill(empty_url, tables)
    before = hashes(empty_url, tables)
    upgrade(empty_url)
    newest = hashes(empty_url, first_tables(empty_url))
    assert hashes(empty_url, tables) == before
    downgrade(empty_url, FIRST)
    assert hashes(empty_url, tables) == before
    upgrade(empty_url)
    assert hashes(empty_url, tables) == before
    assert hashes(empty_url, first_tables(empty_url)) == newest
    refuses_changes(empty_url)


def test_down_to_nothing_and_up_again(empty_url):
    upgrade(empty_url)
    downgrade(empty_url, "base")
    database = Database(empty_url)
    assert current_revision(database) is None
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}
    upgrade(empty_url)
    assert current_revision(database) == newest_revision()
    assert differences(database) == []
    database.close()


def first_tables(url: str) -> MetaData:
    """The tables as they are now; columns added later are not among those of an earlier look."""
    database, seen = Database(url), MetaData()
    seen.reflect(database.engine)
    database.close()
    seen.remove(seen.tables["alembic_version"])
    return seen


def hashes(url: str, tables: MetaData) -> dict[str, str]:
    database = Database(url)
    with database.engine.connect() as connection:
        found = {
            table.name: hashlib.sha256(
                "\n".join(repr(tuple(row)) for row in connection.execute(select(table).order_by(table.c.id))).encode()
            ).hexdigest()
            for table in tables.sorted_tables
        }
    database.close()
    return found


def fill(url: str, tables: MetaData) -> None:
    database = Database(url)
    total = 0
    with database.engine.begin() as connection:
        for name, rows in invented():
            connection.execute(insert(tables.tables[name]), rows)
            total += len(rows)
    database.close()
    assert total >= 10_000


def invented() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Rows of every table of the first revision, in an order that satisfies the foreign keys."""
    rng = random.Random(7)

    def at(number: int) -> datetime:
        return START + timedelta(seconds=number, microseconds=number % 7)

    roles = ("expert", "senior", "curator", "engineer", "admin")
    yield (
        "users",
        [
            {
                "id": n,
                "name": f"医生{n}",
                "role": roles[n % 5],
                "password_hash": f"$argon2id${n}" if n % 3 else None,
                "simulated": n % 7 == 0 and not n % 3,
                "reliability": 0.5 + n / 1000 if n % 7 == 0 and not n % 3 else None,
                "created_at": at(n),
            }
            for n in range(1, 201)
        ],
    )
    yield (
        "campaigns",
        [
            {
                "id": n,
                "name": f"第{n}轮",
                "overlap": 2,
                "guideline_version": "1",
                "seed": 2**40 + n,
                "dimensions": ["overall", "safety"],
                "left_out": [["p-1", "empty_answer"]],
                "created_at": at(n),
            }
            for n in (1, 2)
        ],
    )
    tasks = range(1, 1101)
    yield (
        "tasks",
        [
            {
                "id": n,
                "campaign_id": 1 + n % 2,
                "position": n,
                "prompt_id": f"p-{n}",
                "prompt": {"prompt_id": f"p-{n}", "messages": [{"role": "user", "content": "咳嗽“三天”\n怎么办？"}]},
            }
            for n in tasks
        ],
    )
    yield (
        "responses",
        [
            {
                "id": 4 * n + k,
                "task_id": n,
                "output_id": f"o-{n}-{k}",
                "text": "多休息。" * k or "查",
                "model": f"m{k}",
                "merged": [f"o-{n}-{k}x"] if k == 3 else [],
            }
            for n in tasks
            for k in range(4)
        ],
    )
    yield (
        "assignments",
        [
            {
                "id": 2 * n + e,
                "task_id": n,
                "campaign_id": 1 + n % 2,
                "expert_id": 1 + 5 * e,
                "position": n,
                "shown": [[f"a{k}", f"o-{n}-{k}"] for k in rng.sample(range(4), 4)],
                "opened_at": at(n),
                "completed_at": at(n + 60) if n % 2 else None,
            }
            for n in tasks
            for e in range(2)
        ],
    )
    yield (
        "rankings",
        [
            {
                "id": n,
                "assignment_id": n,
                "dimension": "overall",
                "version": 1,
                "tiers": [[f"o-{n // 2}-0"], [f"o-{n // 2}-1", f"o-{n // 2}-2"], [f"o-{n // 2}-3"]],
                "key": f"key-{n}",
                "seconds": n / 8,
                "guideline_version": "1",
                "created_at": at(n),
            }
            for n in range(2, 2002)
        ],
    )
    yield (
        "adjudications",
        [
            {
                "id": n,
                "task_id": n,
                "senior_id": 2,
                "version": 1,
                "tiers": [[f"o-{n}-{k}"] for k in range(4)],
                "reason": "安全优先",
                "created_at": at(n),
            }
            for n in range(1, 101)
        ],
    )
    states = ("queued", "running", "done", "failed", "cancelled")
    yield (
        "jobs",
        [
            {
                "id": n,
                "kind": "export",
                "payload": {"campaign": "第1轮", "seed": n},
                "state": states[n % 5],
                "attempts": n % 3,
                "run_after": at(n),
                "lease_owner": "w" if n % 5 == 1 else None,
                "lease_until": at(n) if n % 5 == 1 else None,
                "fence": n,
                "cursor": {"at": n},
                "result": {"pairs": n} if n % 5 == 2 else None,
                "error": "停" if n % 5 == 3 else None,
                "submitted_by": 1,
                "created_at": at(n),
            }
            for n in range(1, 201)
        ],
    )
    yield (
        "sessions",
        [
            {"id": n, "token_hash": hashlib.sha256(bytes([n])).hexdigest(), "user_id": n, "expires_at": at(n)}
            for n in range(1, 101)
        ],
    )
    yield "login_failures", [{"id": n, "name_hash": f"{n:064x}", "at": at(n)} for n in range(1, 101)]
    yield (
        "audit_log",
        [
            {"id": n, "at": at(n), "actor_id": n if n % 2 else None, "action": "ranked", "subject": f"task:{n}"}
            for n in range(1, 201)
        ],
    )


def refuses_changes(url: str) -> None:
    """Tables made anew by a migration must not have lost their triggers."""
    database = Database(url)
    for table in ("rankings", "adjudications", "audit_log"):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET id = id + 100000"):
            with pytest.raises(DBAPIError, match="never changed"), database.write() as session:
                session.execute(text(statement))
    database.close()
