"""An OpenFeature provider: an index's name is a flag, and its value is the service route.

Release and query model come from one evaluation, so no reader can have one from before a
move and the other from after it. The provider serves: it is registered, keeps a lease, and a
move waits for it. What it cannot confirm is an error, never the value it had.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, cast

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import (
    FlagNotFoundError,
    GeneralError,
    OpenFeatureError,
    TypeMismatchError,
)
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from repoint.client import Repoint
from repoint.client.remote_route import RemoteRoute
from repoint.domain.document import Json
from repoint.domain.errors import NotFoundError, RepointError, UnconfirmedRouteError
from repoint.domain.ids import IndexName, index_name
from repoint.operations.route_watch import RouteWatch

_NAME: Final = "repoint"
_Tree = Sequence[FlagValueType] | Mapping[str, FlagValueType]


class _Route(Protocol):
    """A route from here or from a server."""

    @property
    def release(self) -> str: ...
    @property
    def epoch(self) -> int: ...
    @property
    def collection(self) -> str: ...
    @property
    def vector_field(self) -> str | None: ...
    def tree(self) -> dict[str, Json]: ...


class _Routes(Protocol):
    """Where routes come from."""

    def current(self, index: IndexName) -> _Route: ...
    def close(self) -> None: ...


#: Opens where routes come from, given whom to tell of a change.
_Opening = Callable[[Callable[[IndexName], None]], _Routes]


class RepointProvider(AbstractProvider):
    """Give it to OpenFeature once a process, and let that shut it down."""

    def __init__(self, opening: _Opening) -> None:
        """Use ``of`` or ``at``."""
        super().__init__()
        self._opening = opening
        self._lock = threading.Lock()
        self._routes: _Routes | None = None
        self._stale = False

    @classmethod
    def of(cls, repoint: Repoint) -> RepointProvider:
        """Return a provider of a workspace's indexes; keep that open while it is in use."""
        return cls(lambda told: _Here(repoint, told))

    @classmethod
    def at(cls, url: str, *, key: str = "", watcher: str = "") -> RepointProvider:
        """Return a provider that follows the indexes of ``repoint serve`` at a URL.

        ``watcher`` names this process, and no other; left out, a random name is taken.
        """
        return cls(lambda told: _There(url, key=key, watcher=watcher, told=told))

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return Metadata(name=_NAME)

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Begin; each index is followed from its first evaluation on."""
        del evaluation_context
        self._opened()

    def shutdown(self) -> None:
        """Stop serving, so that no move waits for this process any more."""
        with self._lock:
            routes, self._routes = self._routes, None
        if routes is not None:
            routes.close()

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: _Tree,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[_Tree]:
        """Return the whole route: release, collection, query model, settings, epoch."""
        del default_value, evaluation_context
        route = self._route(flag_key)
        return FlagResolutionDetails(
            value=cast("Mapping[str, FlagValueType]", route.tree()),
            reason=Reason.CACHED,
            variant=route.release,
            flag_metadata=_metadata(route),
        )

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """Return the release's name, to show it; to search, evaluate the object."""
        del default_value, evaluation_context
        route = self._route(flag_key)
        return FlagResolutionDetails(
            value=route.release,
            reason=Reason.CACHED,
            variant=route.release,
            flag_metadata=_metadata(route),
        )

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        """Refuse: a route is an object.

        Raises:
            TypeMismatchError: always.
        """
        del default_value, evaluation_context
        raise _mismatch(flag_key)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        """Refuse: a route is an object.

        Raises:
            TypeMismatchError: always.
        """
        del default_value, evaluation_context
        raise _mismatch(flag_key)

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,  # noqa: FBT001 - the interface's
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Refuse: a route is an object.

        Raises:
            TypeMismatchError: always.
        """
        del default_value, evaluation_context
        raise _mismatch(flag_key)

    def _route(self, flag_key: str) -> _Route:
        try:
            route = self._opened().current(index_name(flag_key))
        except NotFoundError as error:
            raise FlagNotFoundError(error.message) from error
        except RepointError as error:
            if isinstance(error, UnconfirmedRouteError):
                self._tell_stale(error)
            raise GeneralError(str(error)) from error
        if self._stale:
            self._stale = False
            self.emit_provider_ready(ProviderEventDetails(message="confirmed again"))
        return route

    def _opened(self) -> _Routes:
        with self._lock:
            if self._routes is None:
                self._routes = self._opening(self._tell_changed)
            return self._routes

    def _tell_changed(self, index: IndexName) -> None:
        self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=[index]))

    def _tell_stale(self, error: RepointError) -> None:
        if not self._stale:
            self._stale = True
            self.emit_provider_stale(ProviderEventDetails(message=error.message))


class _Here:
    """Routes of a workspace that is open in this process."""

    def __init__(self, repoint: Repoint, told: Callable[[IndexName], None]) -> None:
        workspace = repoint.workspace
        self._watch = RouteWatch(
            workspace.session,
            program=f"{workspace.session.process.program} (openfeature)",
            lease=workspace.config.lease,
            on_change=told,
            acknowledges=True,
        )

    def current(self, index: IndexName) -> _Route:
        """Return the route, following the index from the first time on."""
        if not self._watch.follows(index):
            self._watch.join(index)
        return self._watch.current(index)

    def close(self) -> None:
        """Leave the registry."""
        self._watch.close()


class _There:
    """Routes of a server."""

    def __init__(
        self, url: str, *, key: str, watcher: str, told: Callable[[IndexName], None]
    ) -> None:
        self._url, self._key, self._watcher, self._told = url, key, watcher, told
        self._lock = threading.Lock()
        self._followed: dict[IndexName, RemoteRoute] = {}

    def current(self, index: IndexName) -> _Route:
        """Return the route, following the index from the first time on."""
        route = self._followed.get(index)
        if route is None:
            with self._lock:
                route = self._followed.get(index) or RemoteRoute(
                    self._url,
                    index,
                    watcher=self._watcher,
                    key=self._key,
                    on_change=lambda: self._told(index),
                )
                self._followed[index] = route
        return route.current()

    def close(self) -> None:
        """Leave the server's registry."""
        for route in self._followed.values():
            route.close()


def _metadata(route: _Route) -> dict[str, bool | int | float | str]:
    field = {"vector_field": route.vector_field} if route.vector_field else {}
    return {"epoch": route.epoch, "collection": route.collection, **field}


def _mismatch(flag_key: str) -> OpenFeatureError:
    return TypeMismatchError(
        f"the route of index {flag_key!r} is an object: evaluate it as one, so that "
        "release and query model belong together"
    )
