"""Progress and agreement for those who lead; experts never see them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select

from annotation.campaigns import find_campaign
from annotation.models import Campaign
from annotation.web.view import page
from annotation.web.visitor import Person, database_of

router = APIRouter(default_response_class=HTMLResponse)


@router.get("/status")
def status(
    request: Request, visitor: Person, campaign: Annotated[str | None, Query(max_length=100)] = None
) -> Response:
    """Progress and agreement of a campaign, the newest where none is named."""
    from annotation.agreement import agreement

    with database_of(request).read() as session:
        names = session.scalars(select(Campaign.name).order_by(Campaign.id.desc())).all()
        chosen = campaign or next(iter(names), None)
        summary = agreement(session, find_campaign(session, chosen)) if chosen else None
    return page(request, "status.html", visitor=visitor, names=names, chosen=chosen, summary=summary)
