"""Running the application."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from pathlib import Path

import uvicorn

from annotation.database import open_database
from annotation.identity.oidc import provider_from_environment
from annotation.web.app import Settings, create_app
from foundation.cli import warn
from foundation.errors import ZhongjingError


def run(host: str, port: int, *, data: Path, database_url: str | None, public_url: str | None = None) -> None:
    """Serve until interrupted; refuses a database that is not migrated."""
    open_database(database_url).close()
    with _listening(host, port) as listener:
        provider = provider_from_environment()
        app = create_app(Settings(database_url=database_url, data=data, public_url=public_url, provider=provider))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False))
        name = f"[{host}]" if ":" in host else host
        warn(f"serving on http://{name}:{listener.getsockname()[1]}  (Ctrl-C ends it)")
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    warn("stopped")


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        hint = "choose another one: --port 8001" if error.errno == errno.EADDRINUSE else "check --host and --port"
        raise ZhongjingError(f"cannot listen: {error.strerror}", where=f"{host}:{port}", hint=hint) from error
