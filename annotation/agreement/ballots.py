"""A campaign's newest rankings as arrays, followed as they come: what all figures of agreement are made from.

At 20,000 prompts and six experts reading everything takes seconds; `Ballots.follow` reads what is new alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Text, and_, cast, func, select
from sqlalchemy.orm import Session

from annotation.agreement.measures import MISSING, Levels
from annotation.tables.decisions import Flag, GoldOrder, Ranking, Repeat, Submission
from annotation.tables.models import Answer, Assignment, Task
from annotation.tiers import level_of
from corpus.records import Dimension, Tiers

# PostgreSQL may show a row with a smaller number later than one with a larger: as far back new rows are looked for.
LATE = 500

_tiers = msgspec.json.Decoder(Tiers)
_shown = msgspec.json.Decoder(list[tuple[str, str]])


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A task as it was made: its answers by output id, sorted, their lengths in characters; the known order of gold;
    the task that it repeats."""

    prompt_id: str
    output_ids: list[str]
    lengths: list[int]
    gold: Tiers | None = None
    original: int | None = None

    @property
    def counts(self) -> bool:
        """Whether it is neither gold nor a repeat."""
        return self.gold is None and self.original is None


ROW = np.dtype(
    [
        ("task", np.int64),
        ("expert", np.int64),
        ("seconds", np.float64),
        ("at", np.float64),
        ("rule", np.int16),
        ("refused", np.bool_),
        ("flagged", np.bool_),
    ]
)
BLANK = np.array((0, 0, np.nan, np.nan, MISSING, False, False), ROW)


