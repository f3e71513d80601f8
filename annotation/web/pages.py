"""Login, logout, language, and the way to each role's first page."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from annotation.auth import (
    LOGIN_LASTS,
    ThrottledError,
    WrongPasswordError,
    check_password,
    count_failure,
    log_in,
    log_out,
    same_secret,
)
from annotation.errors import ForbiddenError
from annotation.people import record
from annotation.web.access import RANK, may
from annotation.web.texts import LANGUAGES
from annotation.web.view import page
from annotation.web.visitor import (
    FORM_COOKIE,
    LANGUAGE_COOKIE,
    LOGIN_COOKIE,
    Person,
    check_csrf,
    database_of,
    form_secret,
    refuse_foreign,
    visitor_of,
)

router = APIRouter(default_response_class=HTMLResponse)
Field = Annotated[str, Form(max_length=500)]
ONE_YEAR = 365 * 24 * 3600


@router.get("/")
def home(visitor: Person) -> Response:
    """Send each role to its first page."""
    return RedirectResponse("/rank" if may(visitor.role, RANK) else "/status", status_code=303)


@router.get("/login")
def login_form(request: Request, next: str = "/") -> Response:  # noqa: A002
    """The login form; who is logged in already goes on."""
    if visitor_of(request):
        return RedirectResponse(own_path(next), status_code=303)
    return _form(request, next)


@router.post("/login")
def login(request: Request, name: Field, password: Field, form: Field, next: Field = "/") -> Response:  # noqa: A002
    """Log in; the slow check of the password holds no lock, and a wrong one is counted in its own transaction."""
    refuse_foreign(request)
    if not same_secret(request.cookies.get(FORM_COOKIE, ""), form) or not form:
        raise ForbiddenError("csrf", "this form has expired")
    database = database_of(request)
    try:
        with database.read() as session:
            user_id = check_password(session, name, password)
    except WrongPasswordError:
        with database.write() as session:
            count_failure(session, name)
        return _form(request, next, status=401, problem="wrong_password", name=name)
    except ThrottledError:
        return _form(request, next, status=429, problem="error_429", name=name)
    with database.write() as session:
        token = log_in(session, user_id)
        record(session, user_id, "logged_in", f"user:{user_id}")
    response = RedirectResponse(own_path(next), status_code=303)
    _set_cookie(request, response, LOGIN_COOKIE, token, int(LOGIN_LASTS.total_seconds()))
    return response


@router.post("/logout")
def logout(request: Request, visitor: Person, csrf: Field) -> Response:
    """Forget this login."""
    check_csrf(visitor, csrf)
    with database_of(request).write() as session:
        log_out(session, visitor.token)
        record(session, visitor.id, "logged_out", f"user:{visitor.id}")
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(LOGIN_COOKIE)
    return response


@router.get("/session", response_class=JSONResponse)
def session_token(visitor: Person) -> dict[str, str]:
    """The CSRF token of the present login, for a page that was opened under an earlier one."""
    return {"csrf": visitor.csrf}


@router.get("/language/{language}")
def choose_language(request: Request, language: str, next: str = "/") -> Response:  # noqa: A002
    """Remember the language and go back."""
    response = RedirectResponse(own_path(next), status_code=303)
    if language in LANGUAGES:
        _set_cookie(request, response, LANGUAGE_COOKIE, language, ONE_YEAR)
    return response


def own_path(path: str) -> str:
    """`path` where it leads within this service, the start page otherwise."""
    try:
        parts = urlsplit(path.replace("\\", "/"))
    except ValueError:
        return "/"
    inside = not parts.scheme and not parts.netloc and path.startswith("/") and path.isprintable()
    return path if inside and not path.startswith(("//", "/\\")) else "/"


def _form(
    request: Request, next_path: str, *, status: int = 200, problem: str | None = None, name: str = ""
) -> Response:
    secret = form_secret(request)
    values = {"form": secret, "next": own_path(next_path), "problem": problem, "name": name}
    response = page(request, "login.html", visitor=None, status=status, **values)
    _set_cookie(request, response, FORM_COOKIE, secret, None)
    return response


def _set_cookie(request: Request, response: Response, name: str, value: str, lasts: int | None) -> None:
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=lasts, httponly=True, secure=secure, samesite="lax", path="/")
