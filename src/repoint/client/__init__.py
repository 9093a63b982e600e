"""repoint in Python: a workspace, its indexes, and everything that can be done with them."""

from repoint.client.index import Index
from repoint.client.repoint import Repoint

__all__ = ["Index", "Repoint"]
