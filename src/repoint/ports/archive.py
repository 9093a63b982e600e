"""Where evidence is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from repoint.domain.document import Json

if TYPE_CHECKING:
    from repoint.domain.erasure import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """What taking documents out of the records came to."""

    records: int
    changed: int
    #: Records that still betray a document and cannot be changed, by name.
    left: Sequence[str]


class Archive(Protocol):
    """Keeps records that must outlive what they are about."""

    def keep(self, name: str, content: Mapping[str, Json]) -> str:
        """Store the content durably under the name, replacing it, and return where it lies.

        Raises:
            StoreUnavailableError: the disk is full or read-only; the earlier content stands.
        """
        ...

    def redact(self, secret: Secret, *, spared: frozenset[str]) -> Redacted:
        """Take what betrays these documents out of every record, each as a whole or not.

        ``spared`` are names of other things, which an id may happen to equal.

        Raises:
            StoreUnavailableError: as ``keep``.
        """
        ...

    def read(self, name: str) -> Mapping[str, Json] | None:
        """Return what was kept under the name; None where nothing is, or not on this machine.

        Raises:
            CorruptionError: what is there cannot be read.
        """
        ...
