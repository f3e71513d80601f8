"""The JSON that the API takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from annotation.jobs.orders import Name
from annotation.tables import models

if TYPE_CHECKING:
    from annotation.agreement.agreement import AgreementSummary

PersonName = Annotated[str, Field(min_length=1, max_length=100)]


class Problem(BaseModel):
    """Why something was refused: a code that does not change, and words."""

    reason: str
    message: str


class Me(BaseModel):
    """The person or key behind a request; `scopes` is null in a browser."""

    id: int
    name: str
    role: str
    scopes: list[str] | None


class Campaign(BaseModel):
    """A round of ranking."""

    id: int
    name: str
    overlap: int
    adjudicate_below: float
    dimensions: list[str]
    tasks: int
    assignments: int
    created_at: datetime

    @classmethod
    def of(cls, campaign: models.Campaign, tasks: int, assignments: int) -> Campaign:
        """As it is stored."""
        return cls(**_campaign(campaign), tasks=tasks, assignments=assignments)


class Progress(BaseModel):
    """How far an expert is."""

    expert: str
    simulated: bool
    ranked: int
    assigned: int


class CampaignStatus(Campaign):
    """A campaign with its progress and agreement; figures are null where there is too little to tell, and
    `not_enough` says why."""

    judged_tasks: int
    judgements: int
    alpha: float | None
    kendall_w: float | None
    pair_agreement: float | None
    not_enough: str | None
    needs_adjudication: int
    experts: list[Progress]

    @classmethod
    def of(  # type: ignore[override]
        cls, campaign: models.Campaign, tasks: int, assignments: int, summary: AgreementSummary
    ) -> CampaignStatus:
        """As it stands."""
        return cls(
            **_campaign(campaign),
            tasks=tasks,
            assignments=assignments,
            judged_tasks=summary.judged_tasks,
            judgements=summary.judgements,
            alpha=summary.alpha,
            kendall_w=summary.kendall_w,
            pair_agreement=summary.pair_agreement,
            not_enough=summary.gap.sentence() if summary.gap else None,
            needs_adjudication=len(summary.needs_adjudication),
            experts=[
                Progress(expert=row.expert, simulated=row.simulated, ranked=row.ranked, assigned=row.assigned)
                for row in summary.experts
            ],
        )


class NewCampaign(BaseModel):
    """`prompts` and `outputs` are files in the data folder; `experts` as in `zhongjing rank create`. With `min_overlap`
    the campaign is adaptive: so many experts first, up to `overlap` where they leave a prompt open."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: PersonName
    prompts: Name
    outputs: Name
    experts: Annotated[str, Field(min_length=1, max_length=2000)] = "all"
    overlap: Annotated[int | None, Field(ge=1, le=1000)] = None
    min_overlap: Annotated[int | None, Field(ge=2, le=1000)] = None
    adjudicate_below: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0


class Job(BaseModel):
    """A job. `progress` is there while it runs, `result` when it is done, `error` when an attempt failed."""

    id: int
    kind: str
    order: dict[str, Any]
    state: str
    attempts: int
    progress: dict[str, Any] | None
    stages: list[dict[str, Any]]
    result: dict[str, Any] | None
    error: str | None
    cancelling: bool
    submitted_by: int | None
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, job: models.Job) -> Job:
        """As it is stored."""
        return cls(
            id=job.id,
            kind=job.kind,
            order=job.payload,
            state=job.state,
            attempts=job.attempts,
            progress=job.progress,
            stages=(job.cursor or {}).get("stages", []),
            result=job.result,
            error=job.error,
            cancelling=job.cancel,
            submitted_by=job.submitted_by,
            created_at=job.created_at,
            ended_at=job.ended_at,
        )


class JobLine(BaseModel):
    """A line of a job's log."""

    number: int
    at: datetime
    attempt: int
    text: str

    @classmethod
    def of(cls, line: models.JobLine) -> JobLine:
        """As it is stored."""
        return cls(number=line.id, at=line.at, attempt=line.attempt, text=line.text)


class Release(BaseModel):
    """A finished export and where its files are."""

    job: int
    campaign: str
    counts: dict[str, Any]
    files: list[str]

    @classmethod
    def of(cls, job: models.Job, names: Sequence[str]) -> Release:
        """Of its job."""
        counts = {name: value for name, value in (job.result or {}).items() if name not in ("folder", "stages")}
        files = [f"/api/exports/{job.id}/{name}" for name in names]
        return cls(job=job.id, campaign=job.payload["campaign"], counts=counts, files=files)


class User(BaseModel):
    """Someone who works here."""

    id: int
    name: str
    role: str
    active: bool

    @classmethod
    def of(cls, user: models.User) -> User:
        """As stored, without secrets."""
        return cls(id=user.id, name=user.name, role=user.role, active=user.left_at is None)


class Change(BaseModel):
    """What to change of a person; what is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Annotated[str | None, Field(max_length=20)] = None
    active: bool | None = None


class NewInvitation(BaseModel):
    """Whom to invite, and as what."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: PersonName
    role: Annotated[str, Field(max_length=20)]


class Invitation(BaseModel):
    """An invitation that can still be used."""

    number: int
    name: str
    role: str
    expires_at: datetime

    @classmethod
    def of(cls, invitation: models.Invitation) -> Invitation:
        """As stored, without its secret."""
        return cls(number=invitation.id, name=invitation.name, role=invitation.role, expires_at=invitation.expires_at)


class MadeInvitation(Invitation):
    """A new one, with its link."""

    link: str


class AuditEntry(BaseModel):
    """Who did what; `actor` is null for the command line."""

    number: int
    at: datetime
    actor: str | None
    action: str
    subject: str
    detail: dict[str, Any] | None

    @classmethod
    def of(cls, entry: models.AuditEntry, actor: str | None) -> AuditEntry:
        """As it is stored."""
        return cls(
            number=entry.id,
            at=entry.at,
            actor=actor,
            action=entry.action,
            subject=entry.subject,
            detail=entry.detail,
        )


def _campaign(campaign: models.Campaign) -> dict[str, Any]:
    return {
        "id": campaign.id,
        "name": campaign.name,
        "overlap": campaign.overlap,
        "adjudicate_below": campaign.adjudicate_below,
        "dimensions": list(campaign.dimensions),
        "created_at": campaign.created_at,
    }
