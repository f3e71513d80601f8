"""The medical knowledge graph: build, read, link, check.

`from kg import KnowledgeGraph, EntityLinker, check` loads each when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kg.building.build import build_graph
    from kg.checking.checker import Checker, check
    from kg.graph import KnowledgeGraph
    from kg.linking.linker import EntityLinker

__all__ = ["Checker", "EntityLinker", "KnowledgeGraph", "build_graph", "check"]
_HOMES = {
    "Checker": "checking.checker",
    "EntityLinker": "linking.linker",
    "KnowledgeGraph": "graph",
    "build_graph": "building.build",
    "check": "checking.checker",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"kg.{_HOMES[name]}"), name)
