"""How far a long command is: a bar where someone watches, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import typer

from repoint.cli.output import interactive

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

#: Seconds between two lines where nobody watches: enough to see in a log that it lives.
_EVERY_S: Final = 10.0


class Bar:
    """Progress on standard error; a context manager."""

    def __init__(self, title: str, *, total: int | None = None) -> None:
        self._title = title
        self._total = total
        self._rich: Progress | None = None
        self._task: TaskID | None = None
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        if interactive():
            self._rich = _rich_progress()
            self._rich.start()
            self._task = self._rich.add_task(self._title, total=self._total, note="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._rich is not None:
            self._rich.stop()

    def show(self, done: int, *, total: int | None = None, note: str = "") -> None:
        """Show how much is done of how much, and a word on it."""
        total = total if total is not None else self._total
        if self._rich is not None and self._task is not None:
            self._rich.update(self._task, completed=done, total=total, note=note)
        elif time.monotonic() - self._said >= _EVERY_S:
            self._said = time.monotonic()
            share = f" of {total:,}" if total else ""
            typer.echo(
                f"{self._title}: {done:,}{share}" + (f", {note}" if note else ""), err=True
            )


def duration(seconds: float) -> str:
    """Return a duration as people say it: 850 ms, 4.2 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _rich_progress() -> Progress:
    from rich.console import Console  # noqa: PLC0415 - only where a bar is drawn
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )
