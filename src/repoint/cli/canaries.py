"""``repoint canary`` and ``feedback``: a candidate answers a share of the live queries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli import shapes
from repoint.cli.arguments import AckTimeout, IndexName, Reason
from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.cli.shares import percent, share_of
from repoint.domain.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from repoint.cli.output import Output
    from repoint.domain.document import Json
    from repoint.operations.canary import CanaryReport
    from repoint.operations.trial import Trial

app = typer.Typer(rich_markup_mode=None)

_FINISHED = "if it had begun, it is finished by: repoint reconcile; see: repoint history"


@command(
    app,
    "canary",
    example="repoint canary docs v2 --share 5%\n"
    "repoint canary docs v2 --share 20% --tenant acme=100% --tenant initech=0%\n"
    "repoint canary docs v2 --share 10% --interleave\nrepoint canary docs\n"
    "repoint canary docs --stop",
    interrupted=_FINISHED,
)
def canary(  # noqa: PLR0913 - each is an option that people type
    door: Door,
    *,
    index: IndexName,
    release: Annotated[
        str | None,
        typer.Argument(metavar="[RELEASE]", help="The candidate; else show how it stands."),
    ] = None,
    share: Annotated[
        str | None,
        typer.Option(
            "--share", metavar="SHARE", help="Of all keys: 5%, 0.05.", show_default=False
        ),
    ] = None,
    tenant: Annotated[
        list[str] | None,
        typer.Option(
            "--tenant",
            metavar="NAME=SHARE",
            help="Another share for a tenant; may be repeated.",
            show_default=False,
        ),
    ] = None,
    interleave: Annotated[
        bool,
        typer.Option("--interleave", help="Give both releases' hits in one list instead."),
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End it.")] = False,
    reason: Reason = "",
    ack_timeout: AckTimeout = 5.0,
) -> None:
    """Let a candidate answer a sticky share of the live queries, or show how it does."""
    patience = timedelta(seconds=ack_timeout)
    if stop and release is not None:
        raise BadInputError(
            "a canary is ended without naming its release",
            hint=f"repoint canary {index} --stop",
        )
    if release is not None and share is None:
        raise BadInputError(
            "a canary needs a share", hint=f"repoint canary {index} {release} --share 5%"
        )
    with door.workspace() as opened:
        traffic = opened.index(index).traffic
        if stop:
            _moved(door.out, traffic.stop_canary(reason=reason, ack_timeout=patience))
            return
        if release is not None and share is not None:
            done = traffic.canary(
                release,
                share=share_of(share),
                tenants=_rules(tenant or []),
                interleave=interleave,
                reason=reason,
                ack_timeout=patience,
            )
            _moved(door.out, done)
            return
        found = traffic.trial()
    door.out.json({"index": index, "trial": None if found is None else _shape(found)})
    if found is None:
        door.out.say(
            f"{index} has no canary", f"  -> repoint canary {index} RELEASE --share 5%"
        )
    else:
        _tell(door.out, found)


@command(
    app,
    "feedback",
    example="repoint feedback docs ANSWER --clicked d17\n"
    "repoint feedback docs ANSWER --grade d17=2 --grade d4=0",
)
def feedback(
    door: Door,
    *,
    index: IndexName,
    answer: Annotated[str, typer.Argument(metavar="ANSWER", help="The answer's id.")],
    clicked: Annotated[
        list[str] | None,
        typer.Option(
            "--clicked", metavar="ID", help="A hit that was clicked.", show_default=False
        ),
    ] = None,
    grade: Annotated[
        list[str] | None,
        typer.Option(
            "--grade",
            metavar="ID=GRADE",
            help="How good a hit is; 0 is not relevant.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Say what became of an answer: which hits were clicked, or how they were judged.

    Without any it says that nothing was of use.
    """
    grades = dict(_pair(one, "ID=GRADE") for one in grade or [])
    wrong = [text for text in grades.values() if not text.isdecimal()]
    if wrong:
        raise BadInputError(f"{wrong[0]!r} is no grade", hint="write a whole number, 0 or more")
    with door.workspace() as opened:
        done = opened.index(index).feedback(
            answer,
            clicked=clicked or (),
            grades={name: int(text) for name, text in grades.items()},
        )
    door.out.json({"index": index, "counted": done.counted, "outcome": done.outcome})
    door.out.say(
        "counted"
        if done.counted
        else "not counted: it was before, or its canary is over, or it was not compared"
    )


