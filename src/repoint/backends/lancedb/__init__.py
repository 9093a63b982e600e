"""The default backend: LanceDB in a folder, in this process, without a server."""

# Whatever of this package is imported first, the engine comes in the fast way.
import repoint.backends.lancedb.engine as engine  # noqa: F401, PLR0402 - for what it does
