"""Login, logout, language, and the way to each role's first page."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from sqlalchemy import select

from annotation.database import Database
from annotation.identity.auth import (
    LOGIN_LASTS,
    ThrottledError,
    WrongPasswordError,
    begin_attempt,
    check_password,
    forgive,
    log_in,
    log_out,
)
from annotation.identity.people import record
from annotation.web.access import may
from annotation.web.texts import LANGUAGES
from annotation.web.view import page
from annotation.web.visitor import (
    FORM_COOKIE,
    LANGUAGE_COOKIE,
    LOGIN_COOKIE,
    Guest,
    Person,
    check_form,
    database_of,
    form_secret,
)

router = APIRouter(default_response_class=HTMLResponse)
Field = Annotated[str, Form(max_length=500)]
ONE_YEAR = 365 * 24 * 3600


@router.get("/")
def home(visitor: Person) -> Response:
    """Send each role to its first page."""
    return RedirectResponse("/rank" if may(visitor.role, "/rank") else "/status", status_code=303)


@router.get("/login")
def login_form(request: Request, visitor: Guest, next: str = "/") -> Response:  # noqa: A002
    """The login form; who is logged in already goes on."""
    if visitor:
        return RedirectResponse(own_path(next), status_code=303)
    return _form(request, next)


@router.post("/login")
def login(request: Request, name: Field, password: Field, form: Field, next: Field = "/") -> Response:  # noqa: A002
    """Log in; the slow check of the password holds no lock, and the attempt counts until it has succeeded."""
    check_form(request, form)
    database = database_of(request)
    try:
        with database.write() as session:
            begin_attempt(session, name, address_of(request))
        with database.read() as session:
            user_id = check_password(session, name, password)
    except WrongPasswordError:
        return _form(request, next, status=401, problem="wrong_password", name=name)
    except ThrottledError:
        return _form(request, next, status=429, problem="error_429", name=name)
    with database.write() as session:
        forgive(session, name)
    return logged_in(request, database, user_id, own_path(next), "logged_in")


@router.post("/logout")
def logout(request: Request, visitor: Person) -> Response:
    """Forget this login."""
    with database_of(request).write() as session:
        log_out(session, visitor.token)
        record(session, visitor.id, "logged_out", f"user:{visitor.id}")
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(LOGIN_COOKIE)
    return response


@router.get("/health", response_class=JSONResponse)
def health(request: Request) -> dict[str, str]:
    """Whether the service and its database answer."""
    with database_of(request).read() as session:
        session.execute(select(1))
    return {"status": "ok"}


@router.get("/session", response_class=JSONResponse)
def session_token(visitor: Person) -> dict[str, str]:
    """The CSRF token of the present login, for a page that was opened under an earlier one."""
    return {"csrf": visitor.csrf}


@router.get("/language/{language}")
def choose_language(request: Request, language: str, next: str = "/") -> Response:  # noqa: A002
    """Remember the language and go back."""
    response = RedirectResponse(own_path(next), status_code=303)
    if language in LANGUAGES:
        set_cookie(request, response, LANGUAGE_COOKIE, language, ONE_YEAR)
    return response


def own_path(path: str) -> str:
    """`path` where it leads within this service, the start page otherwise."""
    try:
        parts = urlsplit(path.replace("\\", "/"))
    except ValueError:
        return "/"
    inside = not parts.scheme and not parts.netloc and path.startswith("/") and path.isprintable()
    return path if inside and not path.startswith(("//", "/\\")) else "/"


def address_of(request: Request) -> str:
    """Where a request comes from, as far as a proxy that is trusted says so."""
    return request.client.host if request.client else ""


def logged_in(request: Request, database: Database, user_id: int, path: str, action: str) -> Response:
    """Begin a login and go on to `path`."""
    with database.write() as session:
        token = log_in(session, user_id)
        record(session, user_id, action, f"user:{user_id}")
    response = RedirectResponse(path, status_code=303)
    set_cookie(request, response, LOGIN_COOKIE, token, int(LOGIN_LASTS.total_seconds()))
    return response


def set_cookie(request: Request, response: Response, name: str, value: str, lasts: int | None, path: str = "/") -> None:
    """A cookie that scripts cannot read and other sites' forms cannot send; behind TLS it never leaves it."""
    response.set_cookie(name, value, max_age=lasts, httponly=True, secure=is_secure(request), samesite="lax", path=path)


def is_secure(request: Request) -> bool:
    """Whether the browser reaches us by TLS, at the proxy before us or here."""
    return base_url(request).startswith("https:")


def base_url(request: Request) -> str:
    """Our address as browsers know it, without a slash at its end."""
    public: str | None = request.app.state.settings.public_url
    return (public or str(request.base_url)).rstrip("/")


def _form(
    request: Request, next_path: str, *, status: int = 200, problem: str | None = None, name: str = ""
) -> Response:
    secret = form_secret(request)
    oidc = request.app.state.settings.provider is not None
    values = {"form": secret, "next": own_path(next_path), "problem": problem, "name": name, "oidc": oidc}
    response = page(request, "login.html", visitor=None, status=status, **values)
    set_cookie(request, response, FORM_COOKIE, secret, None)
    return response