def _rules(given: Iterable[str]) -> dict[str, float]:
    rules: dict[str, float] = {}
    for text in given:
        name, share = _pair(text, "NAME=SHARE")
        if name in rules:
            raise BadInputError(f"tenant {name!r} is given twice")
        rules[name] = share_of(share)
    return rules


def _pair(text: str, form: str) -> tuple[str, str]:
    name, equals, value = text.rpartition("=")
    if not equals or not name:
        raise BadInputError(f"{text!r} is not of the form {form}")
    return name, value


def _moved(out: Output, report: CanaryReport) -> None:
    one = report.canary
    out.json(
        {
            "index": report.index,
            "epoch": report.epoch,
            "canary": shapes.canary(one),
            "findings": [plain(finding) for finding in report.findings],
        }
    )
    out.findings(report.findings)
    if one is None:
        out.say(
            f"{report.index} is answered by its active release alone (epoch {report.epoch})"
        )
        return
    way = "get both releases' hits in one list" if one.interleaved else "are answered by it"
    rules = "".join(f"; of {name}: {percent(share)}" for name, share in one.tenants)
    out.say(
        f"{one.release}: {percent(one.share)} of the keys {way}{rules} (epoch {report.epoch})",
        f"  -> how it does: repoint canary {report.index}; to end it: "
        f"repoint canary {report.index} --stop",
    )


def _shape(found: Trial) -> Json:
    from repoint.domain.telemetry import Count, Stage  # noqa: PLC0415 - not needed for help

    return {
        "active": found.active,
        "canary": shapes.canary(found.canary),
        "epoch": found.epoch,
        "began": plain(found.began),
        "decision": plain(found.decision),
        "arms": [
            {
                "release": one.release,
                "arm": one.arm.value,
                "queries": one.tally.count(Count.QUERIES),
                "failed": one.tally.count(Count.FAILED),
                "empty": one.tally.count(Count.EMPTY),
                "p50_ms": round(one.tally.histogram(Stage.TOTAL).quantile(0.5), 4),
                "p95_ms": round(one.tally.histogram(Stage.TOTAL).quantile(0.95), 4),
            }
            for one in found.arms()
        ],
    }


def _tell(out: Output, found: Trial) -> None:
    from repoint.domain.telemetry import Count, Stage  # noqa: PLC0415 - not needed for help

    one, decision = found.canary, found.decision
    rules = "".join(f", {name} {percent(share)}" for name, share in one.tenants)
    out.say(
        f"{one.release} is tried against {found.active} since {found.began:%Y-%m-%d %H:%M:%S} "
        f"UTC: {percent(one.share)} of the keys{rules}"
        + (", interleaved" if one.interleaved else "")
        + f" (epoch {found.epoch})"
    )
    arms = found.arms()
    if arms:
        out.table(
            ("release", "arm", "queries", "failed", "empty", "p50 ms", "p95 ms"),
            [
                (
                    arm.release or "(unknown)",
                    arm.arm.value,
                    arm.tally.count(Count.QUERIES),
                    arm.tally.count(Count.FAILED),
                    arm.tally.count(Count.EMPTY),
                    *(
                        f"{arm.tally.histogram(Stage.TOTAL).quantile(q):.3f}"
                        for q in (0.5, 0.95)
                    ),
                )
                for arm in arms
            ],
        )
    what = "preferred share" if one.interleaved else "difference of use"
    clear = f", clear after {decision.decided_at:,}" if decision.decided_at else ""
    out.say(
        f"{decision.verdict}: {what} {decision.estimate:+.4f} "
        f"[{decision.low:+.4f}, {decision.high:+.4f}] against {decision.null:g}, from "
        f"{decision.observations:,} answers that came back{clear}",
        f"valid however often one looks: a false alarm in {1 / decision.alpha:.0f} canaries at "
        "most",
    )
