"""Where evidence is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from repoint.domain.document import Json


class Archive(Protocol):
    """Keeps records that must outlive what they are about."""

    def keep(self, name: str, content: Mapping[str, Json]) -> str:
        """Store the content durably under the name, replacing it, and return where it lies.

        Raises:
            StoreUnavailableError: the disk is full or read-only; the earlier content stands.
        """
        ...

    def read(self, name: str) -> Mapping[str, Json] | None:
        """Return what was kept under the name; None where nothing is, or not on this machine.

        Raises:
            CorruptionError: what is there cannot be read.
        """
        ...
