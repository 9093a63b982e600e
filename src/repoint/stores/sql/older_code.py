"""Shutting out code that would misread what is in a shared store from now on."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from repoint.stores.sql.dialect import POSTGRES

#: Before this revision a document without its text was taken for an empty one.
_KNOWS_REFERENCES: Final = 10


def shut_out_older_code(connection: sa.Connection) -> None:
    """Let only code that knows content by reference open this store from now on.

    A file is opened by no older code in any case; in a database that many machines share,
    processes of older code that run already must have ended.
    """
    if connection.dialect.name == POSTGRES:
        connection.exec_driver_sql(
            "UPDATE store_state SET oldest = greatest(oldest, %s)", (_KNOWS_REFERENCES,)
        )
