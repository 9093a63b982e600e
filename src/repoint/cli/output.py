"""What a command prints: sentences and columns for people, one JSON value for machines."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import typer

from repoint.domain.document import Json
from repoint.domain.readiness import Finding, Status

_COLOURS: Final = {
    Status.OK: typer.colors.GREEN,
    Status.WARNING: typer.colors.YELLOW,
    Status.FAILED: typer.colors.RED,
    Status.SKIPPED: typer.colors.BRIGHT_BLACK,
}
_GAP: Final = "  "
#: How a line begins that says what to type next.
_HINT: Final = "  -> "
_COMMAND: Final = re.compile(r"\brepoint (?=[a-z])")


class Output:
    """Standard output, in one of its two forms; what is only for people goes unsaid in JSON."""

    def __init__(self, *, as_json: bool, home: Path | None = None) -> None:
        self.as_json = as_json
        self._home = home

    def json(self, value: Json) -> None:
        """Print the command's one JSON value, if JSON was asked for."""
        if self.as_json:
            typer.echo(json.dumps(value, ensure_ascii=False, indent=2))

    def say(self, *lines: str) -> None:
        """Print lines for people."""
        if not self.as_json:
            for line in lines:
                typer.echo(harmless(self._at_home(line)))

    def _at_home(self, line: str) -> str:
        """Return a hint as it must be typed: for the workspace that this command was given."""
        if self._home is None or not line.startswith(_HINT):
            return line
        return _COMMAND.sub(f"repoint --home {shlex.quote(str(self._home))} ", line)

    def marked(self, mark: str, colour: str, line: str) -> None:
        """Print a line for people that begins with a word in colour."""
        if not self.as_json:
            typer.echo(typer.style(mark, fg=colour) + harmless(line))

    def aside(self, *lines: str) -> None:
        """Print to standard error: progress and hints, never part of an answer."""
        for line in lines:
            typer.echo(harmless(line), err=True)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print columns; those that hold only numbers are aligned to the right."""
        self.say(*columns(head, rows))

    def findings(self, findings: Iterable[Finding]) -> None:
        """Print each finding with its figure, and what to do about those that failed."""
        for finding in findings:
            self.marked(
                f"{finding.status:<8}",
                _COLOURS[finding.status],
                f" {finding.check}: {finding.summary}",
            )
            if finding.remedy and finding.status in {Status.FAILED, Status.WARNING}:
                self.say(f"{'':<8} -> {finding.remedy}")


def harmless(text: str) -> str:
    """Return a text whose control characters a terminal shows instead of obeying.

    Documents and names come from anywhere; an escape sequence of theirs could move the
    cursor, retitle the window or hide what stands beside it.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text
    )


def columns(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return rows as lines of text, one column under the other."""
    cells = [[_cell(value) for value in row] for row in rows]
    right = [
        bool(cells) and all(_is_number(row[place]) for row in cells)
        for place in range(len(head))
    ]
    widths = [max(len(row[place]) for row in [head, *cells]) for place in range(len(head))]
    lines = []
    for row in [list(head), *cells]:
        padded = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        lines.append(_GAP.join(padded).rstrip())
    return lines


def shortened(text: str, width: int) -> str:
    """Return a text on one line, cut with an ellipsis where it is longer."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def interactive() -> bool:
    """Return whether someone watches standard error, so that a progress bar makes sense."""
    return sys.stderr.isatty()


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(",", "").replace(".", "", 1).isdigit()
