"""What every request and response is held to."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 256 * 1024
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
REFUSALS = {
    411: {"reason": "no_length", "message": "send the length of the body"},
    413: {"reason": "too_large", "message": f"a body has at most {LARGEST_BODY} bytes"},
}
STRICT = "max-age=31536000"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class SecurityHeaders:
    """Adds the headers that keep foreign scripts, frames and guesses out; behind TLS also the one that keeps it so."""

    def __init__(self, app: ASGIApp, *, secure: bool = False) -> None:
        self.app = app
        self.headers = {**HEADERS, "Strict-Transport-Security": STRICT} if secure else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the response's headers."""

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, complete if scope["type"] == "http" else send)


class BodyLimit:
    """Refuses bodies larger than any of our forms, before they are read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on where its stated length is bearable; a body without a length is refused."""
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            status = _refusal(Headers(scope=scope))
            if status:
                await JSONResponse(REFUSALS[status], status_code=status)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _refusal(headers: Headers) -> int | None:
    if "transfer-encoding" in headers:
        return 411
    length = headers.get("content-length", "0")
    return None if length.isdecimal() and int(length) <= LARGEST_BODY else 413
