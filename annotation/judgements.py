"""What the experts of a campaign decided, read back in one order whatever order it was stored in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, selectinload

from annotation.tables.decisions import GoldOrder, Ranking, Repeat, Submission
from annotation.tables.models import Adjudication, Answer, Assignment, Campaign, Task, User
from corpus.records import Judgement, Prompt, Response, Tiers


class JudgedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task with the newest judgement of each expert, sorted by name; `decided` is a senior expert's order, and
    `refused` whether she finds no answer acceptable."""

    task_id: int
    prompt: Prompt
    responses: list[Response]
    judgements: list[Judgement]
    decided: Tiers | None = None
    refused: bool = False

    @property
    def none_acceptable(self) -> bool:
        """Whether no answer will do: in the eyes of the senior expert who decided, or else of most experts."""
        if self.decided is not None:
            return self.refused
        said = [judgement.none_acceptable for judgement in self.judgements if judgement.dimension == "overall"]
        return 2 * sum(said) > len(said)

    def tiers(self, dimension: str = "overall") -> list[Tiers]:
        """The judgements of one dimension, as tiers."""
        return [judgement.tiers for judgement in self.judgements if judgement.dimension == dimension]


def judged_tasks(session: Session, campaign: Campaign) -> list[JudgedTask]:
    """The campaign's own tasks by prompt id, those without judgements too; gold and repeats test the experts and are
    no part of what they decide."""
    query = (
        select(Task)
        .where(Task.campaign_id == campaign.id, counts())
        .order_by(Task.prompt_id)
        .options(selectinload(Task.responses), selectinload(Task.adjudications))
    )
    judgements = _newest(session, Assignment.campaign_id == campaign.id)
    return [
        JudgedTask(
            task_id=task.id,
            prompt=msgspec.convert(task.prompt, Prompt),
            responses=[Response(output_id=a.output_id, text=a.text, model=a.model) for a in _by_id(task.responses)],
            judgements=judgements[task.id],
            decided=standing(task.adjudications),
            refused=bool(task.adjudications) and task.adjudications[-1].none_acceptable,
        )
        for task in sorted(session.scalars(query), key=lambda task: task.prompt_id)
    ]


def judgements_of(session: Session, task_id: int) -> list[Judgement]:
    """The newest judgement of each expert on one task, in every dimension."""
    return _newest(session, Assignment.task_id == task_id)[task_id]


def standing(adjudications: Sequence[Adjudication]) -> Tiers | None:
    """The order decided last, of all versions by number; None where nothing was, or that was taken back."""
    return adjudications[-1].tiers if adjudications and not adjudications[-1].withdrawn else None


def counts() -> ColumnElement[bool]:
    """The condition that a `Task` is neither gold nor a repeat."""
    return Task.id.not_in(select(GoldOrder.task_id)) & Task.id.not_in(select(Repeat.task_id))


def newest_orders(session: Session, task_id: int) -> list[Tiers]:
    """The overall order of each expert whose newest submission for a task is a ranking, by name."""
    versions = (
        select(Submission.assignment_id, func.max(Submission.version).label("version"))
        .join(Assignment, Assignment.id == Submission.assignment_id)
        .where(Assignment.task_id == task_id)
        .group_by(Submission.assignment_id)
        .subquery()
    )
    newest = (Ranking.assignment_id == versions.c.assignment_id) & (Ranking.version == versions.c.version)
    query = (
        select(User.name, Ranking.tiers)
        .join(Assignment, Assignment.expert_id == User.id)
        .join(versions, versions.c.assignment_id == Assignment.id)
        .join(Ranking, newest)
        .where(Ranking.dimension == "overall")
    )
    return [row.tiers for row in sorted(session.execute(query), key=lambda row: row.name)]


def _by_id(answers: Iterable[Answer]) -> list[Answer]:
    """Sorted here and not by the database, whose collation may differ."""
    return sorted(answers, key=lambda answer: answer.output_id)


def _newest(session: Session, of: ColumnElement[bool]) -> dict[int, list[Judgement]]:
    """By task: the newest ranking in each dimension that came after the expert last took one back or could not
    judge."""
    refusals = (
        select(Submission.assignment_id, func.max(Submission.version).label("version"))
        .where(Submission.verdict != "ranked")
        .group_by(Submission.assignment_id)
        .subquery()
    )
    query = (
        select(Assignment.task_id, User.name, User.simulated, Submission, Ranking)
        .join(Ranking, Ranking.assignment_id == Assignment.id)
        .join(Submission, (Submission.assignment_id == Assignment.id) & (Submission.version == Ranking.version))
        .join(User, User.id == Assignment.expert_id)
        .outerjoin(refusals, refusals.c.assignment_id == Assignment.id)
        .where(of, Ranking.version > func.coalesce(refusals.c.version, 0))
        .order_by(Ranking.version)
    )
    newest: dict[int, dict[tuple[str, str], Judgement]] = defaultdict(dict)
    for task_id, expert, simulated, submission, ranking in session.execute(query):
        newest[task_id][expert, ranking.dimension] = Judgement(
            expert=expert,
            dimension=ranking.dimension,
            tiers=ranking.tiers,
            seconds=ranking.seconds,
            guideline_version=ranking.guideline_version,
            simulated=simulated,
            origin=submission.origin,
            none_acceptable=submission.none_acceptable,
        )
    return defaultdict(list, {task: [found[key] for key in sorted(found)] for task, found in newest.items()})
