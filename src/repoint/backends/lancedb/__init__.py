"""The default backend: LanceDB in a folder, in this process, without a server."""

# Whatever of this package is imported first, the engine comes first, in the fast way.
import repoint.backends.lancedb.engine  # noqa: F401 - for what it does
from repoint.backends.lancedb.backend import LanceBackend, LanceDriver

__all__ = ["LanceBackend", "LanceDriver"]
