"""Commands of this room."""

from __future__ import annotations

import typer


def add_commands(app: typer.Typer) -> None:
    """Mount this room's commands."""
