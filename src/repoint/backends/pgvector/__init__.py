"""PostgreSQL with the extension pgvector: each release's vectors in a table of their own.

The client library comes with the extra ``postgres``; without it this package can still say
what the backend can do.
"""

from __future__ import annotations

from typing import Final

from repoint.domain.errors import MissingExtraError
from repoint.domain.spec import Distance
from repoint.ports.backend import Backend, Capabilities
from repoint.ports.settings import BackendSettings

CAPABILITIES: Final = Capabilities(
    name="pgvector",
    aliases=True,
    lexical=True,
    conditional_writes=True,
    durable=True,
    shared=True,
    approximate=True,
    distances=frozenset(Distance),
    adopts=True,
    privileges=True,
)


class PgvectorDriver:
    """Opens the backend, once its client library is known to be here."""

    capabilities = CAPABILITIES

    @staticmethod
    def from_settings(settings: BackendSettings) -> Backend:
        """Open it; it connects when it is first used.

        Raises:
            MissingExtraError: psycopg is not installed.
            MissingSettingError: there is no URL, or it is none.
        """
        try:
            from repoint.backends.pgvector.backend import PgvectorBackend  # noqa: PLC0415
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "psycopg":
                raise
            raise MissingExtraError(driver="pgvector", extra="postgres") from error
        return PgvectorBackend.from_settings(settings)
