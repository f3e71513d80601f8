"""Functions that numba compiles, and that run as they are as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba.extending import register_jitable

Function = TypeVar("Function", bound=Callable[..., Any])


def compilable(function: Function) -> Function:
    """Let compiled code call a function that stays an ordinary one.

    What one compiled function calls belongs into its file: numba keeps compiled code on disk and discards it when
    that file changes.
    """
    return cast(Function, register_jitable(function))
