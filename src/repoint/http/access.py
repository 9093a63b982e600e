"""Who asks: a key's owner, or without keys whoever is on this machine."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Final

from starlette.requests import Request

from repoint.domain.access import Action
from repoint.domain.errors import UnauthenticatedError
from repoint.domain.ids import Actor, IndexName
from repoint.operations.session import Session, authorise
from repoint.wiring.api_keys import owner

#: What a browser on this machine calls it. A page from elsewhere that gets its own name to
#: point here comes with that name.
LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and from where."""

    actor: Actor
    address: str


class Doorkeeper:
    """Lets requests in."""

    def __init__(self, session: Session, keys: Mapping[str, str]) -> None:
        self._session = session
        self._keys = keys

    async def admit(
        self, request: Request, index: IndexName, *, action: Action = Action.READ
    ) -> Caller:
        """Return who asks, if they may do this with the index.

        Raises:
            UnauthenticatedError: no key, or one that nobody has.
            NotPermittedError: their roles do not reach; the attempt is on record (INV-10).
        """
        caller = self._caller(request)
        await asyncio.to_thread(authorise, self.session(caller), action, index)
        return caller

    def session(self, caller: Caller) -> Session:
        """Return a session in which the caller acts."""
        return dataclasses.replace(self._session, actor=caller.actor)

    def _caller(self, request: Request) -> Caller:
        address = request.client.host if request.client else "unknown"
        if not self._keys:
            if request.url.hostname not in LOCAL_NAMES:
                raise UnauthenticatedError(why="without keys only this machine is served")
            return Caller(actor=self._session.actor, address=address)
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise UnauthenticatedError(why="the request carries no key")
        name = owner(key.strip(), self._keys)
        if name is None:
            raise UnauthenticatedError(why="nobody has this key")
        return Caller(actor=Actor(name), address=address)
