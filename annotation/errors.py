"""Why the service refuses something; each kind has its own HTTP status."""

from __future__ import annotations

from typing import ClassVar

from foundation.errors import ZhongjingError


class RefusedError(ZhongjingError):
    """A request that cannot be met. `reason` is a short stable code that pages translate."""

    status: ClassVar[int] = 400

    def __init__(self, reason: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class NotFoundError(RefusedError):
    """The thing does not exist, or not for this person."""

    status = 404


class ForbiddenError(RefusedError):
    """This person may not do this."""

    status = 403


class ConflictError(RefusedError):
    """It contradicts what is stored already."""

    status = 409


class InvalidError(RefusedError):
    """The content is not what it should be."""

    status = 422
