"""How the experts' agreement went, day by day or week by week."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np

from annotation.agreement.agreement import measured
from annotation.agreement.ballots import Ballots
from annotation.agreement.measures import Levels
from annotation.agreement.panels import Panel

MOST_DAYS = 31
FEWEST_PER_PERIOD = 5


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """The prompts that were last ranked in a day or week from `start` on; values as in the summary."""

    start: date
    prompts: int
    alpha: float | None
    kendall_w: float | None
    pair_agreement: float | None


def over_time(ballots: Ballots, laid: Panel) -> list[Period]:
    """Agreement by day, or by week where the campaign is longer than a month (UTC); a prompt counts when its last
    ranking came. Under `FEWEST_PER_PERIOD` prompts there are no values."""
    if not laid.rows.size:
        return []
    moments = np.where(laid.rows >= 0, ballots.column("at")[laid.rows], -np.inf).max(axis=0)
    days = [datetime.fromtimestamp(moment, UTC).date() for moment in moments.tolist()]
    if (max(days) - min(days)).days > MOST_DAYS:
        days = [day - timedelta(days=day.weekday()) for day in days]
    when = np.array(days)
    return [_period(day, laid.levels[:, when == day]) for day in sorted(set(days))]


def _period(start: date, levels: Levels) -> Period:
    prompts = levels.shape[1]
    if prompts < FEWEST_PER_PERIOD:
        return Period(start=start, prompts=prompts, alpha=None, kendall_w=None, pair_agreement=None)
    found = measured(levels, [str(place) for place in range(len(levels))])
    return Period(
        start=start,
        prompts=prompts,
        alpha=found.alpha.value if found.alpha else None,
        kendall_w=found.kendall_w,
        pair_agreement=found.pair_agreement,
    )
