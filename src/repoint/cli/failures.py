"""How a command ends when it cannot do what was asked: one sentence, a hint, a status."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from repoint.cli.output import harmless
from repoint.domain.document import Json

if TYPE_CHECKING:
    from repoint.domain.errors import RepointError

#: A command's exit status besides those of the error families.
DONE: Final = 0
BUG: Final = 1
USAGE: Final = 2
NOT_CLEAN: Final = 3
INTERRUPTED: Final = 130
#: Whoever read the output went away; 128 + SIGPIPE, as other programs have it.
UNREAD: Final = 141


def told(error: RepointError, *, as_json: bool) -> int:
    """Print an error that repoint raised on purpose, and return its family's exit status."""
    notes: list[str] = list(getattr(error, "__notes__", []))
    if as_json:
        details = plain({**error.details(), **({"notes": notes} if notes else {})})
        _print_json(code=error.code, message=error.message, hint=error.hint, details=details)
    else:
        lines = [f"repoint: {error.message}"]
        lines += [f"  -> {error.hint}"] if error.hint else []
        lines += [f"  note: {note}" for note in notes]
        typer.echo(harmless("\n".join(lines)), err=True)
    return error.exit_status


def interrupted(safe: str, *, as_json: bool) -> int:
    """Say after Ctrl-C what the command leaves behind."""
    if as_json:
        _print_json(code="interrupted", message="interrupted", hint=safe, details={})
    else:
        typer.echo(f"\nrepoint: interrupted; {safe}", err=True)
    return INTERRUPTED


def misused(message: str, *, hint: str = "", as_json: bool) -> int:
    """Print what was wrong with the command line itself."""
    if as_json:
        _print_json(code="usage", message=message, hint=hint, details={})
    else:
        said = f"repoint: {message}" + (f"\n  -> {hint}" if hint else "")
        typer.echo(harmless(said), err=True)
    return USAGE


def bug(error: BaseException, *, as_json: bool) -> int:
    """Keep the trace in a file, and say that this is repoint's fault and where the file is."""
    trace = "".join(traceback.format_exception(error))
    kept = _keep(trace)
    message = (
        f"this is a bug in repoint, not a mistake of yours: {type(error).__name__}: {error}"
    )
    hint = f"nothing was sent anywhere; report it with the file {kept}"
    if as_json:
        _print_json(code="bug", message=message, hint=hint, details={"report": kept})
    else:
        typer.echo(harmless(f"repoint: {message}\n  -> {hint}"), err=True)
    return BUG


def unread() -> int:
    """End quietly when the reader of our output went away (``repoint … | head``)."""
    # Python would try to flush once more at exit, and complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return UNREAD


def plain(value: object) -> Json:  # noqa: PLR0911 - one line a kind
    """Return a value as JSON has it: durations in seconds, moments in ISO 8601, UTC."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, timedelta):
        return round(value.total_seconds(), 3)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value)


def _print_json(*, code: str, message: str, hint: str, details: Json) -> None:
    error: Json = {"code": code, "message": message, "hint": hint, "details": details}
    typer.echo(json.dumps({"error": error}, ensure_ascii=False, indent=2), err=True)


def _keep(trace: str) -> str:
    versions = (
        f"python {sys.version.split()[0]} on {sys.platform}\ncommand: {sys.argv[1:2]}\n\n"
    )
    try:
        handle, name = tempfile.mkstemp(prefix="repoint-bug-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(versions + trace)
    except OSError as error:
        typer.echo(trace, err=True)
        return f"(none: {error.strerror}; the trace is above)"
    return str(Path(name))
