"""Routes of one index for clients that search by themselves."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from repoint.client import rendering
from repoint.client.rendering import Renderer
from repoint.domain.errors import UnconfirmedRouteError
from repoint.domain.ids import Epoch, IndexName
from repoint.domain.rendering import RenderFormat, Rendering
from repoint.domain.service_route import ServiceRoute
from repoint.operations import alias, renderings
from repoint.operations.alias import AliasStanding
from repoint.operations.route_watch import RouteWatch, service_route
from repoint.wiring.workspace import Workspace


class Routing:
    """Who answers, with all that is needed to ask in one's own way."""

    def __init__(self, workspace: Workspace, name: IndexName) -> None:
        self._workspace = workspace
        self._name = name

    def service_route(self) -> ServiceRoute:
        """Return collection, query model, settings and epoch as one object.

        Raises:
            RefusedMoveError: nothing was promoted yet.
        """
        return service_route(self._workspace.session, self._name)

    def alias(self) -> AliasStanding | None:
        """Return whether the database's alias is what repoint made it; None without aliases.

        Raises:
            UnavailableError: the database did not answer.
        """
        return alias.look(self._workspace.session, self._name)

    def renderer(
        self,
        *,
        format: str = "json",  # noqa: A002 - the word that users type
        file: Path | None = None,
        command: str = "",
    ) -> Renderer:
        """Return what renders the route into a file, and runs a command after a change.

        Raises:
            BadInputError: the command cannot be read.
        """
        return Renderer(
            self._workspace.session,
            self._name,
            format_=RenderFormat(format),
            file=file,
            command=command,
        )

    def renderings(self) -> list[Rendering]:
        """Return every file that is known to hold the route."""
        return renderings.recorded(self._workspace.session, self._name)

    def forget(self, file: Path) -> bool:
        """Look at a rendered file no longer; False when it was not known."""
        return rendering.forget(self._workspace.session, self._name, file)

    def follow(
        self, *, program: str = "", acknowledges: bool = True, served: int | None = None
    ) -> Following:
        """Follow the pointer as a process that serves, until it is closed.

        With ``acknowledges`` a move counts as taken over once it is known here; without,
        once ``acknowledge`` says so: after a configuration was reloaded, for instance.
        ``served`` is the epoch that is in use until then, where that is not the newest.
        """
        return Following(
            self._name,
            watch=RouteWatch(
                self._workspace.session,
                program=program or self._workspace.session.process.program,
                lease=self._workspace.config.lease,
                acknowledges=acknowledges,
            ),
            served=served,
        )


class Following:
    """One index's route, kept current by a thread. Close it, or use it in a ``with``."""

    def __init__(self, name: IndexName, *, watch: RouteWatch, served: int | None) -> None:
        self._name = name
        self._watch = watch
        watch.join(name, served=None if served is None else Epoch(served))

    @property
    def epoch(self) -> int:
        """The newest epoch known; 0 while nothing was promoted."""
        return self._watch.epoch(self._name)

    def current(self) -> ServiceRoute:
        """Return the route. Ask for every query: it costs microseconds.

        Raises:
            RefusedMoveError: nothing was promoted yet.
            UnconfirmedRouteError: this process cannot tell who answers.
        """
        return self._watch.current(self._name)

    def wait(self, *, after: int, seconds: float) -> ServiceRoute | None:
        """Return the route once its epoch is above ``after``, None when the time is over."""
        return self._watch.wait(self._name, after=Epoch(after), seconds=seconds)

    def acknowledge(self, epoch: int) -> None:
        """Say that this epoch's route is in use, so that the move need not wait longer."""
        self._watch.acknowledge(self._name, Epoch(epoch))

    def unconfirmed(self) -> UnconfirmedRouteError | None:
        """Return why the route must not be used now; None while it may."""
        return self._watch.unconfirmed(self._name)

    def close(self) -> None:
        """Stop following, and leave the registry."""
        self._watch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
