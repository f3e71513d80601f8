"""A project of Label Studio kept as it should be: made, mended, filled.

What is there is compared with what should be: missing tasks are sent, altered ones put right. So a push that was
interrupted, or a project that somebody changed by hand, needs no more than another push.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
from sqlalchemy import update
from sqlalchemy.orm import Session

from annotation.database import Database
from annotation.label_studio.client import Client, LabelStudioError
from annotation.label_studio.connection import HOOK, HOOK_HEADER
from annotation.label_studio.interface import digest_of
from annotation.tables.label_studio import Project, PushedTask, Server
from foundation.progress import Steps

BATCH = 100
LONGEST_TITLE = 50
EVENTS = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED")


class Draft(NamedTuple):
    """A task with its data; `place` is its place in the project's order."""

    place: int
    pushed: PushedTask
    data: dict[str, Any]


Copies = Mapping[str, Sequence[tuple[int, str]]]


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """How a project should look: its title, its labelling interface and what it tells people, as HTML."""

    title: str
    config: str
    instruction: str

    def settings(self) -> dict[str, Any]:
        """As Label Studio takes them. Nobody skips, and nobody's work is shown to others in the labelling stream."""
        return {
            "title": self.title[:LONGEST_TITLE],
            "label_config": self.config,
            "expert_instruction": self.instruction,
            "show_instruction": True,
            "show_skip_button": False,
            "enable_empty_annotation": False,
            "show_annotation_history": False,
            "show_collab_predictions": False,
            "maximum_annotations": 1,
        }


class Work(Protocol):
    """The tasks of a project, in batches."""

    def batch(self, session: Session, project: Project, after: int) -> Sequence[Draft]:
        """The next tasks `after` a place, in order; none after the last."""


def new_key() -> str:
    """An opaque name by which a project or task of ours is found again."""
    return f"zj-{secrets.token_hex(12)}"


class Keeper:
    """Keeps projects on one server as they should be; `done` counts what it had to do."""

    def __init__(self, database: Database, client: Client, server: Server, hook_secret: str) -> None:
        self.database, self.client, self.server, self._hook_secret = database, client, server, hook_secret
        self.done: Counter[str] = Counter()
        self.warnings: list[str] = []
        self._found: dict[str, int] | None = None

    def keep(self, project: Project, outline: Outline, work: Work, steps: Steps) -> None:
        """Make or mend a project and its tasks; `project` is a row that may not have a number there yet."""
        remote = self._project(project, outline)
        self._webhook(project, remote)
        self._fill(project, remote, work, steps)

    def _project(self, project: Project, outline: Outline) -> int:
        there = None if project.remote_id is None else self.client.project(project.remote_id)
        if there is not None:
            if there["label_config"] != project.config or project.config is None:
                there = self.client.patch(f"/api/projects/{there['id']}/", outline.settings())
                self.done["interfaces restored"] += 1
        elif found := self._by_key().get(project.key):
            there = self.client.patch(f"/api/projects/{found}/", outline.settings())
        else:
            there = self.client.post("/api/projects/", {**outline.settings(), "description": project.key})
            self.done["projects made"] += 1
        with self.database.write() as session:
            self._settle(session, project, there)
        return int(there["id"])

    def _settle(self, session: Session, project: Project, there: Mapping[str, Any]) -> None:
        """Note the project's number and interface. In place of one that was deleted, all tasks are sent anew."""
        row = session.get_one(Project, project.id)
        if row.remote_id not in (None, there["id"]):
            session.execute(update(PushedTask).where(PushedTask.project_id == row.id).values(remote_id=None))
        row.remote_id, row.config = there["id"], there["label_config"]

    def _by_key(self) -> dict[str, int]:
        if self._found is None:
            self._found = {str(there["description"]): int(there["id"]) for there in self.client.projects()}
        return self._found

    def _webhook(self, project: Project, remote: int) -> None:
        """A hint without content, so that no patient's words travel; where it is refused, polling is enough."""
        if self.server.hook_url is None:
            return
        wanted = {
            "url": f"{self.server.hook_url}{HOOK}/{project.id}",
            "project": remote,
            "send_payload": False,
            "send_for_all_actions": False,
            "is_active": True,
            "actions": sorted(EVENTS),
            "headers": {HOOK_HEADER: self._hook_secret},
        }
        hooks = [hook for hook in self.client.get("/api/webhooks/", project=remote) if hook["project"] == remote]
        if any(all(hook[name] == value for name, value in _sorted(wanted, hook)) for hook in hooks):
            return
        try:
            for hook in hooks:
                self.client.delete(f"/api/webhooks/{hook['id']}/")
            self.client.post("/api/webhooks/", wanted)
        except LabelStudioError as error:
            if error.status != 400:
                raise
            self.warnings.append(
                "no webhook: Label Studio refuses our address (zhongjing label-studio doctor says more)"
            )

    def _fill(self, project: Project, remote: int, work: Work, steps: Steps) -> None:
        present = self._tasks(remote)
        after = -1
        while True:
            with self.database.write() as session:
                batch = work.batch(session, session.get_one(Project, project.id), after)
                missing = [draft for draft in batch if draft.pushed.key not in present]
                altered = [draft for draft in batch if draft.pushed.key in present and not _same(draft.pushed, present)]
            if not batch:
                return
            for draft in altered:
                self.client.patch(f"/api/tasks/{draft.pushed.remote_id}/", {"data": draft.data})
            self.done.update({"tasks restored": len(altered), "tasks sent": len(missing)})
            self._send(remote, missing)
            after = batch[-1].place
            steps.advance(len(batch))

    def _tasks(self, remote: int) -> Copies:
        """What is there: numbers and digests by key."""
        present: dict[str, list[tuple[int, str]]] = {}
        for page, _ in self.client.tasks(remote):
            for task in page:
                present.setdefault(str(task["data"].get("key")), []).append((task["id"], digest_of(task["data"])))
        return present

    def _send(self, remote: int, missing: Sequence[Draft]) -> None:
        if not missing:
            return
        numbers = self.client.import_tasks(remote, [{"data": draft.data} for draft in missing])
        with self.database.write() as session:
            for draft, number in zip(missing, numbers, strict=True):
                session.get_one(PushedTask, draft.pushed.id).remote_id = number


def _same(pushed: PushedTask, present: Copies) -> bool:
    """Whether a task that is there says what it should; its number is noted. Copies by other hands do not count."""
    copies = present[pushed.key]
    pushed.remote_id, digest = next((copy for copy in copies if copy[0] == pushed.remote_id), copies[0])
    return digest == pushed.digest


def _sorted(wanted: Mapping[str, Any], hook: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What a webhook should say; its actions come in any order."""
    same = sorted(hook["actions"]) == wanted["actions"]
    return [(name, hook["actions"] if name == "actions" and same else value) for name, value in wanted.items()]
