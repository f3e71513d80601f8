"""Figures as people read them."""

from __future__ import annotations

UNKNOWN = "unknown"


def share(value: float | None) -> str:
    """A share as a percentage."""
    return UNKNOWN if value is None else f"{value:.1%}"


def figure(value: float | None) -> str:
    """Two decimals."""
    return UNKNOWN if value is None else f"{value:.2f}"
