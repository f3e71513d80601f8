"""The medical knowledge graph: build, read, link, check.

`from kg import KnowledgeGraph, EntityLinker, check` loads each when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kg.build import build_graph
    from kg.checker import Checker, check
    from kg.graph import KnowledgeGraph
    from kg.linker import EntityLinker

__all__ = ["Checker", "EntityLinker", "KnowledgeGraph", "build_graph", "check"]
_HOMES = {
    "Checker": "checker",
    "EntityLinker": "linker",
    "KnowledgeGraph": "graph",
    "build_graph": "build",
    "check": "checker",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"kg.{_HOMES[name]}"), name)
