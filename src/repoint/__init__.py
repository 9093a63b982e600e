"""repoint makes an embedding-model update in vector search a reversible release."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repoint.client import Index, Repoint

__all__ = ["Index", "Repoint", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Load the client when it is first named, so that the command starts without it."""
    if name in {"Index", "Repoint"}:
        from repoint import client  # noqa: PLC0415

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
