"""From Label Studio to rankings: copied on first sight, checked, and only then handed to the door all rankings take.

Reading everything again is enough; a webhook only says where to look first. Nothing here trusts what it reads.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from annotation.campaigns.campaigns import find_campaign
from annotation.database import Database
from annotation.label_studio.checks import stamp
from annotation.label_studio.client import Client, LabelStudioError
from annotation.label_studio.connection import current_server, opened, recognise
from annotation.label_studio.interface import digest_of
from annotation.label_studio.rankings import use_ranking
from annotation.label_studio.review import use_review
from annotation.label_studio.sightings import Judge, look, newest, note_deletions, present
from annotation.tables.base import now
from annotation.tables.label_studio import Project, PushedTask
from foundation.progress import progress

JUDGES: dict[str, Judge] = {"ranking": use_ranking, "review": use_review}
TICK = 1.0


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """What a pull saw that was new, by outcome; `quarantined` by reason; `warnings` for a person."""

    projects: int
    used: int
    deleted: int
    quarantined: dict[str, int]
    warnings: list[str]


def pull(
    database: Database,
    data: Path,
    *,
    campaign: str | None = None,
    review: str | None = None,
    url: str | None = None,
) -> Pulled:
    """Look at everything in the projects of a campaign, in that of a review, or in all."""
    with database.read() as session:
        server = current_server(session, url)
        where = [Project.server_id == server.id, Project.remote_id.is_not(None)]
        if review is not None:
            where.append(Project.name == review)
        if campaign is not None:
            where.append(Project.campaign_id == find_campaign(session, campaign).id)
        projects = session.scalars(select(Project).where(*where).order_by(Project.id)).all()
    return look_at(database, data, server.url, projects)


def watch(
    database: Database, data: Path, *, campaign: str | None, url: str | None, every: float
) -> Iterator[Pulled | LabelStudioError]:
    """Pull for good: all of it every so many seconds, and in between what a webhook hinted at. Failures pass."""
    due = 0.0
    while True:
        try:
            if time.monotonic() >= due:
                due = time.monotonic() + every
                yield pull(database, data, campaign=campaign, url=url)
            elif waiting := hinted(database, url):
                yield look_at(database, data, *waiting)
        except LabelStudioError as error:
            yield error
        time.sleep(TICK)


def look_at(database: Database, data: Path, url: str, projects: Sequence[Project]) -> Pulled:
    """Look at everything in these projects of the server at `url`."""
    with database.read() as session:
        server = current_server(session, url)
    counts: Counter[str] = Counter()
    warnings: list[str] = []
    with opened(server, data) as client, progress("projects of Label Studio", len(projects)) as steps:
        with database.write() as session:
            recognise(session, server, client.members())
        for project in projects:
            warnings += Puller(database, client, project, counts).run()
            steps.advance()
    return Pulled(
        projects=len(projects),
        used=counts.pop("used", 0),
        deleted=counts.pop("deleted", 0),
        quarantined=dict(sorted(counts.items())),
        warnings=warnings,
    )


class Puller:
    """One project, read from beginning to end."""

    def __init__(self, database: Database, client: Client, project: Project, counts: Counter[str]) -> None:
        self.database, self.client, self.project, self.counts = database, client, project, counts
        self.judge = JUDGES[project.kind]
        self.tasks: set[int] = set()
        self.annotations: set[int] = set()
        self.strange = 0

    def run(self) -> list[str]:
        """Copy and use what is new, note what is gone; what a person should know of this project."""
        begun = now()
        assert self.project.remote_id is not None
        there = self.client.project(self.project.remote_id)
        altered = there is not None and there["label_config"] != self.project.config
        fault = "interface_changed" if altered else None
        if there is not None:
            for page, _ in self.client.tasks(self.project.remote_id):
                self._page(page, fault)
        lost = self._missing_tasks()
        self._note_deletions()
        with self.database.write() as session:
            session.get_one(Project, self.project.id).pulled_at = begun
        return list(self._warnings(gone=there is None, altered=altered, lost=lost))

    def _page(self, page: Sequence[Mapping[str, Any]], fault: str | None) -> None:
        numbers = {int(task["id"]) for task in page}
        found = [annotation for task in page for annotation in task["annotations"]]
        with self.database.write() as session:
            known = newest(session, self.project, {int(annotation["id"]) for annotation in found})
            query = select(PushedTask).where(
                PushedTask.project_id == self.project.id, PushedTask.remote_id.in_(numbers)
            )
            ours = {task.remote_id: task for task in session.scalars(query)}
            for task in page:
                self._task(session, task, ours.get(task["id"]), fault, known)
        self.tasks |= numbers & ours.keys()
        self.strange += len(numbers - ours.keys())

    def _task(
        self,
        session: Session,
        there: Mapping[str, Any],
        task: PushedTask | None,
        fault: str | None,
        known: Mapping[int, Any],
    ) -> None:
        """All annotations of a task, the oldest first: one of them counts."""
        if task is not None and digest_of(there["data"]) != task.digest:
            fault = fault or "task_changed"
        begun = stamp(there["created_at"])
        for raw in sorted(there["annotations"], key=lambda one: (str(one["created_at"]), one["id"])):
            number = int(raw["id"])
            self.annotations.add(number)
            sighting = look(session, self.project, task, begun, raw, known.get(number), fault, self.judge)
            if sighting is not None:
                self.counts[sighting.reason or sighting.outcome] += 1

    def _missing_tasks(self) -> int:
        with self.database.read() as session:
            own = (PushedTask.project_id == self.project.id, PushedTask.remote_id.is_not(None))
            return len(set(session.scalars(select(PushedTask.remote_id).where(*own))) - self.tasks)

    def _note_deletions(self) -> None:
        """Asked for once more one by one: a page that shifted while it was read is no deletion."""
        with self.database.read() as session:
            missing = [number for number in present(session, self.project) if number not in self.annotations]
        gone = [number for number in missing if self.client.find(f"/api/annotations/{number}/") is None]
        with self.database.write() as session:
            self.counts["deleted"] += note_deletions(session, self.project, gone)

    def _warnings(self, *, gone: bool, altered: bool, lost: int) -> Iterator[str]:
        name = f"project {self.project.remote_id}"
        if gone:
            yield f"{name} was deleted there; push again to make it anew"
        if altered:
            yield f"{name}: its labelling interface was changed; push again to restore it"
        if lost and not gone:
            yield f"{name}: {lost} of our tasks were deleted there; push again to send them"
        if self.strange:
            yield f"{name}: {self.strange} tasks there are not ours"


def hinted(database: Database, url: str | None = None) -> tuple[str, Sequence[Project]] | None:
    """The projects of a server where something happened since they were last looked at, None where there are none."""
    waiting: ColumnElement[bool] = Project.pulled_at.is_(None) | (Project.hinted_at > Project.pulled_at)
    with database.read() as session:
        server = current_server(session, url)
        own = (Project.server_id == server.id, Project.hinted_at.is_not(None), waiting)
        projects = session.scalars(select(Project).where(*own)).all()
    return (server.url, projects) if projects else None
