"""The control store on SQL databases; so far on SQLite."""

from repoint.stores.sql.sqlite import SqliteStore

__all__ = ["SqliteStore"]
