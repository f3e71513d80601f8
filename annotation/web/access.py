"""Who may open what. Objects are checked where they are read: an assignment exists for its own expert alone."""

from __future__ import annotations

from annotation.errors import ForbiddenError

RANK, STATUS, JOBS = "rank", "status", "jobs"

ALLOWED: dict[str, frozenset[str]] = {
    RANK: frozenset({"expert", "senior"}),
    STATUS: frozenset({"curator", "engineer", "admin"}),
    JOBS: frozenset({"curator", "engineer", "admin"}),
}


def may(role: str, area: str) -> bool:
    """Whether people of this role may open an area of the service."""
    return role in ALLOWED[area]


def authorize(role: str, area: str) -> None:
    """Raise unless `may`."""
    if not may(role, area):
        raise ForbiddenError("forbidden", f"this is not open to the role {role}")
