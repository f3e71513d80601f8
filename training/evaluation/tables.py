"""Verdicts counted: win, tie and loss of every pair in every respect, with intervals and tests by prompt."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from training.evaluation.length import LengthControl, length_controlled
from training.evaluation.rubric import OVERALL
from training.evaluation.shares import (
    Correction,
    Floats,
    by_prompt,
    corrected,
    flip_test,
    interval,
    interval_of_share,
    numbered,
    percentages,
    redraws,
)
from training.evaluation.strength import fit_strengths
from training.evaluation.verdicts import Verdict

Range = tuple[float, float]
SIGNS = np.array([1, 0, -1])
UNKNOWN = "unknown"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """How one model did against another before one judge on one test set, in one respect (`axis`).

    `win`, `tie` and `loss` are whole percentages that sum to 100; `win_rate` is (wins + ties / 2) / verdicts in %.
    Intervals are 95 % bootstrap intervals over dialogues. `p` is of the exact sign-flip test over dialogues,
    `p_corrected` within all tests of this judge in the same table. `missing` matches have no verdict; `bounds` is the
    win rate had all of them been lost, or won.
    """

    judge: str
    test: str
    one: str
    other: str
    axis: str
    department: str | None
    verdicts: int
    dialogues: int
    wins: int
    ties: int
    losses: int
    win: int
    tie: int
    loss: int
    win_rate: float
    win_rate_interval: Range
    win_interval: Range
    tie_interval: Range
    loss_interval: Range
    p: float
    p_corrected: float
    missing: int
    bounds: Range


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many matches of a pair a judge was asked about, how many it judged, and why not the others."""

    judge: str
    test: str
    one: str
    other: str
    asked: int
    judged: int
    faults: dict[str, int]


class Strength(msgspec.Struct, frozen=True, kw_only=True):
    """A model's Bradley-Terry log strength (mean 0) before a judge on a test set, with a 95 % interval over dialogues.

    `tie` is the log of Davidson's tie parameter.
    """

    judge: str
    test: str
    axis: str
    model: str
    strength: float
    interval: Range
    tie: float


class LengthControlled(msgspec.Struct, frozen=True, kw_only=True):
    """The win rate of a pair at equal length, beside the plain one."""

    judge: str
    test: str
    one: str
    other: str
    win_rate: float
    controlled: LengthControl


def count_cells(
    verdicts: Sequence[Verdict], axes: Sequence[str], *, correction: Correction, seed: int, by_department: bool = False
) -> list[Cell]:
    """A cell for each judge, test set, pair and axis with verdicts; with `by_department` for each department too."""
    cells: list[Cell] = []
    for (judge, test, one, other), group in _grouped(verdicts).items():
        parts = _departments(group) if by_department else {None: group}
        for department, part in parts.items():
            for axis in axes:
                cell = _cell((judge, test, one, other), axis, department, part, seed)
                cells += [cell] if cell else []
    return list(_with_corrections(cells, correction))


def coverage(verdicts: Sequence[Verdict]) -> list[Coverage]:
    """What was asked and judged, pair by pair."""
    return [
        Coverage(
            judge=judge,
            test=test,
            one=one,
            other=other,
            asked=len(group),
            judged=sum(verdict.fault is None for verdict in group),
            faults=dict(sorted(Counter(verdict.fault for verdict in group if verdict.fault).items())),
        )
        for (judge, test, one, other), group in _grouped(verdicts).items()
    ]


def strengths(verdicts: Sequence[Verdict], axes: Sequence[str], seed: int) -> list[Strength]:
    """Bradley-Terry strengths of all models that met, by judge, test set and axis."""
    found: list[Strength] = []
    together: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        together[verdict.judge, verdict.test].append(verdict)
    for (judge, test), group in together.items():
        for axis in axes:
            judged = [verdict for verdict in group if axis in verdict.outcome]
            found += _strengths(judge, test, axis, judged, seed) if judged else []
    return found


def length_controls(
    verdicts: Sequence[Verdict], lengths: Mapping[tuple[str, str], int], seed: int
) -> list[LengthControlled]:
    """Win rates at equal length overall; `lengths` are characters of an answer by prompt id and model."""
    found = []
    for (judge, test, one, other), group in _grouped(verdicts).items():
        judged = [verdict for verdict in group if OVERALL in verdict.outcome]
        if not judged:
            continue
        outcomes = np.array([(verdict.outcome[OVERALL] + 1) / 2 for verdict in judged])
        longer = np.array([lengths[v.prompt_id, one] - lengths[v.prompt_id, other] for v in judged], dtype=np.float64)
        prompts = numbered([verdict.cluster for verdict in judged])
        weights = redraws(int(prompts.max()) + 1, seed)[:, prompts]
        control = length_controlled(outcomes, longer, weights)
        plain = 100 * float(outcomes.mean())
        found.append(LengthControlled(judge=judge, test=test, one=one, other=other, win_rate=plain, controlled=control))
    return found


