"""``repoint source``: feeding an index from a team's own system of record."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli import failures
from repoint.cli.arguments import IndexName, Reason
from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.cli.output import shortened
from repoint.cli.stopping import Request, on_signals
from repoint.domain.errors import (
    ConflictError,
    RepointError,
    SweepRefusedError,
    UnavailableError,
)
from repoint.domain.source import FileSettings, SqlSettings

if TYPE_CHECKING:
    from repoint.client.feeding import Feeding
    from repoint.domain.document import Json
    from repoint.domain.source import Source, SourceState
    from repoint.operations.feeding import PollReport

app = typer.Typer(name="source", rich_markup_mode=None, no_args_is_help=True)

SourceName = Annotated[str, typer.Argument(metavar="NAME", help="The source's name.")]

_KEPT = "what was read is in the log; the next poll goes on from there"


class Content(StrEnum):
    """Where the content of a source's documents is kept."""

    LOG = "log"
    REFERENCE = "reference"


def _seconds(text: str) -> float:
    """Read ``30s``, ``5m``, ``2h`` or seconds."""
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
    try:
        seconds = float(text[:-1] if unit else text) * (unit or 1)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 86_400:  # noqa: PLR2004 - a day
        raise typer.BadParameter(f"{text!r} is no time; write for instance 30s, 5m or 1h")
    return seconds


@app.callback()
def source() -> None:
    """Feed an index from your own system of record."""


@command(
    app,
    "add",
    example="repoint source add docs crm --sql env:CRM_URL --table public.articles "
    "--id id --text body --title title --version-column updated_at "
    "--deleted-column deleted_at --metadata lang\n"
    "repoint source add docs dumps --files /srv/dumps --pattern '*.jsonl'",
)
def add(  # noqa: PLR0913 - each is an option that people type
    door: Door,
    *,
    index: IndexName,
    name: SourceName,
    sql: Annotated[
        str | None,
        typer.Option(
            "--sql",
            metavar="URL",
            help="A database, without a password; or env:VARIABLE, which holds the URL.",
        ),
    ] = None,
    table: Annotated[
        str, typer.Option("--table", metavar="TABLE", help="Its table or view; schema.table.")
    ] = "",
    query: Annotated[
        str, typer.Option("--query", metavar="SELECT", help="Or a query that gives the rows.")
    ] = "",
    id_: Annotated[
        str, typer.Option("--id", metavar="COLUMN", help="The column of ids; each stands once.")
    ] = "id",
    text: Annotated[
        list[str] | None,
        typer.Option("--text", metavar="COLUMN", help="A column of text; may be repeated."),
    ] = None,
    title: Annotated[
        str, typer.Option("--title", metavar="COLUMN", help="The column of titles.")
    ] = "",
    version_column: Annotated[
        str,
        typer.Option(
            "--version-column",
            metavar="COLUMN",
            help="Rises with every change: a time or a number. Without, every poll reads all.",
        ),
    ] = "",
    deleted_column: Annotated[
        str,
        typer.Option(
            "--deleted-column",
            metavar="COLUMN",
            help="Marks deleted rows or documents: neither null nor false nor 0.",
        ),
    ] = "",
    metadata: Annotated[
        list[str] | None,
        typer.Option("--metadata", metavar="COLUMN", help="A metadata field; repeatable."),
    ] = None,
    overlap: Annotated[
        float | None,
        typer.Option(
            "--overlap",
            metavar="N",
            min=0,
            help="How far a poll goes back for late commits: seconds (300), or numbers (1000).",
            show_default=False,
        ),
    ] = None,
    content: Annotated[
        Content,
        typer.Option(
            "--content",
            help="Copy titles and texts into the log, or leave them with the source.",
        ),
    ] = Content.LOG,
    files: Annotated[
        Path | None,
        typer.Option("--files", metavar="FOLDER", help="Or a folder of files."),
    ] = None,
    pattern: Annotated[
        str, typer.Option("--pattern", metavar="GLOB", help="Which of its files.")
    ] = "*",
) -> None:
    """Add a source, after a look at whether it can be read."""
    if (sql is None) == (files is None):
        raise typer.BadParameter("give one of --sql and --files")
    settings: SqlSettings | FileSettings
    kept = content is Content.REFERENCE
    if files is not None:
        settings = FileSettings(
            folder=str(files), pattern=pattern, deleted=deleted_column, by_reference=kept
        )
    else:
        settings = SqlSettings(
            url=sql or "",
            table=table,
            query=query,
            id=id_,
            text=tuple(text or ()),
            title=title,
            version=version_column,
            deleted=deleted_column,
            metadata=tuple(metadata or ()),
            overlap=overlap,
            by_reference=kept,
        )
    with door.workspace() as opened:
        made = opened.index(index).feeding.add(name, settings)
    door.out.json(_shape(made))
    door.out.say(
        f"added source {made.name} of {index}: {made.place}",
        f"  -> next: repoint source poll {index} {made.name}",
    )


