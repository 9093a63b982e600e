"""``repoint erase``: a person's right to be forgotten."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli import failures
from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command
from repoint.domain.errors import BadInputError

if TYPE_CHECKING:
    from repoint.cli.output import Output
    from repoint.domain.document import Json
    from repoint.operations.erase import ErasureReport

app = typer.Typer(rich_markup_mode=None)


@command(
    app,
    "erase",
    example='repoint erase docs 4711 4712 --reason "request 2026-118"\n'
    'repoint erase docs --ids-file ids.txt --reason "request 2026-118" --json\n'
    "repoint erase docs",
    interrupted="what was begun is finished by the same command without ids, or by: "
    "repoint reconcile",
)
def erase(
    door: Door,
    index: IndexName,
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID…]",
            help="The documents' own ids; none: finish what an earlier run left.",
            show_default=False,
        ),
    ] = None,
    ids_file: Annotated[
        Path | None,
        typer.Option(
            "--ids-file",
            metavar="FILE",
            help="Ids from a file, one a line; - is standard input.",
            show_default=False,
        ),
    ] = None,
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="WHY",
            help="Why; kept in the audit chain, so it names no person.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Delete documents and prove that nothing of them is left anywhere.

    The exit status is 0 when every place was looked at and nothing was found, and 3 when a
    finding failed: correct what it says, then run it again without ids.
    """
    named = [*(ids or ()), *_from_file(ids_file)]
    with door.workspace() as opened:
        handle = opened.index(index)
        reports = [handle.erase(named, reason=reason)] if named else handle.finish_erasures()
    door.out.json({"index": index, "erasures": [_shape(one) for one in reports]})
    for one in reports:
        _tell(door.out, one)
    if not reports:
        door.out.say(f"no erasure of {index} is unfinished; name documents to erase them")
    if not all(one.verified for one in reports):
        raise typer.Exit(failures.NOT_CLEAN)


def _from_file(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"the ids cannot be read from {file}: {error}", hint="one id a line, in UTF-8"
        ) from error
    found = [line for line in text.splitlines() if line.strip()]
    if not found:
        raise BadInputError(f"{file} holds no id", hint="one id a line")
    return found


def _tell(out: Output, report: ErasureReport) -> None:
    out.findings(report.findings)
    out.say(*(f"out of reach: {place}" for place in report.not_reached))
    unknown = f", {report.unknown:,} of them unknown to the log" if report.unknown else ""
    proof = (
        "nothing of them was found"
        if report.verified
        else f"NOT PROVEN: correct what failed, then: repoint erase {report.index}"
    )
    out.say(
        f"{report.index}: {report.documents:,} documents erased{unknown} · {proof} · "
        f"{report.seconds:.2f} s"
    )


def _shape(report: ErasureReport) -> Json:
    return {
        "id": report.id,
        "documents": report.documents,
        "unknown": report.unknown,
        "verified": report.verified,
        "seconds": round(report.seconds, 4),
        "findings": [failures.plain(finding) for finding in report.findings],
        "not_reached": list(report.not_reached),
    }
