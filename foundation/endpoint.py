"""Any OpenAI-compatible service over HTTP: asked by many threads, asked again where that may help, never trusted.

    with Client(Endpoint(base_url="http://127.0.0.1:8000/v1", model="qwen")) as client:
        client.chat([{"role": "user", "content": "肚子疼"}]).text
        for question, reply in client.each(questions, lambda one: client.chat(one), "answers"):
            ...

A key is read from an environment variable and goes nowhere but into the request's header. No message here quotes what
was sent or received: both hold patients' words.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Annotated, Any, Literal, Self, TypeVar

import httpx
import msgspec
from msgspec import Meta

from foundation.errors import ZhongjingError
from foundation.flight import in_flight
from foundation.jsonl import BadJsonError, dump_json, parse_json

Item = TypeVar("Item")
Result = TypeVar("Result")
Fault = Literal["unreachable", "timeout", "rate_limited", "server_error", "nonsense", "too_long", "refused", "denied"]

_PASSING: frozenset[Fault] = frozenset({"unreachable", "timeout", "rate_limited", "server_error", "nonsense"})
_HOPELESS: frozenset[Fault] = frozenset({"unreachable", "denied"})
_STATUSES: dict[int, Fault] = {401: "denied", 403: "denied", 404: "denied", 408: "timeout", 429: "rate_limited"}
_HINTS: dict[Fault, str] = {
    "unreachable": "is it running, and is the address right? What is finished is kept: run the same command again",
    "denied": "check the address, the name of the model, and the variable that holds the key",
    "rate_limited": "ask with fewer connections, or allow more retries",
    "timeout": "allow more time, or ask with fewer connections",
}
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,59}")
_LOCAL = ("all://127.0.0.1", "all://localhost", "all://[::1]")
"""Never asked through a proxy."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a service is and how it is asked. Times are in seconds.

    `base_url` ends like OpenAI's own in /v1; `key_variable` names the environment variable that holds the key.
    A request gets `timeout` in all, is asked again up to `retries` times, first after `backoff`, then after twice as
    long each time or as long as the service asks for, never longer than `longest_wait`. An answer of more than
    `max_bytes` is not read to its end.
    """

    base_url: Annotated[str, Meta(pattern="^https?://")]
    model: str
    key_variable: str | None = None
    connections: Annotated[int, Meta(ge=1)] = 8
    timeout: Annotated[float, Meta(gt=0)] = 120.0
    retries: Annotated[int, Meta(ge=0)] = 5
    backoff: Annotated[float, Meta(ge=0)] = 1.0
    longest_wait: Annotated[float, Meta(ge=0)] = 300.0
    max_bytes: Annotated[int, Meta(ge=1)] = 1 << 20


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for so far. `retries` are requests made again; `uncounted` are answers that told no tokens."""

    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    def cost(self, per_million_prompt: float, per_million_completion: float) -> float:
        """The price of the tokens counted, from prices per million tokens."""
        prompt, completion = self.prompt_tokens * per_million_prompt, self.completion_tokens * per_million_completion
        return (prompt + completion) / 1_000_000


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One answer; `finish` is `stop` where it ended by itself, `length` where it was cut at `max_tokens`."""

    text: str
    finish: str
    usage: Usage


class EndpointError(ZhongjingError):
    """A request that failed for good; `fault` says how.

    unreachable, timeout, rate_limited, server_error, nonsense (no JSON of the protocol): asked again in vain.
    too_long: more than `max_bytes`. refused: this request. denied: the key, the address or the model.
    """

    def __init__(self, fault: Fault, message: str, where: str, wait: float | None = None) -> None:
        super().__init__(message, where=where, hint=_HINTS.get(fault))
        self.fault: Fault = fault
        self.wait = wait

    @property
    def hopeless(self) -> bool:
        """Whether other requests would fail as well."""
        return self.fault in _HOPELESS


class Client:
    """A service opened for requests from any number of threads; `usage` adds them up."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.usage = Usage()
        self._url = _address(endpoint.base_url)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._not_before = 0.0
        self._http = httpx.Client(
            headers=_key(endpoint.key_variable),
            timeout=httpx.Timeout(endpoint.timeout, pool=None),
            limits=httpx.Limits(max_connections=endpoint.connections),
            mounts=dict.fromkeys(_LOCAL),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End waiting requests and let the connections go."""
        self._closed.set()
        self._http.close()

    def chat(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        max_tokens: int = 1024,
        temperature: float = 0.0,
        seed: int | None = None,
        **options: Any,
    ) -> Reply:
        """One answer to a conversation of {role, content}; `options` go into the request as they are.

        Raises `EndpointError` where there is none after all retries. An empty text is an answer.
        """
        asked = {"messages": list(messages), "max_tokens": max_tokens, "temperature": temperature, **options}
        if seed is not None:
            asked["seed"] = seed
        return self.post("chat/completions", {"model": self.endpoint.model, **asked}, self._reply)

    def post(self, path: str, content: Mapping[str, Any], read: Callable[[bytes], Result]) -> Result:
        """POST JSON to `base_url`/`path` and give what `read` makes of the answer, asking again where that may help.

        `read` raises ValueError for what is no answer.
        """
        body = dump_json(content)
        attempt = 0
        while True:
            self._wait(self._not_before - time.monotonic())
            self._count(Usage(requests=1, retries=int(attempt > 0)))
            try:
                return self._read(self._send(path, body), read)
            except EndpointError as error:
                if error.fault not in _PASSING or attempt == self.endpoint.retries:
                    raise
                self._wait(self._delay(error, attempt))
            attempt += 1

    def each(
        self, items: Iterable[Item], work: Callable[[Item], Result], description: str, total: int | None = None
    ) -> Iterator[tuple[Item, Result]]:
        """Each item with what `work` makes of it, as many at once as the endpoint has connections; see `in_flight`."""
        return in_flight(items, work, self.endpoint.connections, description, total)

    def _send(self, path: str, body: bytes) -> bytes:
        """The body of the answer. A service that trickles is cut off when the time is up."""
        until = time.monotonic() + self.endpoint.timeout
        headers = {"Content-Type": "application/json"}
        received = bytearray()
        try:
            with self._http.stream("POST", f"{self._url}/{path}", content=body, headers=headers) as answer:
                for piece in answer.iter_bytes():
                    received += piece
                    if len(received) > self.endpoint.max_bytes:
                        raise self._error("too_long", f"an answer of more than {self.endpoint.max_bytes:,} bytes")
                    if time.monotonic() > until:
                        raise self._error("timeout", f"no whole answer within {self.endpoint.timeout:g} s")
        except httpx.ConnectTimeout as error:
            raise self._error("unreachable", f"no connection within {self.endpoint.timeout:g} s") from error
        except httpx.TimeoutException as error:
            raise self._error("timeout", f"no answer within {self.endpoint.timeout:g} s") from error
        except (httpx.ConnectError, httpx.ProxyError) as error:
            raise self._error("unreachable", "there is no connection to the endpoint") from error
        except (httpx.HTTPError, RuntimeError) as error:
            raise self._error("server_error", f"the connection broke off ({type(error).__name__})") from error
        if answer.is_success:
            return bytes(received)
        raise self._status_error(answer, bytes(received))

    def _status_error(self, answer: httpx.Response, body: bytes) -> EndpointError:
        status = answer.status_code
        fault = _STATUSES.get(status, "server_error" if status >= 500 else "refused")
        message = f"the endpoint answers with status {status}{_code_of(body)}"
        return self._error(fault, message, _retry_after(answer.headers.get("Retry-After")))

    def _read(self, body: bytes, read: Callable[[bytes], Result]) -> Result:
        try:
            return read(body)
        except (ValueError, TypeError, LookupError) as error:
            raise self._error("nonsense", "the endpoint's answer is not of the protocol") from error

    def _reply(self, body: bytes) -> Reply:
        answer = parse_json(body)
        choice = answer["choices"][0]
        usage = _told(answer.get("usage"))
        self._count(usage)
        text = choice["message"].get("content") or ""
        if not isinstance(text, str):
            raise TypeError("a text that is none")
        return Reply(text=text, finish=str(choice.get("finish_reason")), usage=usage)

    def _delay(self, error: EndpointError, attempt: int) -> float:
        """Seconds until the next attempt: as told, or doubled each time, with a share of chance against a chorus."""
        if error.wait is None:
            return min(self.endpoint.backoff * 2.0**attempt * random.uniform(0.5, 1), self.endpoint.longest_wait)
        wait = min(error.wait, self.endpoint.longest_wait)
        self._not_before = max(self._not_before, time.monotonic() + wait)
        return wait

    def _wait(self, seconds: float) -> None:
        if self._closed.wait(max(0.0, seconds)):
            raise self._error("unreachable", "this client was closed")

    def _count(self, more: Usage) -> None:
        with self._lock:
            self.usage = self.usage + more

    def _error(self, fault: Fault, message: str, wait: float | None = None) -> EndpointError:
        return EndpointError(fault, message, self._url, wait)


def _address(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ZhongjingError("this is no address", where=base_url) from error
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise ZhongjingError(
            "this is no address of an endpoint",
            where=url.host or base_url,
            hint="it looks like https://host/v1; a key goes into an environment variable",
        )
    return base_url.rstrip("/")


def _key(variable: str | None) -> dict[str, str]:
    if variable is None:
        return {}
    key = os.environ.get(variable, "")
    if not key or not key.isascii() or not key.isprintable():
        raise ZhongjingError(
            f"the environment variable {variable} holds no key", hint=f"set it first: export {variable}=…"
        )
    return {"Authorization": f"Bearer {key}"}


def _told(usage: Any) -> Usage:
    """The tokens that an answer says it cost."""
    try:
        return msgspec.convert(
            {name: usage[name] for name in ("prompt_tokens", "completion_tokens")}, Usage, strict=True
        )
    except (TypeError, LookupError, msgspec.ValidationError):
        return Usage(uncounted=1)


def _code_of(body: bytes) -> str:
    """The code that OpenAI's errors have, in brackets; never their message, which may quote the request."""
    try:
        error = parse_json(body)["error"]
        code = error.get("code") or error.get("type")
    except (BadJsonError, LookupError, TypeError, AttributeError):
        return ""
    return f" ({code})" if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header (RFC 9110: a number of seconds or a date); None where there is none."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
