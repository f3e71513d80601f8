"""Verdicts: what a judge says of two answers to one prompt, in which respect, or why it says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from training.evaluation.answers import Answer, Answers
from training.evaluation.items import Item
from training.evaluation.rubric import Outcome

NO_ANSWER = "no_answer"


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of `verdicts.jsonl`. `outcome` is 1 where `one` is better, 0 for a tie, -1 where `other` is, by axis.

    `orders` are the two readings of a judge that is shown both orders, from `one`'s side: with `one` first, then with
    `other` first. `votes` are those of several people as (wins, ties, losses), by axis. `fault` says why there is no
    outcome: such a verdict counts for nobody.
    """

    judge: str
    test: str
    prompt_id: str
    cluster: str
    one: str
    other: str
    department: str | None = None
    outcome: Outcome = {}
    orders: list[Outcome] = []
    votes: dict[str, tuple[int, int, int]] = {}
    fault: str | None = None


class Match(msgspec.Struct, frozen=True):
    """Two models' answers to one item."""

    item: Item
    one: str
    other: str
    first: Answer
    second: Answer

    def verdict(
        self,
        judge: str,
        outcome: Outcome | None = None,
        *,
        orders: Sequence[Outcome] = (),
        fault: str | None = None,
    ) -> Verdict:
        """What a judge says of it."""
        return Verdict(
            judge=judge,
            test=self.item.test,
            prompt_id=self.item.id,
            cluster=self.item.cluster,
            one=self.one,
            other=self.other,
            department=self.item.prompt.department,
            outcome=outcome or {},
            orders=list(orders),
            fault=fault,
        )


def matches(items: Sequence[Item], pairs: Sequence[tuple[str, str]], answers: Answers) -> list[Match]:
    """Every pair of models on every item."""
    return [
        Match(item, one, other, answers[one][item.id], answers[other][item.id])
        for one, other in pairs
        for item in items
    ]


def judgeable(judge: str, every: Sequence[Match], axes: Sequence[str]) -> tuple[list[Match], list[Verdict]]:
    """Those with two answers to compare, and verdicts on the others: where a model gave none there is no outcome, and
    two answers in the same words tie on all `axes`."""
    able: list[Match] = []
    settled: list[Verdict] = []
    for match in every:
        if match.first.fault or match.second.fault:
            settled.append(match.verdict(judge, fault=NO_ANSWER))
        elif match.first.text == match.second.text:
            settled.append(match.verdict(judge, dict.fromkeys(axes, 0)))
        else:
            able.append(match)
    return able, settled


def agreed(orders: Sequence[Outcome]) -> Outcome:
    """What both readings of a pair say; a tie wherever they differ."""
    first, second = orders
    return {axis: value if value == second[axis] else 0 for axis, value in first.items()}


def swapped(outcome: Outcome) -> Outcome:
    """The same outcome from the other side."""
    return {axis: -value for axis, value in outcome.items()}


def in_order(verdicts: Sequence[Verdict], every: Sequence[Match]) -> Iterator[Verdict]:
    """Verdicts in the order of pairs and items, however they came."""
    by_match = {(verdict.one, verdict.other, verdict.prompt_id): verdict for verdict in verdicts}
    for match in every:
        verdict = by_match.get((match.one, match.other, match.item.id))
        if verdict is not None:
            yield verdict
