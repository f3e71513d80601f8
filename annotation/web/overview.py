"""Dashboards for those who lead a campaign: its progress and agreement, and its experts. Experts never see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation.agreement.ballots import Ballots
from annotation.agreement.boards import CampaignBoard, ExpertsBoard, campaign_board, experts_board, stamp
from annotation.campaigns.campaigns import find_campaign
from annotation.errors import NotFoundError
from annotation.tables.models import Campaign
from annotation.web.pictures import pictures_of_campaign, pictures_of_experts
from annotation.web.view import page
from annotation.web.visitor import Person, Visitor, database_of, language_of, live_of
from corpus.records import Dimension

router = APIRouter(default_response_class=HTMLResponse)
Named = Annotated[str | None, Query(max_length=100)]

Board = TypeVar("Board", CampaignBoard, ExpertsBoard)
Make = Callable[[Session, Campaign, Ballots, Dimension], Board]
Draw = Callable[[Board, str], dict[str, Markup]]


@router.get("/status")
def status(request: Request, visitor: Person, campaign: Named = None, dimension: Dimension = "overall") -> Response:
    """Progress and agreement of a campaign, the newest where none is named."""
    return _shown(request, visitor, "status.html", campaign, dimension, campaign_board, pictures_of_campaign)


@router.get("/experts")
def experts(request: Request, visitor: Person, campaign: Named = None, dimension: Dimension = "overall") -> Response:
    """How far each expert of a campaign can be relied on, for its lead alone."""
    return _shown(request, visitor, "experts.html", campaign, dimension, experts_board, pictures_of_experts)


def _shown(
    request: Request,
    visitor: Visitor,
    template: str,
    named: str | None,
    dimension: Dimension,
    make: Make[Board],
    draw: Draw[Board],
) -> Response:
    with database_of(request).read() as session:
        names = session.scalars(select(Campaign.name).order_by(Campaign.id.desc())).all()
        chosen = find_campaign(session, named or names[0]) if named or names else None
        if chosen is not None and dimension not in chosen.dimensions:
            raise NotFoundError("no_dimension", f"this campaign has no dimension {dimension}")
        board = _board(request, session, chosen, dimension, make) if chosen else None
    return page(
        request,
        template,
        visitor=visitor,
        names=names,
        campaign=chosen,
        dimension=dimension,
        board=board,
        plots=draw(board, language_of(request)) if board else {},
    )


def _board(request: Request, session: Session, campaign: Campaign, dimension: Dimension, make: Make[Board]) -> Board:
    live = live_of(request)
    ballots = live.ballots(session, campaign.id)
    key = (make.__name__, dimension, stamp(session, campaign, ballots))
    return live.figure(lambda: make(session, campaign, ballots, dimension), *key)
