"""What moves a judge besides the answers: their place, their length; and how far judges agree with one another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import msgspec
import numpy as np

from training.evaluation.length import length_effect
from training.evaluation.rubric import OVERALL
from training.evaluation.shares import Floats, by_prompt, flip_test, interval, kappa, kappas, numbered, redraws
from training.evaluation.verdicts import Verdict

Range = tuple[float, float]
SURE = 0.05


class PositionBias(msgspec.Struct, frozen=True, kw_only=True):
    """What changed when a judge saw the same pairs in the other order, in one respect.

    Of `pairs`, `inconsistent` had another outcome and were counted as ties; in `first` of them both readings (or the
    one that was no tie) preferred what stood first, in `second` what stood second. `p` is of the exact sign-flip test
    that neither place is preferred, over dialogues; `found` says it was, which place in `favours`.
    """

    judge: str
    axis: str
    pairs: int
    inconsistent: int
    share: float
    first: int
    second: int
    p: float
    found: bool
    favours: str | None


class LengthBias(msgspec.Struct, frozen=True, kw_only=True):
    """What length has to do with a judge's overall outcomes.

    Among `decided` pairs of answers of unequal length the longer one won `longer_won`, `share` %. Good answers may be
    longer, so that this alone is no bias: `effect` is what length adds (log odds) to who met whom, and `found` says
    that its 95 % interval over dialogues leaves out 0.
    """

    judge: str
    decided: int
    longer_won: int
    share: float
    effect: float
    interval: Range
    found: bool


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Two judges on the pairs both judged, in one respect: share of equal outcomes in %, Cohen's kappa over win, tie
    and loss with a 95 % interval over dialogues; rows of `table` are `one`'s win, tie, loss, columns `other`'s."""

    one: str
    other: str
    axis: str
    pairs: int
    share: float
    kappa: float | None
    interval: Range | None
    table: list[list[int]]


class Concord(msgspec.Struct, frozen=True, kw_only=True):
    """How far the experts agree among themselves, in one respect: the share of pairs of votes on the same pair of
    answers that are equal, in %, and Fleiss' kappa (over pairs with the same, most common number of votes)."""

    judge: str
    axis: str
    pairs: int
    votes: int
    share: float
    kappa: float | None


def position_biases(verdicts: Sequence[Verdict]) -> list[PositionBias]:
    """For each judge that was shown both orders, and each axis."""
    found = []
    for judge, group in _by_judge(verdict for verdict in verdicts if verdict.orders).items():
        clusters = numbered([verdict.cluster for verdict in group])
        for axis in group[0].outcome:
            readings = np.array([[order[axis] for order in verdict.orders] for verdict in group])
            pull = np.sign(readings[:, 0] - readings[:, 1])  # 1: what stood first was preferred
            nets = by_prompt(pull[:, None].astype(np.float64), clusters)[:, 0]
            first, second = int((pull > 0).sum()), int((pull < 0).sum())
            p = flip_test([int(net) for net in nets])
            favours = ("first" if first > second else "second") if p < SURE else None
            found.append(
                PositionBias(
                    judge=judge,
                    axis=axis,
                    pairs=len(group),
                    inconsistent=first + second,
                    share=100 * (first + second) / len(group),
                    first=first,
                    second=second,
                    p=p,
                    found=favours is not None,
                    favours=favours,
                )
            )
    return found


def length_biases(verdicts: Sequence[Verdict], lengths: Mapping[tuple[str, str], int], seed: int) -> list[LengthBias]:
    """For each judge that judges overall; `lengths` are characters of an answer by prompt id and model."""
    found = []
    for judge, group in _by_judge(verdict for verdict in verdicts if OVERALL in verdict.outcome).items():
        outcomes = np.array([verdict.outcome[OVERALL] for verdict in group])
        longer = np.array([lengths[v.prompt_id, v.one] - lengths[v.prompt_id, v.other] for v in group])
        won = np.sign(longer) * outcomes
        if not won.any():
            continue
        clusters = numbered([verdict.cluster for verdict in group])
        pairs = numbered([f"{verdict.test}/{verdict.one}/{verdict.other}" for verdict in group])
        weights = redraws(int(clusters.max()) + 1, seed)[:, clusters]
        effect, (low, high) = length_effect(pairs, (outcomes + 1) / 2, longer.astype(np.float64), weights)
        found.append(
            LengthBias(
                judge=judge,
                decided=int((won != 0).sum()),
                longer_won=int((won > 0).sum()),
                share=100 * float((won > 0).sum() / (won != 0).sum()),
                effect=effect,
                interval=(low, high),
                found=not low <= 0 <= high,
            )
        )
    return found


def agreements(verdicts: Sequence[Verdict], seed: int) -> list[Agreement]:
    """For every two judges and every axis that both judge."""
    outcomes = {
        judge: {(verdict.prompt_id, verdict.one, verdict.other): verdict for verdict in group if not verdict.fault}
        for judge, group in _by_judge(verdicts).items()
    }
    found = []
    for one, other in combinations(outcomes, 2):
        common = [(outcomes[one][key], outcomes[other][key]) for key in outcomes[one] if key in outcomes[other]]
        for axis in dict.fromkeys(axis for left, _ in common for axis in left.outcome):
            both = [pair for pair in common if axis in pair[0].outcome and axis in pair[1].outcome]
            if both:
                found.append(_agreement((one, other), axis, both, seed))
    return found


def concords(verdicts: Sequence[Verdict]) -> list[Concord]:
    """For judges that are several people."""
    found = []
    for judge, group in _by_judge(verdict for verdict in verdicts if verdict.votes).items():
        for axis in dict.fromkeys(axis for verdict in group for axis in verdict.votes):
            votes = np.array([verdict.votes[axis] for verdict in group if axis in verdict.votes])
            votes = votes[votes.sum(1) > 1]
            if len(votes):
                totals = votes.sum(1)
                alike, possible = (votes * (votes - 1)).sum(), (totals * (totals - 1)).sum()
                found.append(
                    Concord(
                        judge=judge,
                        axis=axis,
                        pairs=len(votes),
                        votes=int(totals.sum()),
                        share=100 * float(alike / possible),
                        kappa=fleiss(votes[totals == np.bincount(totals).argmax()]),
                    )
                )
    return found


def fleiss(votes: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> float | None:
    """Fleiss' kappa (1971) of counts (pairs, categories), each row with the same number of votes; None where all
    votes are of one category."""
    raters = int(votes[0].sum())
    observed = float(((votes * (votes - 1)).sum(1) / (raters * (raters - 1))).mean())
    chance = float(((votes.sum(0) / votes.sum()) ** 2).sum())
    return (observed - chance) / (1 - chance) if chance < 1 else None


def _agreement(who: tuple[str, str], axis: str, both: Sequence[tuple[Verdict, Verdict]], seed: int) -> Agreement:
    clusters = numbered([left.cluster for left, _ in both])
    places = np.array([3 * (1 - left.outcome[axis]) + 1 - right.outcome[axis] for left, right in both])
    counts: Floats = by_prompt(np.eye(9)[places], clusters)
    table = counts.sum(0).reshape(3, 3)
    drawn = kappas((redraws(len(counts), seed) @ counts).reshape(-1, 3, 3))
    known = drawn[~np.isnan(drawn)]
    return Agreement(
        one=who[0],
        other=who[1],
        axis=axis,
        pairs=len(both),
        share=100 * float(np.trace(table) / table.sum()),
        kappa=kappa(table),
        interval=interval(known) if len(known) else None,
        table=[[int(count) for count in row] for row in table],
    )


def _by_judge(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        groups[verdict.judge].append(verdict)
    return groups