@command(
    app,
    "poll",
    example="repoint source poll docs crm\nrepoint source poll docs --watch --every 30s\n"
    "repoint source poll docs crm --sweep",
    interrupted=_KEPT,
)
def poll(  # noqa: PLR0913 - each is an option that people type
    door: Door,
    *,
    index: IndexName,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which; left out: all.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on polling until told to stop.")
    ] = False,
    every: Annotated[
        str, typer.Option("--every", metavar="TIME", help="How often: 30s, 5m, 1h.")
    ] = "30s",
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep", help="Also delete what the source no longer has: reads all ids."
        ),
    ] = False,
    allow_deletes: Annotated[
        bool,
        typer.Option(
            "--allow-deletes", help="Let a sweep delete more than a fifth of the documents."
        ),
    ] = False,
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="Only this document of NAME; repeatable."),
    ] = None,
) -> None:
    """Take what changed at a source into the log.

    The exit status is 3 when rows were left out because they are no documents.
    """
    seconds = _seconds(every)
    with (
        door.workspace(keep_in_step=False) as opened,
        on_signals("finishing the page in hand") as request,
    ):
        feeding = opened.index(index).feeding
        if ids:
            if name is None or watch or sweep:
                raise typer.BadParameter("--id reads documents of one NAME, once")
            _tell(door, index, [feeding.changed(name, ids)])
            return
        polling = _Polling(door, feeding, request, sweep=sweep, allow_deletes=allow_deletes)
        if watch:
            polling.watch(name, every=seconds)
            door.out.json({"index": index, "ended": "asked"})
            return
        reports = [polling.once(one) for one in _names(feeding, name)]
    if request.asked():
        _show(door, index, reports)
        raise typer.Exit(request.status)
    _tell(door, index, reports)


@command(app, "list", example="repoint source list docs")
def list_(door: Door, index: IndexName) -> None:
    """List the sources of an index, and how the newest poll of each ended."""
    with door.workspace() as opened:
        found = opened.index(index).feeding.all()
    door.out.json(
        {"index": index, "sources": [{**_shape(one), **_state(at)} for one, at in found]}
    )
    if not found:
        door.out.say(f"{index} has no source", f"  -> repoint source add {index} NAME …")
        return
    door.out.table(
        ("source", "kind", "where", "polled (UTC)", "outcome"),
        [
            (
                one.name,
                one.kind,
                shortened(one.place, 40),
                f"{at.polled_at:%Y-%m-%d %H:%M:%S}" if at.polled_at else None,
                shortened(at.outcome, 80),
            )
            for one, at in found
        ],
    )


@command(app, "show", example="repoint source show docs crm")
def show(door: Door, index: IndexName, name: SourceName) -> None:
    """Show a source's settings, and how far it was read."""
    with door.workspace() as opened:
        found, state, documents = opened.index(index).feeding.look(name)
    door.out.json({**_shape(found), **_state(state), "documents": documents})
    settings = dataclasses.asdict(found.settings)
    door.out.say(f"source      {found.name} of {found.index}, {found.kind}")
    for field, value in settings.items():
        if field != "by_reference" and value not in {None, "", ()}:
            said = ", ".join(value) if isinstance(value, tuple) else str(value)
            door.out.say(f"{field:<11} {said}")
    if found.by_reference:
        door.out.say("content     by reference: titles and texts stay with the source")
    polled = f"{state.polled_at:%Y-%m-%d %H:%M:%S} UTC" if state.polled_at else "never"
    door.out.say(
        f"documents   {documents:,}",
        f"polled      {polled}",
        f"outcome     {state.outcome or '-'}",
    )


