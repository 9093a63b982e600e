"""Brings a store's schema to the version that this code was written for.

Alembic takes a third of a second to import, so it is only imported when there is something
to do; what tells is a number that the database holds, compared with ``VERSION``.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

#: The number of the newest revision in ``migrations/versions``; a test compares.
VERSION: Final = 10
#: The oldest code that may go on working with this schema: raised only by a revision after
#: which older code would do harm. A store that many machines share is never upgraded on all
#: of them at once, so revisions add, and what they add may be missing from an insert.
OLDEST: Final = 1


def upgrade(connection: sa.Connection) -> None:
    """Apply the missing revisions within the connection's transaction."""
    # Deferred: costs 350 ms, and a store that exists already does not need them.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "repoint.stores.sql:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
