"""Curation review: turns that were held up go to a project there, decisions come back as a file."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation.database import Database
from annotation.errors import InvalidError, NotFoundError
from annotation.identity.people import record
from annotation.label_studio.answers import FaultError, chosen, controls, written
from annotation.label_studio.checks import check_people, seconds_on_task
from annotation.label_studio.connection import alone, current_server, opened, recognise, secrets_of
from annotation.label_studio.interface import digest_of
from annotation.label_studio.projects import BATCH, Draft, Keeper, Outline, new_key
from annotation.label_studio.review_interface import LABELS, NOTE, TEXT, VERDICT, VERDICTS, review_config, review_data
from annotation.label_studio.sightings import Found, used_otherwise
from annotation.tables.base import now
from annotation.tables.label_studio import Account, Project, PushedTask, Server, Sighting
from corpus.decisions import Decision, turn_id
from corpus.matching import REVIEW, Review
from corpus.records import Dialogue
from corpus.sets import read_some
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records, write_records
from foundation.progress import progress

UNDECIDED = "unsure"


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that was held up, with all that was said against it."""

    dialogue: Dialogue
    turn: int
    rows: list[Review]

    @property
    def about(self) -> dict[str, Any]:
        """What a task is about, without its words."""
        content = self.dialogue.messages[self.turn].content
        return {"dialogue_id": self.dialogue.id, "turn": self.turn, "was": turn_id(content)}


class Reviewed(msgspec.Struct, frozen=True, kw_only=True):
    """What a push of a review did."""

    url: str
    turns: int
    done: dict[str, int]
    warnings: list[str]


def doubts(folder: Path) -> list[Doubt]:
    """The turns in the review queue of a set, as `corpus match` and `corpus rewrite` write it, in its order."""
    if not (folder / REVIEW).is_file():
        raise ZhongjingError("this set has no review queue", where=folder, hint="corpus match and rewrite write one")
    rows: dict[tuple[str, int], list[Review]] = defaultdict(list)
    for row in read_records(folder / REVIEW, Review):
        rows[row.dialogue_id, row.turn].append(row)
    dialogues = read_some(folder, {name for name, _ in rows})
    return [Doubt(dialogue=dialogues[name], turn=turn, rows=found) for (name, turn), found in rows.items()]


def push_review(
    database: Database, data: Path, folder: Path, *, name: str, language: str = "zh", url: str | None = None
) -> Reviewed:
    """Bring the review queue of the set `folder` to a project called `name`; again adds what is new."""
    if not 3 <= len(name) <= 50 or not name.isprintable():
        raise InvalidError("name", "a review's name has 3 to 50 printable characters")
    waiting = doubts(folder)
    with database.read() as session:
        server = current_server(session, url)
    words = LABELS[language]
    outline = Outline(title=name, config=review_config(language), instruction=words["instruction"])
    with alone(data), opened(server, data) as client:
        with database.write() as session:
            recognise(session, server, client.members())
            project = _project(session, server, name, language)
        keeper = Keeper(database, client, server, secrets_of(server, data).hook_secret)
        with progress(f"{name} to Label Studio", len(waiting)) as steps:
            keeper.keep(project, outline, Doubts(waiting), steps)
    with database.write() as session:
        record(session, None, "label_studio_review_pushed", f"label_studio:{server.id}", {"name": name, **+keeper.done})
    return Reviewed(url=server.url, turns=len(waiting), done=dict(+keeper.done), warnings=keeper.warnings)


class Doubts:
    """Turns in doubt as tasks; see `annotation.label_studio.projects.Work`."""

    def __init__(self, waiting: Sequence[Doubt]) -> None:
        self.waiting = waiting

    def batch(self, session: Session, project: Project, after: int) -> Sequence[Draft]:
        """The next turns."""
        places = range(after + 1, min(after + 1 + BATCH, len(self.waiting)))
        sent = {json.dumps(task.about): task for task in session.scalars(_tasks(project))} if places else {}
        return [self._draft(session, project, place, sent) for place in places]

    def _draft(self, session: Session, project: Project, place: int, sent: dict[str, PushedTask]) -> Draft:
        doubt = self.waiting[place]
        row = sent.get(json.dumps(doubt.about)) or PushedTask(project_id=project.id, about=doubt.about, key=new_key())
        content = review_data(row.key, doubt.dialogue, doubt.turn, doubt.rows, project.language)
        row.digest = digest_of(content)
        session.add(row)
        return Draft(place, row, content)


def use_review(session: Session, found: Found) -> None:
    """Check what a reviewer decided; see `annotation.label_studio.sightings.Judge`."""
    if found.task is None or found.task.about is None:
        raise FaultError("unknown_task")
    known = select(Account.remote_id).where(Account.server_id == found.project.server_id)
    author = found.annotation.completed_by
    check_people(found.annotation, author if author in set(session.scalars(known)) else None)
    if found.fault is not None:
        raise FaultError(found.fault)
    _decision(found.task.about, found.result, author)
    seconds_on_task(found.annotation, found.begun, now())
    if used_otherwise(session, found.task, found.annotation):
        raise FaultError("second_annotation")


def write_decisions(database: Database, name: str, out: Path, url: str | None = None) -> int:
    """Write what was decided in the review `name` as `decisions.jsonl` for `corpus decide`; returns how many."""
    with database.read() as session:
        server = current_server(session, url)
        found = select(Project).where(Project.server_id == server.id, Project.kind == "review", Project.name == name)
        project = session.scalar(found)
        if project is None:
            raise NotFoundError("no_review", f"there is no review {name}", hint="zhongjing label-studio review push")
        decisions = [decision for decision in _decided(session, project) if decision is not None]
    return write_records(out, sorted(decisions, key=lambda decision: (decision.dialogue_id, decision.turn)))


def _decided(session: Session, project: Project) -> Iterator[Decision | None]:
    """The newest decision of each task that was used."""
    query = (
        select(Sighting, PushedTask)
        .join(PushedTask, PushedTask.id == Sighting.task_id)
        .where(Sighting.project_id == project.id, Sighting.outcome == "used")
        .order_by(Sighting.id)
    )
    newest = {task.id: (sighting, task) for sighting, task in session.execute(query)}
    for sighting, task in newest.values():
        raw = json.loads(sighting.raw or "{}")
        author = raw["completed_by"]
        yield _decision(task.about or {}, raw["result"], author["id"] if isinstance(author, dict) else author)


def _decision(about: dict[str, Any], result: Any, author: int | None) -> Decision | None:
    """What an annotation says of a turn, None where its reviewer could not tell."""
    values = controls(result)
    verdict = chosen(values.pop(VERDICT, None))
    text, note = written(values.pop(TEXT, None)), written(values.pop(NOTE, None))
    if values or len(verdict) != 1 or verdict[0] not in VERDICTS:
        raise FaultError("malformed")
    if (verdict[0] == "corrected") != (text is not None):
        raise FaultError("contradictory")
    if verdict[0] == UNDECIDED:
        return None
    made = {**about, "verdict": verdict[0], "text": text, "note": note, "by": f"label-studio:{author}"}
    return msgspec.convert(made, Decision)


def _project(session: Session, server: Server, name: str, language: str) -> Project:
    own = (Project.server_id == server.id, Project.kind == "review", Project.name == name)
    project = session.scalar(select(Project).where(*own))
    if project is None:
        project = Project(server_id=server.id, kind="review", name=name, key=new_key())
        session.add(project)
    elif project.language != language:
        project.config = None
    project.language = language
    session.flush()
    return project


def _tasks(project: Project) -> Any:
    return select(PushedTask).where(PushedTask.project_id == project.id)