class Ballots:
    """`table` has a row for each of `rows` assignments: ids of task and expert, and of the newest submission its time
    on task, its moment (seconds since 1970), its rule (a place in `rules`), whether the expert could not judge, and
    whether she saw a danger. `order` holds the place at which each answer was shown, `levels` by dimension her
    ranking, `MISSING` where there is none; answers are in the order of their sheet.

    `foreign` are rankings of other answers than the task has now, as (row, dimension). `version` grows with every
    change.
    """

    def __init__(self, campaign_id: int) -> None:
        self.campaign_id = campaign_id
        self.version = 0
        self.sheets: dict[int, Sheet] = {}
        self.rules: list[str] = []
        self.foreign: set[tuple[int, Dimension]] = set()
        self.levels: dict[Dimension, Levels] = {}
        self.rows = 0
        self.table = np.full(0, BLANK)
        self.order = np.full((0, 2), MISSING, np.int8)
        self._row_of: dict[int, int] = {}
        self._place_of: dict[int, dict[str, int]] = {}
        self._recent: set[int] = set()

    def column(self, name: str) -> NDArray[Any]:
        """A column of the table, without the room kept for more rows."""
        return self.table[name][: self.rows]

    def ranked(self) -> NDArray[np.bool_]:
        """Which rows are ranked in any dimension, by whatever rule."""
        found = np.zeros(self.rows, np.bool_)
        for levels in self.levels.values():
            found |= (levels[: self.rows] >= 0).any(axis=1)
        return found

    def follow(self, session: Session) -> None:
        """Take in what was submitted since the last time."""
        fresh = [row for row in self._submitted(session) if row.id not in self._recent]
        fresh_tasks = self._follow_assignments(session)
        if not fresh and not fresh_tasks:
            return
        self.version += 1
        self._store(fresh)
        self._flag(session, {row.id: self._row_of[row.assignment_id] for row in fresh})
        newest = max((*self._recent, *(row.id for row in fresh)), default=0)
        self._recent = {number for number in (*self._recent, *(row.id for row in fresh)) if number > newest - LATE}

    def _submitted(self, session: Session) -> Sequence[Any]:
        ranking = and_(Ranking.assignment_id == Submission.assignment_id, Ranking.version == Submission.version)
        query = (
            select(
                Submission.id,
                Submission.assignment_id,
                Submission.verdict,
                Submission.seconds,
                Submission.guideline_version,
                Submission.created_at,
                Ranking.dimension,
                cast(Ranking.tiers, Text).label("tiers"),
            )
            .join(Assignment, Assignment.id == Submission.assignment_id)
            .outerjoin(Ranking, ranking)
            .where(Assignment.campaign_id == self.campaign_id)
            .order_by(Submission.id)
        )
        return session.execute(query.where(Submission.id > max(self._recent, default=0) - LATE)).all()

    def _follow_assignments(self, session: Session) -> bool:
        query = (
            select(Assignment.id, Assignment.task_id, Assignment.expert_id, cast(Assignment.shown, Text).label("shown"))
            .where(Assignment.campaign_id == self.campaign_id, Assignment.id > max(self._row_of, default=0) - LATE)
            .order_by(Assignment.id)
        )
        fresh = [row for row in session.execute(query) if row.id not in self._row_of]
        if any(row.task_id not in self.sheets for row in fresh):
            self._read_sheets(session)
        widest = max((len(sheet.output_ids) for sheet in self.sheets.values()), default=2)
        self._reserve(self.rows + len(fresh), widest)
        for row in fresh:
            here, place_of = self.rows, self._place_of[row.task_id]
            self._row_of[row.id] = here
            self.table[here]["task"], self.table[here]["expert"] = row.task_id, row.expert_id
            for place, (_, output_id) in enumerate(_shown.decode(row.shown)):
                if output_id in place_of:
                    self.order[here, place_of[output_id]] = place
            self.rows += 1
        return bool(fresh)

    def _read_sheets(self, session: Session) -> None:
        of_campaign = Task.campaign_id == self.campaign_id
        gold = {row.task_id: row.tiers for row in session.scalars(select(GoldOrder))}
        original = {row.task_id: row.original_id for row in session.scalars(select(Repeat))}
        answers: dict[int, list[tuple[str, int]]] = {}
        lengths = select(Answer.task_id, Answer.output_id, func.length(Answer.text)).join(
            Task, Task.id == Answer.task_id
        )
        for task_id, output_id, length in session.execute(lengths.where(of_campaign)):
            answers.setdefault(task_id, []).append((output_id, length))
        for task_id, prompt_id in session.execute(select(Task.id, Task.prompt_id).where(of_campaign)):
            found = sorted(answers.get(task_id, []))
            self.sheets[task_id] = Sheet(
                prompt_id=prompt_id,
                output_ids=[output_id for output_id, _ in found],
                lengths=[length for _, length in found],
                gold=gold.get(task_id),
                original=original.get(task_id),
            )
            self._place_of[task_id] = {output_id: place for place, (output_id, _) in enumerate(found)}

    def _store(self, fresh: Iterable[Any]) -> None:
        """Newer submissions come later; one that ranks in some dimensions alone leaves the others as they are."""
        for row in fresh:
            here = self._row_of[row.assignment_id]
            task, expert = self.table[here].item()[:2]
            rule, refused = self._number_of_rule(row.guideline_version), row.verdict == "cannot_judge"
            self.table[here] = (task, expert, row.seconds, row.created_at.timestamp(), rule, refused, False)
            if row.verdict == "ranked":
                if row.dimension is not None:
                    self._rank(here, row.dimension, _tiers.decode(row.tiers))
            else:
                self._forget(here)

    def _forget(self, row: int) -> None:
        for dimension, levels in self.levels.items():
            levels[row] = MISSING
            self.foreign.discard((row, dimension))

    def _rank(self, row: int, dimension: Dimension, tiers: Tiers) -> None:
        if dimension not in self.levels:
            self.levels[dimension] = np.full(self.order.shape, MISSING, np.int8)
        place_of, found = self._place_of[int(self.table[row]["task"])], level_of(tiers)
        self.levels[dimension][row] = MISSING
        self.foreign.discard((row, dimension))
        if found.keys() != place_of.keys():
            self.foreign.add((row, dimension))
            return
        for output_id, level in found.items():
            self.levels[dimension][row, place_of[output_id]] = level

    def _flag(self, session: Session, row_of: dict[int, int]) -> None:
        if not row_of:
            return
        query = select(Flag.submission_id).where(Flag.submission_id >= min(row_of)).distinct()
        newest: dict[int, int] = {row: submission for submission, row in sorted(row_of.items())}
        for submission in session.scalars(query):
            row = row_of.get(submission)
            if row is not None and newest[row] == submission:
                self.table[row]["flagged"] = True

    def _number_of_rule(self, version: str) -> int:
        if version not in self.rules:
            self.rules.append(version)
        return self.rules.index(version)

    def _reserve(self, rows: int, answers: int) -> None:
        """Room for as many rows and answers; what is there stays."""
        had = self.order.shape
        if had[0] >= rows and had[1] >= answers:
            return
        size = (max(rows, 2 * had[0]), max(answers, had[1]))
        self.table = _grown(self.table, size[:1], BLANK)
        self.order = _grown(self.order, size, MISSING)
        self.levels = {dimension: _grown(levels, size, MISSING) for dimension, levels in self.levels.items()}


def followed(session: Session, campaign_id: int) -> Ballots:
    """The ballots of a campaign as they stand."""
    ballots = Ballots(campaign_id)
    ballots.follow(session)
    return ballots


def _grown(array: NDArray[Any], size: tuple[int, ...], blank: Any) -> NDArray[Any]:
    larger = np.full(size, blank, array.dtype)
    larger[tuple(slice(length) for length in array.shape)] = array
    return larger
