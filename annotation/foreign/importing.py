"""Rankings of other tools into a campaign: each enters as if its expert had sent it from the page, or is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from annotation.campaigns.settling import assign
from annotation.errors import ConflictError, InvalidError, RefusedError
from annotation.foreign import argilla, label_studio_json, label_tool
from annotation.foreign.matching import Catalogue, in_order_of_ids, orders_of
from annotation.foreign.rows import Ranked, Refused, Row, UnusableError, elements, read_text
from annotation.identity.people import record
from annotation.ranking import Decision, submit
from annotation.tables.decisions import Submission
from annotation.tables.models import Assignment, Campaign, Task, User
from corpus.records import Dimension, Tiers, make_id
from foundation.errors import ZhongjingError
from foundation.progress import track
from foundation.rejects import Reject

STAGE = "rank import"
LABEL_TOOL, ARGILLA, LABEL_STUDIO = "rlhf-label-tool", "argilla", "label-studio"
FORMATS = (LABEL_TOOL, ARGILLA, LABEL_STUDIO)
SHOWN_BESIDE = "input_file.json"
WORDS = {"key_used": "another order of this expert's was imported for this prompt before"}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A file, what it is, and its words."""

    path: Path
    format: str
    text: str


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an import: rankings stored now, those that had been stored from the same files before, refusals."""

    stored: int
    simulated: int
    already: int
    refused: list[Reject]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """On what terms files are read: `expert` is whose all rankings are, `experts` maps names in the files to names
    here; with `in_order_of_ids` RLHF-Label-Tool showed the answers by output id."""

    expert: str | None = None
    experts: Mapping[str, str] = {}
    in_order_of_ids: bool = False


def import_rankings(session: Session, campaign: Campaign, files: Sequence[Path], terms: Terms) -> Imported:
    """Submit the rankings in `files`; what cannot be one is refused with file and line, and the others go on.

    The format is found by itself: RLHF-Label-Tool's TSV (with its input file among `files` or beside it), Argilla's
    records, Label Studio's JSON export. Importing the same files again changes nothing.
    """
    if campaign.closed_at is not None:
        raise ConflictError("closed", f"the campaign {campaign.name} is closed")
    desk = _Desk(session, campaign, terms)
    shown, sources = _opened(files)
    for source in sources:
        rows = list(_rows(source, partial(_shown, shown, desk.catalogue, terms)))
        for row in track(rows, f"rankings of {source.path.name}"):
            desk.take(source, row)
    record(session, None, "rankings_imported", f"campaign:{campaign.id}", {"stored": desk.stored})
    return Imported(stored=desk.stored, simulated=desk.simulated, already=desk.already, refused=desk.refused)


class _Desk:
    def __init__(self, session: Session, campaign: Campaign, terms: Terms) -> None:
        self.session, self.campaign, self.terms = session, campaign, terms
        self.catalogue = Catalogue(session, campaign)
        self.stored = self.simulated = self.already = 0
        self.refused: list[Reject] = []
        self._seen: dict[tuple[str, str], str] = {}

    def take(self, source: Source, row: Row) -> None:
        """Store one ranking, or note why not."""
        if isinstance(row, Refused):
            self._refuse(source, row.line, row.reason)
            return
        try:
            task = self.catalogue.find(row.prompt_id, row.turns)
            orders = orders_of(task, row)
            expert = self._expert(row)
            self._refuse_repeated(source, row.line, task, expert)
            with self.session.begin_nested():
                self._store(source, row.line, task, expert, orders, row.seconds)
        except UnusableError as error:
            self._refuse(source, row.line, str(error))
        except RefusedError as error:
            self._refuse(source, row.line, WORDS.get(error.reason, error.message))

    def _store(
        self, source: Source, line: int, task: Task, expert: User, orders: Mapping[Dimension, Tiers], seconds: float
    ) -> None:
        key = make_id("imported", self.campaign.name, task.prompt_id, expert.name)
        before = self.session.scalar(select(Submission.id).where(Submission.key == key))
        assignment = self._assignment(task, expert, new=before is None)
        label = {output_id: label for label, output_id in assignment.shown}
        submit(
            self.session,
            assignment_id=assignment.id,
            expert_id=expert.id,
            decision=Decision(orders={name: [[label[i] for i in tier] for tier in t] for name, t in orders.items()}),
            key=key,
            seconds=seconds,
            origin=f"{source.format} {source.path.name}:{line}",
        )
        self.already += before is not None
        self.stored += before is None
        self.simulated += before is None and expert.simulated

    def _assignment(self, task: Task, expert: User, *, new: bool) -> Assignment:
        """The expert's own of this task, made where she was not asked; `new` must not have been answered here."""
        own = (Assignment.task_id == task.id) & (Assignment.expert_id == expert.id)
        found = self.session.scalar(select(Assignment).where(own).options(joinedload(Assignment.campaign)))
        if found is None:
            return assign(self.session, self.campaign, task, expert)
        if new and found.completed_at is not None:
            raise UnusableError("this expert has answered this prompt here already")
        return found

    def _expert(self, row: Ranked) -> User:
        name = self.terms.expert or self.terms.experts.get(row.expert or "", row.expert)
        if name is None:
            raise UnusableError("the file does not say who ranked: name the expert with --expert")
        user = self.session.scalar(select(User).where(User.name == name))
        if user is None or user.role not in ("expert", "senior"):
            raise UnusableError("who ranked this is no expert here: name her with --expert or --as")
        if row.simulated and not user.simulated:
            raise UnusableError("a simulated ranking is not a real expert's")
        return user

    def _refuse_repeated(self, source: Source, line: int, task: Task, expert: User) -> None:
        place = f"{source.path.name}:{line}"
        first = self._seen.setdefault((task.prompt_id, expert.name), place)
        if first != place:
            raise UnusableError(f"this expert ranked this prompt in {first} already")

    def _refuse(self, source: Source, line: int, reason: str) -> None:
        self.refused.append(Reject(stage=STAGE, reason=reason, file=str(source.path), line=line))


