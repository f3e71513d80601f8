"""From a campaign to Label Studio: a project for each expert with her own tasks in her own order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from annotation.campaigns.campaigns import find_campaign
from annotation.campaigns.guideline import guideline_of
from annotation.database import Database
from annotation.errors import ConflictError, InvalidError
from annotation.identity.people import record
from annotation.label_studio.connection import alone, current_server, opened, recognise, secrets_of
from annotation.label_studio.interface import digest_of, instruction, ranking_config, task_data
from annotation.label_studio.projects import BATCH, Draft, Keeper, Outline, new_key
from annotation.tables.decisions import Queue
from annotation.tables.label_studio import Account, Project, PushedTask, Server
from annotation.tables.models import Answer, Assignment, Campaign, Task, User
from corpus.records import Prompt
from foundation.progress import progress


class Share(msgspec.Struct, frozen=True):
    """An expert's share of a campaign: its project and how that should look."""

    expert: str
    project: Project
    outline: Outline


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """What a push did: `projects` and `tasks` that are there now, what was `done`, what should be looked at."""

    campaign: str
    url: str
    projects: int
    tasks: int
    done: dict[str, int]
    warnings: list[str]


def push(
    database: Database, data: Path, *, campaign: str | None = None, language: str = "zh", url: str | None = None
) -> Pushed:
    """Bring a campaign's tasks to the Label Studio at `url` (the one connected to last); again does no harm."""
    with database.read() as session:
        server = current_server(session, url)
        name = _fit(session, server, find_campaign(session, campaign))
    with alone(data), opened(server, data) as client:
        with database.write() as session:
            missing = recognise(session, server, client.members())
            shares = _shares(session, server, find_campaign(session, name), language)
            total = _count(session, shares)
        keeper = Keeper(database, client, server, secrets_of(server, data).hook_secret)
        with progress(f"{name} to Label Studio", total) as steps:
            for share in shares:
                keeper.keep(share.project, share.outline, Rankings(), steps)
    with database.write() as session:
        record(session, None, "label_studio_pushed", f"label_studio:{server.id}", {"campaign": name, **+keeper.done})
    waiting = [f"{expert} has not signed up there yet" for expert in missing if expert in {s.expert for s in shares}]
    return Pushed(
        campaign=name,
        url=server.url,
        projects=len(shares),
        tasks=total,
        done=dict(+keeper.done),
        warnings=waiting + sorted(set(keeper.warnings)),
    )


class Rankings:
    """An expert's assignments as tasks. What she has ranked here already is not sent."""

    def batch(self, session: Session, project: Project, after: int) -> Sequence[Draft]:
        """See `annotation.label_studio.projects.Work`."""
        query = (
            select(Assignment, PushedTask)
            .outerjoin(PushedTask, (PushedTask.assignment_id == Assignment.id) & (PushedTask.project_id == project.id))
            .where(*_of(project), Assignment.position > after)
            .where(PushedTask.id.is_not(None) | Assignment.completed_at.is_(None))
            .options(joinedload(Assignment.task).selectinload(Task.responses))
            .order_by(Assignment.position)
        )
        return [
            _draft(session, project, assignment, pushed) for assignment, pushed in session.execute(query.limit(BATCH))
        ]


def _draft(session: Session, project: Project, assignment: Assignment, pushed: PushedTask | None) -> Draft:
    row = pushed or PushedTask(project_id=project.id, assignment_id=assignment.id, key=new_key())
    content = _data(row.key, assignment, project.language)
    row.digest = digest_of(content)
    session.add(row)
    return Draft(assignment.position, row, content)


def _data(key: str, assignment: Assignment, language: str) -> dict[str, Any]:
    prompt = msgspec.convert(assignment.task.prompt, Prompt)
    texts = {answer.output_id: answer.text for answer in assignment.task.responses}
    answers = [(label, texts[output_id]) for label, output_id in assignment.shown]
    return task_data(key, prompt.messages, prompt.facts, answers, language)


def _fit(session: Session, server: Server, campaign: Campaign) -> str:
    """The campaign's name, where it can be pushed: open, of real experts whose accounts are known."""
    if campaign.closed_at is not None:
        raise ConflictError("closed", f"the campaign {campaign.name} is closed")
    known = (Account.server_id == server.id) & (Account.expert_id == User.id)
    query = (
        select(User.name, User.simulated, Account.id)
        .join(Queue, Queue.expert_id == User.id)
        .outerjoin(Account, known)
        .where(Queue.campaign_id == campaign.id)
        .order_by(User.name)
    )
    experts = session.execute(query).all()
    simulated = [name for name, is_simulated, _ in experts if is_simulated]
    if simulated:
        raise InvalidError("simulated", f"{campaign.name} has simulated experts, who rank nothing there")
    strangers = [name for name, _, account in experts if account is None]
    if strangers:
        raise InvalidError(
            "no_account",
            f"no address is known of: {', '.join(strangers)}",
            hint=f"zhongjing label-studio invite {strangers[0]} --email …",
        )
    return campaign.name


def _shares(session: Session, server: Server, campaign: Campaign, language: str) -> list[Share]:
    guideline = guideline_of(session, campaign.guideline_version)
    config = ranking_config(campaign.dimensions, _most_answers(session, campaign), language)
    experts = session.execute(
        select(User.id, User.name).join(Queue).where(Queue.campaign_id == campaign.id).order_by(User.name)
    )
    return [
        Share(
            name,
            _project(session, server, campaign, expert_id, language),
            Outline(title=f"{campaign.name} · {name}", config=config, instruction=instruction(guideline, language)),
        )
        for expert_id, name in experts
    ]


def _project(session: Session, server: Server, campaign: Campaign, expert_id: int, language: str) -> Project:
    own = (Project.server_id == server.id, Project.campaign_id == campaign.id, Project.expert_id == expert_id)
    project = session.scalar(select(Project).where(*own))
    if project is None:
        project = Project(
            server_id=server.id, kind="ranking", campaign_id=campaign.id, expert_id=expert_id, key=new_key()
        )
        session.add(project)
    elif project.language != language:
        project.config = None
    project.language = language
    session.flush()
    return project


def _most_answers(session: Session, campaign: Campaign) -> int:
    counts = (
        select(func.count(Answer.id).label("answers"))
        .join(Task, Task.id == Answer.task_id)
        .where(Task.campaign_id == campaign.id)
        .group_by(Task.id)
        .subquery()
    )
    return session.scalar(select(func.max(counts.c.answers))) or 0


def _count(session: Session, shares: Sequence[Share]) -> int:
    total = 0
    for share in shares:
        total += session.scalar(select(func.count()).select_from(Assignment).where(*_of(share.project))) or 0
    return total


def _of(project: Project) -> tuple[Any, ...]:
    return Assignment.campaign_id == project.campaign_id, Assignment.expert_id == project.expert_id
