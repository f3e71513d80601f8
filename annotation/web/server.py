"""Running the application."""

from __future__ import annotations

from pathlib import Path

import uvicorn

from annotation.database import open_database
from annotation.web.app import Settings, create_app
from foundation.cli import warn


def run(host: str, port: int, *, data: Path, database_url: str | None) -> None:
    """Serve until interrupted; refuses a database that is not migrated."""
    open_database(database_url).close()
    app = create_app(Settings(database_url=database_url, data=data))
    warn(f"serving on http://{host}:{port}  (Ctrl-C ends it)")
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)
