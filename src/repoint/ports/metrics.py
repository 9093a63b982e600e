"""Figures that somebody else keeps."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol


class Metrics(Protocol):
    """Asks a metrics server for one number."""

    def value(
        self, url: str, query: str, *, token_env: str, timeout: timedelta
    ) -> float | None:
        """Return what the expression gives now; None when it gives nothing.

        Raises:
            UnavailableError: the server did not answer, or could not.
            BadInputError: it refuses the expression, or the expression gives no one number.
            MissingSettingError: the environment variable with the token is not set.
        """
        ...
