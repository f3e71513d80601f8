"""Pairs worth reading: those that one side won most clearly, and those over which judges, or readings, differ most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec

from training.evaluation.rubric import OVERALL, Outcome
from training.evaluation.verdicts import Verdict


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A match, the outcome in every respect before each judge that had one, and how lopsided or disputed it is."""

    test: str
    prompt_id: str
    one: str
    other: str
    score: float
    outcomes: dict[str, Outcome]


def lopsided(verdicts: Sequence[Verdict], count: int) -> list[Example]:
    """The matches in which one side won by most, over all judges' abilities and overall outcomes."""
    return _highest(verdicts, count, _imbalance)


def disputed(verdicts: Sequence[Verdict], count: int) -> list[Example]:
    """The matches with most contradiction: judges that name different winners, a judge that changes with the order,
    experts whose votes are split."""
    return _highest(verdicts, count, _dispute)


def _highest(verdicts: Sequence[Verdict], count: int, score: Callable[[Sequence[Verdict]], float]) -> list[Example]:
    together: dict[tuple[str, str, str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.fault is None:
            together[verdict.test, verdict.prompt_id, verdict.one, verdict.other].append(verdict)
    scored = {key: score(group) for key, group in together.items()}
    chosen = sorted((key for key, value in scored.items() if value > 0), key=lambda key: (-scored[key], key))
    return [
        Example(
            test=key[0],
            prompt_id=key[1],
            one=key[2],
            other=key[3],
            score=round(scored[key], 4),
            outcomes={verdict.judge: verdict.outcome for verdict in together[key]},
        )
        for key in chosen[:count]
    ]


def _imbalance(group: Sequence[Verdict]) -> float:
    return abs(sum(sum(verdict.outcome.values()) / len(verdict.outcome) for verdict in group if verdict.outcome))


def _dispute(group: Sequence[Verdict]) -> float:
    winners = {verdict.outcome[OVERALL] for verdict in group if verdict.outcome.get(OVERALL)}
    turned = sum(_turned(verdict.orders) for verdict in group if verdict.orders)
    split = sum(_split(verdict.votes) for verdict in group if verdict.votes)
    return 2 * (len(winners) > 1) + turned + split


def _turned(orders: Sequence[Outcome]) -> float:
    """The share of respects in which both readings name a winner, and not the same one."""
    first, second = orders
    return sum(value * second[axis] < 0 for axis, value in first.items()) / len(first)


def _split(votes: Mapping[str, tuple[int, int, int]]) -> float:
    """How evenly votes are split between the two, from 0 to 1, overall or on average."""
    shares = [2 * min(wins, losses) / (wins + losses) for wins, _, losses in votes.values() if wins + losses]
    return sum(shares) / len(shares) if shares else 0.0
