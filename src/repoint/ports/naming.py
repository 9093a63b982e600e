"""What stands in the way of the name that a database's alias would take.

A backend whose ``Capabilities.names`` is True has a method ``namekeeper``, as in
``NamingBackend``.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol, cast

from repoint.domain.ids import CollectionName
from repoint.ports.backend import Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class NameObstacle:
    """Why an alias cannot have its name, or should not."""

    #: As the database spells it.
    name: str
    #: What has it; empty where nothing could.
    taken_by: str
    #: A clause: ``the class Docs has that name``.
    why: str
    #: It is an alias, which a move would take from whatever it points at.
    movable: bool = False
    #: What to do where another name is no help; empty: the usual.
    remedy: str = ""


class Namekeeper(Protocol):
    """Knows which names of one database are taken."""

    def obstacle(self, alias: str, *, ours: AbstractSet[CollectionName]) -> NameObstacle | None:
        """Return what is in the way of an alias; nothing is changed.

        None where the name is free, or the alias points at one of ``ours`` already.

        Raises:
            UnavailableError: the database did not answer.
        """
        ...


class NamingBackend(Protocol):
    """A backend that can say which names are taken."""

    def namekeeper(self) -> Namekeeper:
        """Return what knows."""
        ...


def namekeeper_of(backend: Backend) -> Namekeeper | None:
    """Return a backend's namekeeper, None where its capabilities say that it has none."""
    if not backend.capabilities.names:
        return None
    naming: NamingBackend = cast("NamingBackend", backend)
    return naming.namekeeper()
