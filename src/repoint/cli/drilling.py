"""``repoint drill``: a rollback rehearsed, before it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli import failures
from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain

if TYPE_CHECKING:
    from repoint.domain.document import Json
    from repoint.domain.drills import Drill

app = typer.Typer(rich_markup_mode=None)


@command(
    app,
    "drill",
    example="repoint drill docs\nrepoint drill docs v2 --json\nrepoint drill docs --list",
    interrupted="nothing that is served was touched, and nothing was stored",
)
def drill(
    door: Door,
    *,
    index: IndexName,
    release: Annotated[
        str | None,
        typer.Argument(
            metavar="[RELEASE]", help="The candidate; left out: the open rollout's, else back."
        ),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List earlier drills instead, newest first.")
    ] = False,
) -> None:
    """Rehearse a promotion and its rollback, without touching what is served.

    The time of each step is stored, and readiness with it: a policy may ask a promotion for
    a drill that is fresh. The exit status is 3 when something is not ready.
    """
    if list_:
        _list(door, index)
        return
    with door.workspace() as opened:
        made = opened.index(index).guarding.drill(release)
    door.out.json(_shape(made))
    door.out.table(
        ("step", "seconds", "what"),
        [(one.step, f"{one.seconds:.3f}", one.said) for one in made.steps],
    )
    door.out.findings(made.findings)
    door.out.say(
        f"drill {made.number}: from {made.ahead} back to {made.back} in about "
        f"{made.rollback_seconds:.2f} s · {'ready' if made.ready else 'NOT READY'}"
    )
    if not made.ready:
        raise typer.Exit(failures.NOT_CLEAN)


def _list(door: Door, index: str) -> None:
    with door.workspace() as opened:
        found = opened.index(index).guarding.drills()
    door.out.json({"index": index, "drills": [_shape(one) for one in found]})
    if not found:
        door.out.say(
            f"nobody rehearsed anything with {index} yet", f"  -> repoint drill {index}"
        )
        return
    door.out.table(
        ("drill", "at (UTC)", "from", "back to", "seconds", "ready", "by"),
        [
            (
                one.number,
                f"{one.at:%Y-%m-%d %H:%M:%S}",
                one.ahead,
                one.back,
                f"{one.rollback_seconds:.2f}",
                one.ready,
                one.actor,
            )
            for one in found
        ],
    )


def _shape(one: Drill) -> Json:
    return {
        "index": one.index,
        "drill": one.number,
        "at": plain(one.at),
        "actor": one.actor,
        "epoch": one.epoch,
        "ahead": one.ahead,
        "back": one.back,
        "ready": one.ready,
        "rollback_seconds": round(one.rollback_seconds, 4),
        "steps": [
            {"step": step.step, "seconds": round(step.seconds, 4), "said": step.said}
            for step in one.steps
        ],
        "findings": [plain(finding) for finding in one.findings],
    }
