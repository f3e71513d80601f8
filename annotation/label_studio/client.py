"""What we ask of a Label Studio over HTTP, and how we prove who we are: a dozen requests, without its SDK."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from itertools import count
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import httpx

from foundation.errors import ZhongjingError

TokenKind = Literal["personal", "legacy"]
PERSONAL: TokenKind = "personal"
LEGACY: TokenKind = "legacy"
TIMEOUT = httpx.Timeout(120.0, connect=10.0)
TRIES, PAUSE = 4, 0.5
PAGE = 100
UNAUTHORISED, MISSING = 401, 404


class LabelStudioError(ZhongjingError):
    """A request that Label Studio refused or did not answer; `status` is 0 where there was no answer."""

    def __init__(self, message: str, *, where: str, status: int = 0, hint: str | None = None) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status


class Client:
    """A Label Studio at `url`, opened with a token.

    A personal access token buys access tokens that last minutes, a legacy token is sent as it is. Requests that
    change nothing are tried again where the server does not answer.
    """

    def __init__(self, url: str, token: str, kind: TokenKind = PERSONAL) -> None:
        self.url = checked_url(url)
        self.kind: TokenKind = kind
        self._token = token
        self._http = httpx.Client(base_url=self.url, timeout=TIMEOUT, trust_env=not is_loopback(self.url))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at `path`."""
        for attempt in range(TRIES):
            try:
                return self._ask("GET", path, params=query)
            except LabelStudioError as error:
                if 0 < error.status < 500 or attempt == TRIES - 1:
                    raise
                time.sleep(PAUSE * 2**attempt)
        raise AssertionError("unreachable")

    def find(self, path: str, **query: Any) -> Any | None:
        """The JSON at `path`, None where there is nothing."""
        try:
            return self.get(path, **query)
        except LabelStudioError as error:
            if error.status == MISSING:
                return None
            raise

    def post(self, path: str, content: Any = None, **query: Any) -> Any:
        """Send JSON; never tried again, for it may have arrived."""
        return self._ask("POST", path, json=content, params=query)

    def patch(self, path: str, content: Mapping[str, Any]) -> Any:
        """Change some fields."""
        return self._ask("PATCH", path, json=content)

    def delete(self, path: str) -> None:
        """Remove what is at `path`."""
        self._ask("DELETE", path)

    def whoami(self) -> dict[str, Any]:
        """The account that the token belongs to."""
        found: dict[str, Any] = self.get("/api/current-user/whoami")
        return found

    def version(self) -> str:
        """Such as 1.23.2."""
        return str(self.get("/api/version/").get("release", "unknown"))

    def invitation(self) -> str:
        """The link by which people sign up; it is the same for everyone until an administrator resets it."""
        return f"{self.url}{self.get('/api/invite')['invite_url']}"

    def members(self) -> dict[str, int]:
        """Account numbers by address, in lower case."""
        return {str(user["email"]).lower(): int(user["id"]) for user in self.get("/api/users/")}

    def project(self, project: int) -> dict[str, Any] | None:
        """A project, None where it is gone."""
        found: dict[str, Any] | None = self.find(f"/api/projects/{project}/")
        return found

    def projects(self) -> Iterator[dict[str, Any]]:
        """All projects of the organisation."""
        for number in count(1):
            page = self.get("/api/projects/", page=number, page_size=PAGE)
            yield from page["results"]
            if not page["next"]:
                return

    def import_tasks(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        """Add tasks; their numbers, in the same order."""
        answer = self.post(f"/api/projects/{project}/import", list(tasks), return_task_ids="true")
        numbers = [int(number) for number in answer.get("task_ids", [])]
        if len(numbers) != len(tasks):
            raise LabelStudioError("took another number of tasks than it was sent", where=self.url, status=201)
        return numbers

    def tasks(self, project: int) -> Iterator[tuple[list[dict[str, Any]], int]]:
        """The tasks of a project with all annotations, a page at a time, each with how many tasks there are."""
        number, seen = 1, 0
        while True:
            page = self.find(
                "/api/tasks", project=project, fields="all", resolve_uri="false", page=number, page_size=PAGE
            )
            if page is None:
                return
            yield page["tasks"], int(page["total"])
            number, seen = number + 1, seen + len(page["tasks"])
            if seen >= page["total"] or not page["tasks"]:
                return

    def task(self, task: int) -> dict[str, Any] | None:
        """A task with all annotations, None where it is gone."""
        found: dict[str, Any] | None = self.find(f"/api/tasks/{task}/", resolve_uri="false")
        return found

    def _ask(self, method: str, path: str, **content: Any) -> Any:
        response = self._send(method, path, content)
        if response.status_code == UNAUTHORISED and self.kind == PERSONAL:
            self._http.headers.pop("Authorization", None)
            response = self._send(method, path, content)
        if response.status_code == UNAUTHORISED:
            raise self._refused_token()
        if not response.is_success:
            raise LabelStudioError(
                f"{method} {urlsplit(path).path}: status {response.status_code}{_fields(response)}",
                where=self.url,
                status=response.status_code,
            )
        return _json(response, self.url)

    def _send(self, method: str, path: str, content: Mapping[str, Any]) -> httpx.Response:
        if "Authorization" not in self._http.headers:
            self._http.headers["Authorization"] = self._authorisation()
        return send(self._http, method, path, **content)

    def _authorisation(self) -> str:
        if self.kind == LEGACY:
            return f"Token {self._token}"
        response = send(self._http, "POST", "/api/token/refresh/", json={"refresh": self._token})
        if not response.is_success:
            raise self._refused_token()
        return f"Bearer {_json(response, self.url)['access']}"

    def _refused_token(self) -> LabelStudioError:
        why = {
            "personal": "the personal access token has expired or was revoked",
            "legacy": "the legacy token is unknown, or legacy tokens are switched off in that organisation",
        }
        return LabelStudioError(
            why[self.kind],
            where=self.url,
            status=UNAUTHORISED,
            hint="make one there (Account & Settings, Personal Access Token), then: "
            f"zhongjing label-studio connect --url {self.url} --token …",
        )


def open_with(url: str, token: str) -> Client:
    """A client with this token, whichever of the two kinds it is: found by trying."""
    for kind in (PERSONAL, LEGACY):
        client = Client(url, token, kind)
        try:
            client.whoami()
        except LabelStudioError as error:
            client.__exit__(None, None, None)
            if error.status != UNAUTHORISED:
                raise
            continue
        return client
    raise LabelStudioError(
        "this token opens nothing, neither as a personal access token nor as a legacy one",
        where=checked_url(url),
        status=UNAUTHORISED,
        hint="make one there under Account & Settings, Personal Access Token; legacy ones must be switched on first",
    )


def send(http: httpx.Client, method: str, path: str, **content: Any) -> httpx.Response:
    """One request; an error that can be acted on where nothing answers."""
    try:
        return http.request(method, path, **content)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise LabelStudioError(
            f"Label Studio does not answer ({type(error).__name__})",
            where=str(http.base_url),
            hint="check that it runs and the address; start one here with: zhongjing label-studio up",
        ) from error


def checked_url(url: str) -> str:
    """The address without a slash at its end; an error where it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ZhongjingError("this is no address of a Label Studio", hint="for example http://127.0.0.1:8080")
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether what is sent to this address stays on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _json(response: httpx.Response, where: str) -> Any:
    """What annotators sent is in there and may be anything: it is looked at one annotation at a time."""
    if not response.content:
        return None
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        raise LabelStudioError(
            "the answer is no JSON",
            where=where,
            status=response.status_code,
            hint="is a Label Studio at this address, or a proxy with a login page?",
        ) from error


def _fields(response: httpx.Response) -> str:
    """Which fields were wrong, by name; their values may be patients' words."""
    try:
        told = response.json().get("validation_errors")
    except (ValueError, AttributeError):
        return ""
    return f" (wrong: {', '.join(sorted(told))})" if isinstance(told, dict) else ""
