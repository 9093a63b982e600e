"""``repoint diff``: a release against the log, and two releases against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli import failures
from repoint.cli.arguments import IndexName, ReleaseName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.cli.output import Output, shortened

if TYPE_CHECKING:
    from repoint.domain.document import Json
    from repoint.operations.diff import DiffReport
    from repoint.operations.diff_releases import ReleasesReport

app = typer.Typer(rich_markup_mode=None)


@command(
    app,
    "diff",
    example="repoint diff docs v1\nrepoint diff docs v1 v2\nrepoint diff docs v1 --repair",
    interrupted="what was repaired is kept; the same command finds the rest",
)
def diff(
    door: Door,
    *,
    index: IndexName,
    release: ReleaseName,
    other: Annotated[
        str | None, typer.Argument(metavar="[OTHER]", help="A second release, compared too.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Write again what differs from the log.")
    ] = False,
) -> None:
    """Compare a release with the log, or two releases.

    Each release is compared with the log document by document: missing, extra, stale,
    doubled, wrong text, wrong vectors. The exit status is 0 only when all agree, else 3;
    after a repair it says what is left.
    """
    names = [release] if other is None else [release, other]
    with door.workspace() as opened:
        handle = opened.index(index)
        repaired = [handle.repair(name) for name in names] if repair else None
        reports = [handle.diff(name) for name in names]
        between = None if other is None else handle.diff_releases(release, other)
    clean = all(one.clean for one in reports) and (between is None or between.clean)
    door.out.json(
        {
            "index": index,
            "clean": clean,
            "repaired": None if repaired is None else plain(repaired),
            "releases": [_shape(one) for one in reports],
            "between": None if between is None else plain(between),
        }
    )
    if repaired is not None:
        for name, count in zip(names, repaired, strict=True):
            door.out.say(f"{name}: {count:,} documents were written again")
    for report in reports:
        _tell(door.out, report)
    if between is not None:
        _tell_between(door.out, between)
    if not clean:
        if not repair:
            if any(one.adopted and not one.clean for one in reports):
                door.out.say(f"  -> what others wrote there: repoint absorb {index} --plan")
            door.out.say(f"  -> to repair: repoint diff {index} {' '.join(names)} --repair")
        raise typer.Exit(failures.NOT_CLEAN)


def _shape(report: DiffReport) -> Json:
    return {
        "release": report.release,
        "clean": report.clean,
        "upto": report.upto,
        "compared": report.compared,
        "counts": {kind.value: count for kind, count in report.counts.items()},
        "examples": [plain(one) for one in report.examples],
    }


def _tell(out: Output, report: DiffReport) -> None:
    counts = ", ".join(f"{count:,} {kind}" for kind, count in report.counts.items())
    verdict = counts or "all agree"
    out.say(
        f"{report.release}: {report.compared:,} documents compared with the log at "
        f"{report.upto:,}: {verdict}"
    )
    if report.examples:
        out.table(
            ("document", "difference", "why"),
            [(one.document, one.kind, shortened(one.why, 80)) for one in report.examples],
        )


def _tell_between(out: Output, report: ReleasesReport) -> None:
    counts = ", ".join(f"{count:,} {side}" for side, count in report.counts.items() if count)
    out.say(
        f"{report.a} and {report.b}: {report.documents_a:,} and {report.documents_b:,} "
        f"documents at {report.upto:,}: {counts or 'the same ones'}"
    )
    rows = [(name, side) for side, names in report.examples.items() for name in names]
    if rows:
        out.table(("document", "difference"), rows)
