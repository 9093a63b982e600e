"""The root and the four families: what the caller should do next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar


class RepointError(Exception):
    """The root: catch it to catch all that repoint raises on purpose."""

    #: Stable name for machines; documented in ``docs/reference/errors.md``.
    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 1
    http_status: ClassVar[int] = 500
    #: The same call may succeed later without anyone changing anything.
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = message
        #: What to do or type next.
        self.hint = hint
        super().__init__(f"{message}; {hint}" if hint else message)

    def details(self) -> Mapping[str, object]:
        """Return the error's own fields, for JSON."""
        hidden = {"message", "hint"}
        return {name: value for name, value in vars(self).items() if name not in hidden}


class RefusedError(RepointError):
    """A precondition is not met; nothing was changed."""

    code = "refused"
    exit_status = 3
    http_status = 422


class ConflictError(RepointError):
    """Someone else moved first; nothing was changed."""

    code = "conflict"
    exit_status = 4
    http_status = 409


class UnavailableError(RepointError):
    """A dependency did not answer; what it did is unknown, and asking again is safe."""

    code = "unavailable"
    exit_status = 5
    http_status = 503
    retryable = True

    def __init__(
        self, message: str, *, hint: str = "", retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        #: How long the dependency asked to be left alone.
        self.retry_after = retry_after


class CorruptionError(RepointError):
    """An invariant is broken: stop, and call a person."""

    code = "corruption"
    exit_status = 6
    http_status = 500
