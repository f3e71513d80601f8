"""What the dashboards show: everything known of a campaign, and of each of its experts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from datetime import UTC, date, datetime

import msgspec
import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotation.agreement.agreement import AgreementSummary, ExpertAgreement, measured, summarise
from annotation.agreement.ballots import Ballots
from annotation.agreement.biases import (
    LengthBias,
    Pace,
    PositionBias,
    as_shown,
    length_biases,
    longer_preferred,
    paces,
    position_bias,
    position_biases,
)
from annotation.agreement.certainty import Certainty, certainty
from annotation.agreement.gaps import Gap, gap_in
from annotation.agreement.intervals import Share
from annotation.agreement.measures import Alpha, kendall_w, ranked
from annotation.agreement.panels import NO_ROW, Panel, answer_lengths, own_tasks, panel
from annotation.agreement.periods import Period, over_time
from annotation.agreement.reliability import Reliability, on_gold, on_repeats, overall, reliabilities
from annotation.tables.models import Adjudication, Campaign, User
from corpus.records import Dimension

W_BINS = 10


class ByDimension(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement in one dimension, or why there is no saying."""

    dimension: Dimension
    rankings: int
    alpha: Alpha | Gap
    kendall_w: float | None
    tau_b: float | None
    pair_agreement: float | None


class CampaignBoard(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign in one dimension. `concordance` counts prompts by W in tenths, under `lowest_w` they are for
    a senior expert; `days` counts rankings by day (UTC); `gold`, `herself`, `longer` are shares over all experts,
    `position` tests all their rankings together."""

    summary: AgreementSummary
    dimensions: list[ByDimension]
    periods: list[Period]
    concordance: list[int]
    lowest_w: float
    certainty: Certainty
    days: dict[date, int]
    gold: Share | Gap
    herself: Share | Gap
    longer: Share | Gap
    position: PositionBias | Gap


class ExpertRow(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of an expert; without rankings everything but the first is None."""

    standing: ExpertAgreement
    reliability: Reliability | None
    position: PositionBias | Gap | None
    length: LengthBias | Gap | None
    pace: Pace | Gap | None


class ExpertsBoard(msgspec.Struct, frozen=True, kw_only=True):
    """The experts of a campaign in one dimension; `tau_b` is their square, None on the diagonal and where two share no
    prompt that tells."""

    summary: AgreementSummary
    rows: list[ExpertRow]
    tau_b: list[list[float | None]]


def stamp(session: Session, campaign: Campaign, ballots: Ballots) -> tuple[Hashable, ...]:
    """What a board depends on: as long as it is the same, so is the board."""
    decisions = session.scalar(select(func.max(Adjudication.id)))
    gone = session.execute(select(func.count(User.left_at), func.max(User.left_at))).one()
    return (campaign.id, ballots.version, campaign.guideline_version, tuple(campaign.dimensions), decisions, *gone)


def campaign_board(session: Session, campaign: Campaign, ballots: Ballots, dimension: Dimension) -> CampaignBoard:
    """Work a campaign's dashboard out."""
    rule = campaign.guideline_version
    laid = panel(ballots, dimension, own_tasks(ballots), rule)
    concordance = kendall_w(laid.levels)
    known = concordance[~np.isnan(concordance)]
    return CampaignBoard(
        summary=summarise(session, campaign, ballots, dimension),
        dimensions=[_by_dimension(ballots, one, rule) for one in campaign.dimensions],
        periods=over_time(ballots, laid),
        concordance=np.histogram(known, bins=W_BINS, range=(0, 1))[0].tolist(),
        lowest_w=campaign.adjudicate_below,
        certainty=certainty(laid.levels),
        days=_days(ballots, laid),
        gold=on_gold(ballots, dimension, rule),
        herself=on_repeats(ballots, dimension, rule),
        longer=_longer(ballots, laid),
        position=_position(ballots, laid),
    )


def experts_board(session: Session, campaign: Campaign, ballots: Ballots, dimension: Dimension) -> ExpertsBoard:
    """Work the experts' dashboard out."""
    laid = panel(ballots, dimension, own_tasks(ballots), campaign.guideline_version)
    summary = summarise(session, campaign, ballots, dimension)
    number = dict(session.execute(select(User.name, User.id).where(User.id.in_(laid.experts.tolist()))).all())
    place = {expert: at for at, expert in enumerate(laid.experts.tolist())}
    found = list(
        zip(
            reliabilities(ballots, laid, dimension, campaign.guideline_version),
            position_biases(ballots, laid),
            length_biases(ballots, laid),
            paces(ballots, laid),
            strict=True,
        )
    )
    rows = []
    for standing in summary.experts:
        mine = found[place[number[standing.expert]]] if standing.expert in number else (None,) * 4
        rows.append(ExpertRow(standing=standing, reliability=mine[0], position=mine[1], length=mine[2], pace=mine[3]))
    return ExpertsBoard(summary=summary, rows=rows, tau_b=_square(summary))


def _square(summary: AgreementSummary) -> list[list[float | None]]:
    found = {frozenset((pair.one, pair.other)): pair.tau_b for pair in summary.pairs}
    names = [row.expert for row in summary.experts]
    return [[found.get(frozenset((one, other))) for other in names] for one in names]


def _by_dimension(ballots: Ballots, dimension: Dimension, rule: str) -> ByDimension:
    laid = panel(ballots, dimension, own_tasks(ballots), rule)
    found = measured(laid.levels, [str(expert) for expert in laid.experts])
    return ByDimension(
        dimension=dimension,
        rankings=int(ranked(laid.levels).sum()),
        alpha=found.gap or found.alpha or Gap(reason="all_tied"),
        kendall_w=found.kendall_w,
        tau_b=found.tau_b,
        pair_agreement=found.pair_agreement,
    )


def _days(ballots: Ballots, laid: Panel) -> dict[date, int]:
    moments = ballots.column("at")[laid.rows[laid.rows != NO_ROW]].tolist()
    return dict(sorted(Counter(datetime.fromtimestamp(moment, UTC).date() for moment in moments).items()))


def _longer(ballots: Ballots, laid: Panel) -> Share | Gap:
    counted = np.stack(longer_preferred(laid.levels, answer_lengths(ballots, laid.tasks)))
    return overall(counted, gap_in(laid.levels) or Gap(reason="all_tied"))


def _position(ballots: Ballots, laid: Panel) -> PositionBias | Gap:
    return position_bias(*as_shown(ballots, laid, ranked(laid.levels)))
