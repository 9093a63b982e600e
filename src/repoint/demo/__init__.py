"""``repoint demo``: a bad update and its rollback, for real, on any machine."""

from repoint.demo.run import run

__all__ = ["run"]
