"""Loading only the command that was typed: starting must not cost what others need."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, cast

import typer
from typer.core import TyperGroup
from typer.main import get_group

from repoint.cli.table import COMMANDS

if TYPE_CHECKING:
    from typer.core import TyperCommand


class _Formatter(Protocol):
    """What is used of the help formatter, whose own type is private."""

    def section(self, name: str) -> AbstractContextManager[None]: ...
    def write_dl(self, rows: Sequence[tuple[str, str]]) -> None: ...


class LazyGroup(TyperGroup):
    """The root group: names and sentences from the table, the rest on demand."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # its type is private
        """Return every command's name, in the order of the help page."""
        del ctx
        return list(COMMANDS)

    def get_command(  # type: ignore[override]  # its types are private
        self, ctx: typer.Context, cmd_name: str
    ) -> TyperCommand | TyperGroup | None:
        """Return a command, its module loaded now."""
        del ctx
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(  # type: ignore[override]  # its types are private
        self, ctx: typer.Context, args: list[str]
    ) -> tuple[str | None, TyperCommand | TyperGroup | None, list[str]]:
        """Return the command that was typed, or suggest what may have been meant."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            meant = f"; did you mean {close[0]!r}?" if close else "; see: repoint --help"
            ctx.fail(f"there is no command {args[0]!r}{meant}")
        return args[0], self.get_command(ctx, args[0]), args[1:]

    def format_commands(self, ctx: typer.Context, formatter: _Formatter) -> None:  # type: ignore[override]  # private
        """Write the table as the list of commands."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.sentence) for name, entry in COMMANDS.items()])


def load(name: str) -> TyperCommand | TyperGroup:
    """Return a command of the table by importing its module."""
    module = importlib.import_module(f"repoint.cli.{COMMANDS[name].module}")
    group = get_group(cast("typer.Typer", module.app))
    # A module's app is the command when it has the command's name, else a list of commands.
    found = group if group.name == name else group.commands[name]
    return cast("TyperCommand | TyperGroup", found)