def _cell(
    who: tuple[str, str, str, str], axis: str, department: str | None, group: Sequence[Verdict], seed: int
) -> Cell | None:
    judged = [verdict for verdict in group if axis in verdict.outcome]
    if not judged:
        return None
    judge, test, one, other = who
    missing = len(group) - len(judged)
    sums = _sums(judged, axis)
    wins, ties, losses = (int(count) for count in sums.sum(0))
    total = len(judged)
    win, tie, loss = percentages((wins, ties, losses))
    drawn = redraws(len(sums), seed) @ sums
    shares = 100 * drawn / drawn.sum(1, keepdims=True)
    points, possible = wins + ties / 2, total + missing
    return Cell(
        judge=judge,
        test=test,
        one=one,
        other=other,
        axis=axis,
        department=department,
        verdicts=total,
        dialogues=len(sums),
        wins=wins,
        ties=ties,
        losses=losses,
        win=win,
        tie=tie,
        loss=loss,
        win_rate=100 * points / total,
        win_rate_interval=interval_of_share(shares[:, 0] + shares[:, 1] / 2, 100 * points / total, len(sums)),
        win_interval=interval_of_share(shares[:, 0], 100 * wins / total, len(sums)),
        tie_interval=interval_of_share(shares[:, 1], 100 * ties / total, len(sums)),
        loss_interval=interval_of_share(shares[:, 2], 100 * losses / total, len(sums)),
        p=flip_test([int(net) for net in sums[:, 0] - sums[:, 2]]),
        p_corrected=1.0,
        missing=missing,
        bounds=(100 * points / possible, 100 * (points + missing) / possible),
    )


def _sums(judged: Sequence[Verdict], axis: str) -> Floats:
    """Wins, ties and losses of each dialogue: (dialogues, 3)."""
    outcomes = np.array([verdict.outcome[axis] for verdict in judged])
    return by_prompt((outcomes[:, None] == SIGNS).astype(np.float64), numbered([v.cluster for v in judged]))


def _strengths(judge: str, test: str, axis: str, judged: Sequence[Verdict], seed: int) -> list[Strength]:
    models = list(dict.fromkeys(name for verdict in judged for name in (verdict.one, verdict.other)))
    pairs = list(dict.fromkeys((verdict.one, verdict.other) for verdict in judged))
    prompts = numbered([verdict.cluster for verdict in judged])
    counts = np.zeros((int(prompts.max()) + 1, len(pairs), 3))
    places = np.array([pairs.index((verdict.one, verdict.other)) for verdict in judged])
    np.add.at(counts, (prompts, places, np.array([1 - verdict.outcome[axis] for verdict in judged])), 1.0)
    played = [(models.index(one), models.index(other)) for one, other in pairs]
    fitted = fit_strengths(len(models), played, counts.sum(0)[None])[0]
    drawn = np.tensordot(redraws(len(counts), seed), counts, axes=1)
    redrawn = fit_strengths(len(models), played, drawn)
    return [
        Strength(
            judge=judge,
            test=test,
            axis=axis,
            model=model,
            strength=float(fitted[place]),
            interval=interval(redrawn[:, place]),
            tie=float(fitted[-1]),
        )
        for place, model in enumerate(models)
    ]


def _with_corrections(cells: Sequence[Cell], correction: Correction) -> Iterator[Cell]:
    """Each cell with its p corrected within those of its judge."""
    families: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        families[cell.judge].append(cell)
    for family in families.values():
        values = corrected([cell.p for cell in family], correction)
        for cell, value in zip(family, values, strict=True):
            yield msgspec.structs.replace(cell, p_corrected=value)


def _grouped(verdicts: Sequence[Verdict]) -> dict[tuple[str, str, str, str], list[Verdict]]:
    groups: dict[tuple[str, str, str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        groups[verdict.judge, verdict.test, verdict.one, verdict.other].append(verdict)
    return groups


def _departments(group: Sequence[Verdict]) -> dict[str | None, list[Verdict]]:
    parts: dict[str | None, list[Verdict]] = defaultdict(list)
    for verdict in group:
        parts[verdict.department or UNKNOWN].append(verdict)
    return dict(sorted(parts.items(), key=lambda part: str(part[0])))
