"""The application: routes, security headers, and friendly errors."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import DataError, IntegrityError
from starlette.exceptions import HTTPException

from annotation.agreement.live import Live
from annotation.database import Database
from annotation.errors import RefusedError
from annotation.identity.oidc import Provider
from annotation.web import (
    account,
    adjudication,
    api,
    arrivals,
    jobs,
    label_studio,
    overview,
    pages,
    people,
    ranking,
    versions,
)
from annotation.web.access import rule_for
from annotation.web.limits import HEADERS, BodyLimit, SecurityHeaders
from annotation.web.texts import TEXTS, text
from annotation.web.view import page, static_folder
from annotation.web.visitor import door, language_of, visitor_of
from foundation.errors import ZhongjingError
from foundation.manifest import code_version

PAGES = (pages, arrivals, account, ranking, adjudication, overview, label_studio, versions, jobs, people)
ROUTERS = tuple(module.router for module in (*PAGES, api))
FAULTS_TOLD = 3
log = logging.getLogger("zhongjing.web")


@dataclass(frozen=True)
class Settings:
    """`data` is the folder where jobs read and write, `public_url` our address behind a proxy, `provider` who else
    may say who somebody is."""

    database_url: str | None = None
    data: Path = field(default_factory=lambda: Path("zhongjing-data"))
    public_url: str | None = None
    provider: Provider | None = None


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service on a migrated database."""
    settings = settings or Settings()
    app = FastAPI(
        title="Zhongjing Studio",
        version=code_version(),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(door)],
    )
    app.state.database = Database(settings.database_url)
    app.state.data = settings.data
    app.state.live = Live()
    app.state.settings = settings
    for router in ROUTERS:
        app.include_router(router)
    app.add_api_route("/openapi.json", lambda: app.openapi(), include_in_schema=False)
    _refuse_unlisted()
    app.mount("/static", StaticFiles(directory=static_folder()), name="static")
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(ZhongjingError, _unfit)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(IntegrityError, _conflict)
    app.add_exception_handler(DataError, _unstorable)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(BodyLimit)
    app.add_middleware(SecurityHeaders, secure=(settings.public_url or "").startswith("https:"))
    return app


def routes() -> list[tuple[str, str]]:
    """Method and path of every route but the static files'."""
    declared = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return [("GET", "/openapi.json"), *((method, route.path) for route in declared for method in route.methods or ())]


def _refuse_unlisted() -> None:
    unlisted = [f"{method} {path}" for method, path in routes() if rule_for(method, path) is None]
    if unlisted:
        raise RuntimeError(f"say in annotation/web/access.py who may open: {', '.join(unlisted)}")


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, RefusedError):
        raise error
    if error.status == HTTPStatus.UNAUTHORIZED and request.method == "GET" and not _wants_json(request):
        return RedirectResponse(f"/login?next={request.url.path}", status_code=303)
    return _problem(request, error.status, error.reason, error.message)


def _unfit(request: Request, error: Exception) -> Response:
    """A file of the data folder is not what it should be; where that folder lies is nobody's business."""
    folder = str(request.app.state.settings.data.resolve())
    return _problem(request, 422, "unfit", str(error).replace(folder, "…"))


def _invalid(request: Request, error: Exception) -> Response:
    if request.url.path.startswith(("/rank/", "/adjudicate/")) and request.method == "GET":
        return _problem(request, 404, "not_found")
    faults = error.errors()[:FAULTS_TOLD] if isinstance(error, RequestValidationError) else []
    told = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
    return _problem(request, 422, "invalid", f"{text(language_of(request), 'error_422')} {told}")


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _problem(request, status, "http")


def _conflict(request: Request, _error: Exception) -> Response:
    return _problem(request, 409, "conflict")


def _unstorable(request: Request, _error: Exception) -> Response:
    """A NUL, which PostgreSQL takes in no text."""
    return _problem(request, 422, "invalid")


def _failed(request: Request, error: Exception) -> Response:
    log.error("%s in %s", type(error).__name__, request.scope.get("path", "?"))
    response = _problem(request, 500, "failed")
    response.headers.update(HEADERS)
    return response


def _problem(request: Request, status: int, reason: str, message: str | None = None) -> Response:
    words = f"error_{status}" if f"error_{status}" in TEXTS else ("error_500" if status >= 500 else "error_400")
    if _wants_json(request):
        told = message or text(language_of(request), words)
        return JSONResponse({"reason": reason, "message": told}, status_code=status)
    visitor = visitor_of(request) if status < 500 else None
    return page(request, "error.html", visitor=visitor, status=status, words=words, code=status)


def _wants_json(request: Request) -> bool:
    """Programs get JSON; so does a page's script that asks for it."""
    program = request.url.path.startswith("/api/") or "authorization" in request.headers
    return program or "application/json" in request.headers.get("accept", "")
