"""A real Label Studio, started once, and experts who signed up there by invitation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from annotation.database import Database
from annotation.label_studio.client import Client
from annotation.label_studio.connection import connect, current_server, enrol
from annotation.label_studio.local import LocalServer
from annotation.label_studio.pull import Pulled, pull
from annotation.label_studio.push import Pushed, push
from annotation.ranking import Ranking
from annotation.tables.decisions import Submission
from annotation.tables.label_studio import Project, Sighting
from annotation.tables.models import Assignment, User

PASSWORD = "a long enough password"
NUMBERS = count(1)


class Studio:
    """The running server and its administrator's token."""

    def __init__(self, data: Path) -> None:
        self.local = LocalServer(data)
        self.running = self.local.up(0)
        self.url = self.running.url
        self.token = self.local.token(self.running)

    def sign_up(self, invitation: str, email: str) -> httpx.Client:
        """A person who follows the link of her invitation, as a browser does."""
        browser = httpx.Client(base_url=self.url, timeout=60, trust_env=False, headers={"Referer": self.url})
        browser.get(invitation)
        form = {"email": email, "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        assert browser.post(invitation, data=form).status_code == 302
        browser.headers["X-CSRFToken"] = browser.cookies["csrftoken"]
        return browser


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    running = Studio(tmp_path_factory.mktemp("studio"))
    yield running
    running.local.down()


@pytest.fixture
def base(sqlite_url: str) -> Iterator[Database]:
    opened = Database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def made_board() -> Callable[..., list[dict[str, Any]]]:
    return board


@pytest.fixture
def house(studio: Studio, base: Database, made: Any, tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Makes a campaign of experts who are known there, and pushes it."""
    made_houses = []

    def make(experts: int = 2, **options: Any) -> House:
        made_houses.append(House(studio, base, tmp_path / "data", made, experts, options))
        return made_houses[-1]

    yield make
    for one in made_houses:
        one.close()


class House:
    """A campaign at home and there. Experts are counted from 0, their tasks as well."""

    def __init__(
        self, studio: Studio, database: Database, data: Path, made: Any, experts: int, options: dict[str, Any]
    ) -> None:
        self.studio, self.database, self.data = studio, database, data
        self.hook_url = options.pop("hook_url", None)
        names = [f"专家{number}" for number in range(experts)]
        with database.write() as session:
            for name in names:
                made.person(session, name)
            made.campaign(session, experts=names, overlap=options.pop("overlap", experts), **options)
        connect(database, data, studio.url, studio.token, self.hook_url)
        self.client = Client(studio.url, studio.token)
        invitation = self.client.invitation()
        self.people = []
        for name in names:
            email = f"expert{next(NUMBERS)}@example.org"
            with database.write() as session:
                enrol(session, current_server(session), name, email)
            self.people.append(studio.sign_up(invitation, email))
        self.members = [int(person.get("/api/current-user/whoami").json()["id"]) for person in self.people]
        self.push()

    def close(self) -> None:
        for browser in (*self.people, self.client._http):
            browser.close()

    def push(self, **options: Any) -> Pushed:
        return push(self.database, self.data, **options)

    def pull(self, **options: Any) -> Pulled:
        return pull(self.database, self.data, **options)

    def project(self, expert: int = 0) -> int:
        """The number there of an expert's project."""
        with self.database.read() as session:
            query = select(Project.remote_id).join(User, User.id == Project.expert_id)
            number = session.scalar(query.where(User.name == f"专家{expert}"))
            assert number is not None
            return number

    def tasks(self, expert: int = 0) -> list[dict[str, Any]]:
        """An expert's tasks as they are there."""
        return [task for page, _ in self.client.tasks(self.project(expert)) for task in page]

    def annotate(
        self, task: dict[str, Any], tiers: list[list[int]], by: int = 0, left: list[int] | None = None, **changes: Any
    ) -> dict[str, Any]:
        """Send what a browser sends; `tiers` are card numbers from 1, `left` those left unsorted."""
        body = {
            "lead_time": 3.146,
            "result": self.result(task, tiers, left or []),
            "draft_id": 0,
            "parent_prediction": None,
        }
        sent = {**body, "parent_annotation": None, "project": str(task["project"]), **changes}
        answer = self.people[by].post(f"/api/tasks/{task['id']}/annotations?project={task['project']}", json=sent)
        assert answer.status_code == 201, answer.text[:300]
        return dict(answer.json())

    def result(self, task: dict[str, Any], tiers: list[list[int]], left: Sequence[int] = ()) -> list[dict[str, Any]]:
        return board(task, tiers, left)

    def change(self, annotation: dict[str, Any], by: int = 0, **changes: Any) -> None:
        answer = self.people[by].patch(f"/api/annotations/{annotation['id']}/", json=changes)
        assert answer.is_success, answer.text[:300]

    def stored(self, expert: int = 0, place: int = 0) -> list[list[list[int]]]:
        """The overall rankings of an expert's task by card numbers, the oldest first."""
        with self.database.read() as session:
            query = select(Assignment).join(User, User.id == Assignment.expert_id)
            own = (User.name == f"专家{expert}", Assignment.position == place)
            assignment = session.scalars(query.where(*own)).one()
            card = {output_id: number for number, (_, output_id) in enumerate(assignment.shown, start=1)}
            rankings = select(Ranking.tiers).where(Ranking.assignment_id == assignment.id)
            found = session.scalars(rankings.where(Ranking.dimension == "overall").order_by(Ranking.version)).all()
        return [[sorted(card[output_id] for output_id in tier) for tier in tiers] for tiers in found]

    def submissions(self) -> list[Submission]:
        with self.database.read() as session:
            return list(session.scalars(select(Submission).order_by(Submission.id)))

    def sightings(self) -> list[tuple[str, str, str | None]]:
        """Event, outcome and reason of all that was seen, in order."""
        with self.database.read() as session:
            rows = session.scalars(select(Sighting).order_by(Sighting.id)).all()
            return [(row.event, row.outcome, row.reason) for row in rows]


def board(task: dict[str, Any], tiers: list[list[int]], left: Sequence[int] = ()) -> list[dict[str, Any]]:
    """The JSON of a board as the page makes it: every column, empty ones too, and "_" for what is unsorted."""
    labels = [answer["id"] for answer in task["data"]["answers"]]
    columns: dict[str, list[str]] = {f"overall_{tier}": [] for tier in range(1, len(labels) + 1)}
    columns |= {f"overall_{tier}": [labels[card - 1] for card in cards] for tier, cards in enumerate(tiers, start=1)}
    value = {"ranker": {"_": [labels[card - 1] for card in left], **columns}}
    sent = {"from_name": "overall", "to_name": "cards_overall", "type": "ranker", "origin": "manual"}
    return [{"value": value, "id": "LI8En_ps28", **sent}]