@command(app, "remove", example='repoint source remove docs crm --reason "moved"')
def remove(door: Door, *, index: IndexName, name: SourceName, reason: Reason = "") -> None:
    """Forget a source; the documents that it gave stay."""
    with door.workspace() as opened:
        documents = opened.index(index).feeding.remove(name, reason=reason)
    door.out.json({"index": index, "source": name, "documents": documents})
    door.out.say(f"{name} is forgotten; the {documents:,} documents that it gave stay")


class _Polling:
    """Polls sources, once or again and again."""

    def __init__(
        self,
        door: Door,
        feeding: Feeding,
        request: Request,
        *,
        sweep: bool,
        allow_deletes: bool,
    ) -> None:
        self._door = door
        self._feeding = feeding
        self._request = request
        self._sweep = sweep
        self._allow_deletes = allow_deletes
        self._failing: dict[str, str] = {}

    def once(self, name: str) -> PollReport:
        """Poll a source."""
        return self._feeding.poll(
            name,
            sweep=self._sweep,
            allow_deletes=self._allow_deletes,
            stop=self._request.asked,
        )

    def watch(self, name: str | None, *, every: float) -> None:
        """Poll until asked to stop; what fails is said once, and tried again."""
        while not self._request.asked():
            for one in _names(self._feeding, name):
                if self._request.asked():
                    return
                self._try(one)
            self._request.wait(every)

    def _try(self, name: str) -> None:
        try:
            report = self.once(name)
        except (UnavailableError, ConflictError, SweepRefusedError) as error:
            self._fails(name, error)
            return
        if self._failing.pop(name, None) is not None:
            self._door.out.aside(f"{name}: works again")
        if report.written or report.deleted or report.swept or report.bad:
            self._door.out.aside(f"{name}: {report.sentence()}")

    def _fails(self, name: str, error: RepointError) -> None:
        if self._failing.get(name) != error.message:
            self._failing[name] = error.message
            self._door.out.aside(f"{name}: {error}; trying again")


def _names(feeding: Feeding, name: str | None) -> list[str]:
    return [name] if name is not None else [one.name for one, _ in feeding.all()]


def _tell(door: Door, index: str, reports: list[PollReport]) -> None:
    _show(door, index, reports)
    if not all(one.clean for one in reports):
        raise typer.Exit(failures.NOT_CLEAN)


def _show(door: Door, index: str, reports: list[PollReport]) -> None:
    door.out.json({"index": index, "polls": [_report(one) for one in reports]})
    if not reports:
        door.out.say(f"{index} has no source", f"  -> repoint source add {index} NAME …")
    for one in reports:
        _say(door, one)


def _say(door: Door, report: PollReport) -> None:
    door.out.say(f"{report.source}: {report.sentence()}")
    for problem in report.problems:
        door.out.say(f"  left out: {shortened(problem, 100)}")
    for warning in report.warnings:
        door.out.say(f"  warning: {warning}")


def _shape(one: Source) -> dict[str, Json]:
    return {
        "index": one.index,
        "source": one.name,
        "kind": one.kind.value,
        "settings": plain(dataclasses.asdict(one.settings)),
        "actor": one.actor,
        "at": plain(one.at),
    }


def _state(state: SourceState) -> dict[str, Json]:
    return {
        "polled_at": plain(state.polled_at),
        "outcome": state.outcome,
        "sweeps": state.sweep,
    }


def _report(one: PollReport) -> dict[str, Json]:
    return {
        "source": one.source,
        "read": one.read,
        "written": one.written,
        "unchanged": one.unchanged,
        "deleted": one.deleted,
        "swept": one.swept,
        "bad": one.bad,
        "problems": list(one.problems),
        "warnings": list(one.warnings),
        "complete": one.complete,
    }
