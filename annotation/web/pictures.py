"""The plots of the dashboards, in the language of their reader."""

from __future__ import annotations

from functools import partial

from markupsafe import Markup

from annotation.agreement.boards import W_BINS, CampaignBoard, ExpertsBoard
from annotation.agreement.intervals import Share
from annotation.status import figure
from annotation.web import charts
from annotation.web.texts import text

RELIABLE, TENTATIVE = 0.8, 0.667


def pictures_of_campaign(board: CampaignBoard, language: str) -> dict[str, Markup]:
    """Plots by name; one that would be empty is not there."""
    t = partial(text, language)
    found = {}
    if len(board.periods) > 1:
        found["periods"] = charts.lines(
            {
                "alpha": [period.alpha for period in board.periods],
                "alike": [period.pair_agreement for period in board.periods],
            },
            [f"{period.start:%m-%d}" for period in board.periods],
            t("plot_periods", last=figure(board.periods[-1].alpha)),
            guides=(TENTATIVE, RELIABLE),
        )
    if sum(board.concordance):
        tenths = {f".{place}": float(count) for place, count in enumerate(board.concordance)}
        low = [name for place, name in enumerate(tenths) if (place + 1) / W_BINS <= board.lowest_w]
        found["concordance"] = charts.bars(tenths, t("plot_concordance"), marked=low)
    if board.days:
        days = {f"{day:%m-%d}": float(count) for day, count in board.days.items()}
        found["days"] = charts.bars(days, t("plot_days"))
    if any(board.certainty.kinds.values()):
        found["certainty"] = charts.shares(board.certainty.kinds, t("plot_certainty"))
    return found


def pictures_of_experts(board: ExpertsBoard, language: str) -> dict[str, Markup]:
    """The experts' intervals, side by side."""
    t = partial(text, language)
    found = {}
    for name in ("others", "gold", "herself"):
        shares = {
            row.standing.expert: getattr(row.reliability, name) if row.reliability else None for row in board.rows
        }
        rows = {
            expert: (one.value, one.low, one.high) if isinstance(one, Share) else None for expert, one in shares.items()
        }
        if any(rows.values()):
            low = min(0.5, *(row[1] for row in rows.values() if row))
            found[name] = charts.intervals(rows, t(f"plot_{name}"), low=int(low * 10) / 10, guide=0.5)
    return found
