"""A route in a file, for what reads its configuration when it is started or deployed."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from repoint.domain.errors import BadInputError
from repoint.domain.ids import IndexName
from repoint.domain.rendering import PREFIX, RenderFormat, Rendering, variables
from repoint.domain.service_route import ServiceRoute
from repoint.operations import renderings
from repoint.operations.session import Session
from repoint.wiring import rendered_files

#: Its number, whatever Python calls it at present.
_STANDARD_ERROR: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What rendering a route did."""

    route: ServiceRoute
    format: RenderFormat
    text: str
    #: None where the text went nowhere.
    file: str | None
    #: Whether the file, or what its reader was last told, was another one before.
    changed: bool
    #: The exit status of the command that was run; None where none was.
    status: int | None = None

    @property
    def taken_over(self) -> bool:
        """Whether nothing stands in the way of calling this route in use."""
        return self.status in {None, 0}


class Renderer:
    """Renders one index's route into one file, and tells a command of it."""

    def __init__(
        self,
        session: Session,
        name: IndexName,
        *,
        format_: RenderFormat,
        file: Path | None,
        command: str = "",
    ) -> None:
        """Render nothing yet.

        Raises:
            BadInputError: the command cannot be read.
        """
        self._session = session
        self._name = name
        self._format = format_
        self._file = None if file is None else file.absolute()
        try:
            self._command: Sequence[str] = shlex.split(command)
        except ValueError as error:
            raise BadInputError(
                f"the command {command!r} cannot be read: {error}",
                hint="quote it as for a shell; none is started",
            ) from error

    def last(self) -> Rendering | None:
        """Return what the file's reader was last told; None where it never was."""
        for one in renderings.recorded(self._session, self._name):
            if one.host == self._session.host.name and one.path == str(self._file):
                return one
        return None

    def render(self, route: ServiceRoute) -> Rendered:
        """Write the file if it is another one, then run the command if its reader must know.

        A command that fails is not taken for having told anybody: it is run again next time.
        """
        text = rendered_files.rendered(route.tree(), self._format)
        wanted = rendered_files.digest_of(text)
        if self._file is None:
            return Rendered(
                route=route,
                format=self._format,
                text=text,
                file=None,
                changed=True,
                status=self._run(route) if self._command else None,
            )
        path, last = str(self._file), self.last()
        if self._session.host.digest(path) != wanted:
            if last is not None and last.digest == wanted:
                renderings.doubt(self._session, last)  # changed behind our back, and read so
            rendered_files.replace(self._file, text)
        elif last is not None and last.digest == wanted:
            return Rendered(
                route=route, format=self._format, text=text, file=path, changed=False
            )
        status = self._run(route) if self._command else None
        done = Rendered(
            route=route, format=self._format, text=text, file=path, changed=True, status=status
        )
        if done.taken_over:
            renderings.record(
                self._session, route, path=path, format_=self._format, digest=wanted
            )
        return done

    def _run(self, route: ServiceRoute) -> int:
        """Run the command, without a shell; the route stands in its environment.

        What it prints goes to standard error: standard output is repoint's own.
        """
        told = {**variables(route.tree()), f"{PREFIX}FILE": str(self._file or "")}
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own command, and no shell
                self._command,
                env={**os.environ, **told},
                stdin=subprocess.DEVNULL,
                stdout=_STANDARD_ERROR,
                check=False,
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise BadInputError(
                f"the command {self._command[0]!r} cannot be run: {why}",
                hint="give a program's name or path; built-in words of a shell are none",
            ) from error
        return done.returncode


def forget(session: Session, name: IndexName, file: Path) -> bool:
    """Look at a file of this machine no longer; False when it was not known."""
    return renderings.forget(session, name, path=str(file.absolute()))
