"""The one exception a person is meant to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ZhongjingError(Exception):
    """A failure the user can act on; command lines print it and exit with status 2.

    `where` is a file, or a file and line as ``path:line``. `hint` says what to do next.
    The message never holds a patient's words.
    """

    def __init__(self, message: str, *, where: str | Path | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where is not None else ""
        advice = f"\n  {self.hint}" if self.hint else ""
        return f"{place}{self.message}{advice}"


class MissingExtraError(ZhongjingError):
    """A command needs libraries that the base install leaves out."""

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(
            f"{what} needs libraries that are not installed",
            hint=f"install them with: pip install 'zhongjing[{extra}]'",
        )


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Turn a failed import of an optional library into `MissingExtraError`."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(extra, what) from error
