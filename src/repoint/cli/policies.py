"""``repoint policy``: what must hold before a release may answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli.arguments import IndexName, Reason
from repoint.cli.door import Door, command
from repoint.cli.failures import plain

if TYPE_CHECKING:
    from repoint.domain.document import Json
    from repoint.domain.policy import PolicyVersion

app = typer.Typer(name="policy", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def policy() -> None:
    """Set and show what must hold before a release may answer."""


@command(
    app,
    "set",
    example='repoint policy set docs policy.yaml --reason "groups count from now on"',
)
def set_(
    door: Door,
    *,
    index: IndexName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy, as YAML.")],
    reason: Reason = "",
) -> None:
    """Store a policy's next version, for the rollouts that begin from now on."""
    with door.workspace() as opened:
        judging = opened.index(index).judging
        made, open_rollout = judging.set_policy(file, reason=reason)
        known = {str(one.name) for one in judging.query_sets()}
        known |= {f"{one.name}@{one.version}" for one in judging.query_sets()}
    wanted = made.policy.queries
    missing = wanted if wanted and wanted not in known else None
    door.out.json({**_shape(index, made), "kept_by": open_rollout, "missing_queries": missing})
    triggers = f", {len(made.policy.triggers)} triggers" if made.policy.triggers else ""
    door.out.say(f"policy {made.version} of {index}: {len(made.policy.gates)} gates{triggers}")
    if missing is not None:
        door.out.say(
            f"there is no query set {missing!r} yet, so no evaluation can count",
            f"  -> add it: repoint queries add {index} {missing.partition('@')[0]} "
            "--from FOLDER",
        )
    if open_rollout is not None:
        door.out.say(
            f"the open rollout of {open_rollout} keeps the policy that it began with",
            f"  -> while it is not promoted yet: repoint abort {index}, and it begins anew",
        )


@command(
    app,
    "show",
    example="repoint policy show docs\nrepoint policy show docs --version 1 > policy.yaml",
)
def show(
    door: Door,
    *,
    index: IndexName,
    version: Annotated[
        int | None,
        typer.Option("--version", metavar="N", min=0, help="Else the newest; 0 is built in."),
    ] = None,
) -> None:
    """Print a policy as YAML, every default written out."""
    from repoint.wiring.policy_file import dump_policy  # noqa: PLC0415 - loads pydantic, YAML

    with door.workspace() as opened:
        found = opened.index(index).judging.policy(version=version)
    door.out.json(_shape(index, found))
    made = "" if found.at is None else f" by {found.actor}, {found.at:%Y-%m-%d %H:%M} UTC"
    door.out.say(
        f"# policy {found.version} of {index}{made}"
        + (f": {found.reason}" if found.reason else ""),
        dump_policy(found.policy).rstrip(),
    )


def _shape(index: str, one: PolicyVersion) -> dict[str, Json]:
    from repoint.domain.policy import as_tree  # noqa: PLC0415 - not needed for help

    return {
        "index": index,
        "version": one.version,
        "actor": one.actor,
        "reason": one.reason,
        "at": plain(one.at),
        "policy": as_tree(one.policy),
    }
