"""``repoint promote`` and ``rollback``: the moves of the pointer."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli import failures, shapes
from repoint.cli.arguments import AckTimeout, IndexName, Reason, ReleaseName
from repoint.cli.door import Door, command
from repoint.cli.output import Output

if TYPE_CHECKING:
    from repoint.operations.rollback import RollbackReport

app = typer.Typer(rich_markup_mode=None)

_FINISHED = "if it had begun, it is finished by: repoint reconcile; see: repoint status"


class When(StrEnum):
    """When writes that the fallback has not seen are applied to it; deletes always go first."""

    AUTO = "auto"
    BEFORE = "before"
    AFTER = "after"


@command(
    app,
    "promote",
    example='repoint promote docs v1\nrepoint promote docs v2 --reason "better recall" '
    '--without-evaluation "measured by hand"',
    interrupted=_FINISHED,
)
def promote(  # noqa: PLR0913 - each is an option that people type
    door: Door,
    *,
    index: IndexName,
    release: ReleaseName,
    reason: Reason = "",
    without_evaluation: Annotated[
        str | None,
        typer.Option(
            "--without-evaluation",
            metavar="WHY",
            help="Why nobody measured it; the risk goes on record.",
        ),
    ] = None,
    max_lag: Annotated[
        int,
        typer.Option(
            "--max-lag", metavar="N", min=0, help="Log rows that it may be behind at the move."
        ),
    ] = 0,
    ack_timeout: AckTimeout = 5.0,
) -> None:
    """Let a release answer, once it is ready.

    The first promotion activates; later ones keep what answered before as the fallback.
    """
    from repoint.operations.promote import PromoteOptions  # noqa: PLC0415 - not needed for help

    options = PromoteOptions(
        without_evaluation=without_evaluation,
        max_lag=max_lag,
        ack_timeout=timedelta(seconds=ack_timeout),
    )
    with door.workspace() as opened:
        report = opened.index(index).promote(release, reason=reason, options=options)
    door.out.json(shapes.promotion(report))
    door.out.findings(report.findings)
    back = (
        f"to go back to {report.fallback}: repoint rollback {index} --reason …"
        if report.fallback
        else f'ask it: repoint search {index} "a question"'
    )
    door.out.say(
        f"{index} answers from {report.release} (epoch {report.epoch}) · "
        f"{report.seconds:.2f} s",
        f"  -> {back}",
    )


@command(
    app,
    "rollback",
    example='repoint rollback docs --reason "relevance fell after v2"\n'
    'repoint rollback docs --reason "provider is down" --replay after --json',
    interrupted=_FINISHED,
)
def rollback(  # noqa: PLR0913 - each is an option that people type
    door: Door,
    *,
    index: IndexName,
    reason: Annotated[
        str, typer.Option("--reason", metavar="WHY", help="Why; kept with the evidence.")
    ],
    replay: Annotated[
        When,
        typer.Option("--replay", help="Apply pending writes before or after the move."),
    ] = When.AUTO,
    insist: Annotated[
        bool, typer.Option("--insist", help="Go back although the fallback failed its checks.")
    ] = False,
    stay_frozen: Annotated[
        bool, typer.Option("--stay-frozen", help="Stay frozen even if everything verifies.")
    ] = False,
    ack_timeout: AckTimeout = 5.0,
) -> None:
    """Go back to the fallback, and prove that it answers.

    The exit status is 0 when every check passed, and 3 when the pointer went back but a
    check failed: the findings say which, and the index stays frozen.
    """
    from repoint.operations.rollback import Replay, RollbackOptions  # noqa: PLC0415 - not for help

    options = RollbackOptions(
        replay=Replay(replay),
        ack_timeout=timedelta(seconds=ack_timeout),
        insist=insist,
        stay_frozen=stay_frozen,
    )
    with door.workspace() as opened:
        report = opened.index(index).rollback(reason=reason, options=options)
        door.out.json(shapes.rollback(report))
        _tell(door.out, report)
    if not report.verified:
        raise typer.Exit(failures.NOT_CLEAN)


def _tell(out: Output, report: RollbackReport) -> None:
    index = report.index
    late = f"; {report.late:,} rows came after the move" if report.late else ""
    out.say(
        f"frozen      nothing else moves {index} meanwhile",
        f"made whole  {report.replayed:,} log rows were applied to {report.active}{late}",
        f"moved       {report.failed} -> {report.active}, epoch {report.epoch}, "
        f"{report.switch_seconds:.2f} s after the command",
        "verified" if report.verified else "NOT VERIFIED",
    )
    out.findings(report.findings)
    out.say(f"kept        {report.failed} is held for diagnosis; evidence: {report.evidence}")
    if report.frozen:
        out.say(
            f"frozen      {index} stays frozen",
            f"  -> when it is safe: repoint unfreeze {index}",
        )
    proof = "verified" if report.verified else "NOT VERIFIED: see the failed findings above"
    out.say(
        f"{index} answers from {report.active} (epoch {report.epoch}) · {proof} · "
        f"{report.seconds:.2f} s",
        f"  -> {shapes.seeded(index, report.failed)}",
    )
