"""What a database lets whom do, asked before a move and not found out after it.

A backend whose ``Capabilities.privileges`` is True has a method ``gatekeeper``, as in
``GuardedBackend``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from repoint.domain.ids import CollectionName
from repoint.ports.backend import Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Privilege:
    """One thing that somebody must be allowed to do."""

    #: The database's role.
    role: str
    #: As the database calls it: ``SELECT``.
    privilege: str
    #: On what: ``table repoint.docs_v2``.
    on: str
    #: What it is needed for, for people.
    purpose: str
    held: bool
    #: What grants it, as the database takes it.
    remedy: str


class Gatekeeper(Protocol):
    """Knows who may do what in one database."""

    def privileges(
        self, collections: Sequence[CollectionName], *, alias: str
    ) -> Sequence[Privilege]:
        """Return what repoint and the application's role need, and whether they hold it.

        Nothing is changed. The application is the backend's setting ``application_role``, or
        ``application_key`` where the database is asked with it; without one only repoint's
        own needs are returned. Empty where the server lets everybody do everything.

        Raises:
            MissingSettingError: the database has no such role, or does not take the key.
            CollectionMissingError: a collection is not there.
        """
        ...


class GuardedBackend(Protocol):
    """A backend that can say who may do what."""

    def gatekeeper(self) -> Gatekeeper:
        """Return what knows."""
        ...


def gatekeeper_of(backend: Backend) -> Gatekeeper | None:
    """Return a backend's gatekeeper, None where its capabilities say that it has none."""
    if not backend.capabilities.privileges:
        return None
    guarded: GuardedBackend = cast("GuardedBackend", backend)
    return guarded.gatekeeper()
