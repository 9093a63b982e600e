"""What every command has in common: its options, its workspace, how it ends.

``command`` turns a function into a command. The function's first parameter is a ``Door``,
which typer never sees; in its place come ``--home``, ``--json`` and ``--actor``, which are
also taken before the command's name.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Concatenate, Final, ParamSpec

import typer

from repoint.cli import failures
from repoint.cli.output import Output
from repoint.domain.errors import RepointError

if TYPE_CHECKING:
    from repoint.client import Repoint

P = ParamSpec("P")

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="FOLDER",
        help="The workspace; else REPOINT_HOME, else .repoint here.",
        show_default=False,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON value, and errors as JSON too.")
]
ActorOption = Annotated[
    str | None,
    typer.Option(
        "--actor",
        metavar="NAME",
        help="Who acts; else REPOINT_ACTOR, else the system's user.",
        show_default=False,
    ),
]

#: What Ctrl-C leaves behind where a command says nothing else.
NOTHING_HALF_DONE: Final = "nothing is half done; see: repoint status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options that all commands share."""

    home: Path | None = None
    as_json: bool = False
    actor: str | None = None


class Door:
    """One command's way in."""

    def __init__(self, settings: Settings, *, program: str) -> None:
        self.settings = settings
        self.out = Output(as_json=settings.as_json, home=settings.home)
        self._program = program

    @contextmanager
    def workspace(
        self, *, keep_in_step: bool = False, settle_seconds: float = 0.0
    ) -> Iterator[Repoint]:
        """Open the workspace for the length of a block.

        With ``keep_in_step`` the block's writes are brought into every live release; at its
        end they are given ``settle_seconds`` for that.
        """
        from repoint.client import Repoint  # noqa: PLC0415 - help must not pay for it

        opened = Repoint.open(
            self.settings.home,
            actor=self.settings.actor,
            keep_in_step=keep_in_step,
            program=self._program,
        )
        try:
            yield opened
        except BaseException:
            opened.close()
            raise
        else:
            opened.close(settle_seconds=settle_seconds)


def command(
    app: typer.Typer,
    name: str,
    *,
    example: str,
    interrupted: str = NOTHING_HALF_DONE,
) -> Callable[[Callable[Concatenate[Door, P], None]], Callable[Concatenate[Door, P], None]]:
    """Register a function as a command.

    ``example`` are command lines for the help; ``interrupted`` says what Ctrl-C leaves.
    """

    def register(
        function: Callable[Concatenate[Door, P], None],
    ) -> Callable[Concatenate[Door, P], None]:
        @functools.wraps(function)
        def run(
            ctx: typer.Context,
            home: Path | None,
            as_json: bool,  # noqa: FBT001 - typer passes options by name
            actor: str | None,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> None:
            settings = _merged(ctx.find_root().obj, home=home, as_json=as_json, actor=actor)
            door = Door(settings, program=f"repoint {name}")
            status = carry_out(
                door, functools.partial(function, door, *args, **kwargs), interrupted
            )
            raise typer.Exit(status)

        _show_to_typer(run, function)
        text = f"{inspect.getdoc(function)}\n\n\b\nExample:\n{_indented(example)}"
        app.command(name, help=text)(run)
        return function

    return register


def carry_out(door: Door, function: Callable[[], None], interrupted: str) -> int:
    """Run a command's work and return its exit status; what failed is printed."""
    as_json = door.settings.as_json
    try:
        function()
    except RepointError as error:
        return failures.told(error, as_json=as_json)
    except KeyboardInterrupt:
        return failures.interrupted(interrupted, as_json=as_json)
    except BrokenPipeError:
        return failures.unread()
    except (typer.Exit, typer.TyperException) as error:
        if isinstance(error, typer.Exit):
            return error.exit_code
        raise
    except Exception as error:  # noqa: BLE001 - whatever is left is a bug, and is said to be
        return failures.bug(error, as_json=as_json)
    return failures.DONE


def _merged(root: object, *, home: Path | None, as_json: bool, actor: str | None) -> Settings:
    """Return the options given after the command's name over those given before it."""
    before = root if isinstance(root, Settings) else Settings()
    return replace(
        before,
        home=home or before.home,
        as_json=as_json or before.as_json,
        actor=actor or before.actor,
    )


def _show_to_typer(run: object, function: Callable[Concatenate[Door, P], None]) -> None:
    """Give ``run`` the signature that typer reads the command's parameters from."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    shown = [
        inspect.Parameter(
            "ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
        ),
        *(one.replace(kind=keyword) for one in own),
        inspect.Parameter("home", keyword, default=None, annotation=HomeOption),
        inspect.Parameter("as_json", keyword, default=False, annotation=JsonOption),
        inspect.Parameter("actor", keyword, default=None, annotation=ActorOption),
    ]
    run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]  # inspect reads it
    run.__annotations__ = {one.name: one.annotation for one in shown}


def _indented(example: str) -> str:
    return "\n".join(f"  {line}" for line in example.splitlines())
