"""Pages from templates."""

from __future__ import annotations

from functools import cache, partial
from importlib.resources import files
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from annotation.agreement.gaps import Gap
from annotation.agreement.intervals import Share
from annotation.status import figure
from annotation.web.access import may
from annotation.web.texts import LANGUAGES, field, text
from annotation.web.visitor import Visitor, language_of
from foundation.manifest import code_version

AREAS = ("rank", "adjudicate", "status", "experts", "label-studio", "versions", "jobs", "people", "audit")


def page(request: Request, template: str, *, visitor: Visitor | None, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template of `annotation/templates` in the visitor's language."""
    language = language_of(request)
    areas = [area for area in AREAS if visitor and may(visitor.role, f"/{area}")]
    html = (
        _environment()
        .get_template(template)
        .render(
            t=partial(text, language),
            field=partial(field, language),
            language=language,
            other_language=next(other for other in LANGUAGES if other != language),
            here=request.url.path,
            visitor=visitor,
            areas=areas,
            code_version=code_version(),
            **values,
        )
    )
    return HTMLResponse(html, status_code=status, headers={"Cache-Control": "no-store"})


def static_folder() -> str:
    """Where scripts and styles lie."""
    return str(files("annotation").joinpath("static"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("annotation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = figure
    environment.filters["spell"] = _spell
    environment.filters["chance"] = _chance
    environment.tests["gap"] = lambda value: isinstance(value, Gap)
    environment.tests["share"] = lambda value: isinstance(value, Share)
    return environment


def _chance(p: float) -> str:
    """A p-value; small ones are not written out."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _spell(tiers: list[list[int]]) -> str:
    """An order in one line: 4 > 1 = 2 > 3."""
    return " > ".join(" = ".join(map(str, tier)) for tier in tiers)
