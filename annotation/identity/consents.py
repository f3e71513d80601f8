"""Consent and its withdrawal: of an expert to the use of her rankings, of those whom a dialogue or all of a data set
is from to the use of their words. A release leaves out what was withdrawn; here everything stays."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation.errors import InvalidError, NotFoundError
from annotation.identity.people import record
from annotation.judgements import JudgedTask
from annotation.tables.models import CONSENT_KINDS, Consent, Task, User


class Withdrawn(msgspec.Struct, frozen=True, kw_only=True):
    """Whose consent is withdrawn now: experts by name, dialogues and data sets by id."""

    expert: frozenset[str]
    dialogue: frozenset[str]
    dataset: frozenset[str]

    def covers(self, task: JudgedTask) -> bool:
        """Whether a task's prompt may not be used."""
        return task.prompt.dialogue_id in self.dialogue or task.prompt.dataset_version in self.dataset


def state_consent(
    session: Session, kind: str, subject: str, *, given: bool, note: str = "", by: int | None = None
) -> Consent:
    """Note that consent is given (again) or withdrawn. `kind` is expert, dialogue or dataset; `subject` a name or id
    that is known here."""
    if kind not in CONSENT_KINDS:
        raise InvalidError("kind", f"consent is of: {', '.join(CONSENT_KINDS)}")
    if not _known(session, kind, subject):
        raise NotFoundError("no_subject", f"no {kind} of this name is known here", hint="check the spelling")
    stated = Consent(kind=kind, subject=subject, given=given, note=note.strip())
    session.add(stated)
    session.flush()
    record(session, by, "consent_given" if given else "consent_withdrawn", f"consent:{stated.id}")
    return stated


def stated_consents(session: Session) -> Sequence[Consent]:
    """Everything that was stated, the oldest first."""
    return session.scalars(select(Consent).order_by(Consent.id)).all()


def withdrawn(session: Session) -> Withdrawn:
    """What is withdrawn and was not given again since."""
    newest = {(row.kind, row.subject): row.given for row in stated_consents(session)}
    gone = {kind: frozenset(s for (k, s), given in newest.items() if k == kind and not given) for kind in CONSENT_KINDS}
    return Withdrawn(expert=gone["expert"], dialogue=gone["dialogue"], dataset=gone["dataset"])


def _known(session: Session, kind: str, subject: str) -> bool:
    if kind == "expert":
        return session.scalar(select(User.id).where(User.name == subject)) is not None
    key = "dialogue_id" if kind == "dialogue" else "dataset_version"
    named = Task.prompt[key].as_string() == subject
    return session.scalar(select(Task.id).where(named).limit(1)) is not None