def _opened(files: Sequence[Path]) -> tuple[dict[str, list[str]], list[Source]]:
    """The answers as RLHF-Label-Tool showed them, from its input files, and the files that hold rankings."""
    shown: dict[str, list[str]] = {}
    sources = []
    for path in files:
        text = _text(path)
        if (found := label_tool.read_shown(text)) is not None:
            shown.update(found)
        else:
            sources.append(Source(path=path, format=_format(path, text), text=text))
    for source in sources:
        beside = source.path.with_name(SHOWN_BESIDE)
        if source.format == LABEL_TOOL and not shown and beside.is_file():
            shown = label_tool.read_shown(_text(beside)) or {}
    if not sources:
        raise InvalidError("no_rankings", "none of these files holds rankings")
    return shown, sources


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except UnicodeDecodeError as error:
        raise ZhongjingError(
            "this file is neither UTF-8 nor GB18030 nor UTF-16", where=path, hint="save it as UTF-8"
        ) from error


def _format(path: Path, text: str) -> str:
    if label_tool.is_table(text):
        return LABEL_TOOL
    for found in elements(text):
        if not isinstance(found, Refused):
            if argilla.is_record(found[1]):
                return ARGILLA
            if label_studio_json.is_task(found[1]):
                return LABEL_STUDIO
            break
    raise ZhongjingError("these are rankings of no tool that is known here", where=path, hint=f"{', '.join(FORMATS)}")


def _rows(source: Source, shown: label_tool.Shown) -> Iterator[Row]:
    if source.format == LABEL_TOOL:
        return label_tool.read_table(source.text, shown)
    return argilla.read_records(source.text) if source.format == ARGILLA else label_studio_json.read_tasks(source.text)


def _shown(
    shown: Mapping[str, list[str]], catalogue: Catalogue, terms: Terms, name: str, turns: Sequence[str]
) -> Sequence[str]:
    """The answers to a prompt in the order in which RLHF-Label-Tool showed them."""
    if name in shown:
        return shown[name]
    if terms.in_order_of_ids:
        return in_order_of_ids(catalogue.find(name, turns))
    raise UnusableError(
        f"the order in which the answers were shown is not known: give the tool's {SHOWN_BESIDE} as well"
    )
