"""``repoint bridge``: reaching a release whose query model is gone; for emergencies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli.arguments import IndexName, Reason, ReleaseName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain

if TYPE_CHECKING:
    from repoint.domain.bridge import Bridge
    from repoint.domain.document import Json

app = typer.Typer(name="bridge", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def bridge() -> None:
    """Reach a release whose query model is gone through a living model."""


@command(
    app,
    "fit",
    example="repoint bridge fit docs v1 --from v2\n"
    "repoint bridge fit docs v1 --from v2 --queries garden",
    interrupted="nothing was stored",
)
def fit(  # noqa: PLR0913 - each is an option that people type
    door: Door,
    *,
    index: IndexName,
    release: ReleaseName,
    source: Annotated[
        str, typer.Option("--from", metavar="RELEASE", help="Whose model still answers.")
    ],
    queries: Annotated[
        str,
        typer.Option(
            "--queries",
            metavar="NAME",
            help="The query set that it is measured with; else the release's golden queries.",
        ),
    ] = "",
    pairs: Annotated[
        int, typer.Option("--pairs", metavar="N", help="At most so many pairs of vectors.")
    ] = 20_000,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="The same seed gives the same bridge.")
    ] = 0,
) -> None:
    """Fit a map from a living model into an old release's space, and say what it loses.

    It is learnt from vectors that both collections hold of the same texts, and measured on
    queries; no query goes over it until it is enabled.
    """
    from repoint.operations.bridge.bridging import FitOptions  # noqa: PLC0415 - loads numpy

    options = FitOptions(queries=queries, pairs=pairs, seed=seed)
    with door.workspace() as opened:
        made = opened.index(index).bridges.fit(release, source=source, options=options)
    door.out.json(_shape(made))
    kept = made.retention
    door.out.say(
        f"{made.id}: from the model of {made.source} into the space of {made.release}",
        f"fitted on {made.fitted:,} pairs ({made.method}); cosine {made.cosine:.3f} on the "
        f"{made.held_out:,} held out",
        f"{kept.measure} on {kept.count:,} queries of {kept.queries}: {kept.bridged:.3f}, with "
        f"its own model {kept.old:.3f}",
        f"keeps {kept.share:.1%} (change {kept.bridged - kept.old:+.3f} "
        f"[{kept.low:+.3f}, {kept.high:+.3f}])",
        f'  -> to let queries go over it: repoint bridge enable {index} {made.id} --reason "…"',
    )


@command(
    app,
    "enable",
    example='repoint bridge enable docs b-3kq0w8zt1c --reason "the provider ended v1\'s model"',
)
def enable(
    door: Door,
    *,
    index: IndexName,
    bridge_id: Annotated[str, typer.Argument(metavar="BRIDGE", help="Its id.")],
    reason: Reason = "",
) -> None:
    """Let a release's queries go over a bridge, once the pointer moves to it.

    Only if the policy allows it, and only if the bridge keeps at least the policy's floor.
    Every answer then says which bridge it went over.
    """
    with door.workspace() as opened:
        one = opened.index(index).bridges.enable(bridge_id, reason=reason)
    door.out.json(_shape(one))
    door.out.say(
        f"queries of {one.release} go over {one.id} from its next move on; they keep "
        f"{one.retention.share:.1%} of {one.retention.measure}",
        "what is written from now on is not searchable in it until its own model is back",
    )


@command(app, "disable", example="repoint bridge disable docs v1")
def disable(door: Door, *, index: IndexName, release: ReleaseName, reason: Reason = "") -> None:
    """Let a release's queries go to its own model again."""
    with door.workspace() as opened:
        one = opened.index(index).bridges.disable(release, reason=reason)
    door.out.json(_shape(one))
    door.out.say(f"queries of {one.release} go to its own model again, not over {one.id}")


@command(app, "list", example="repoint bridge list docs")
def list_(door: Door, index: IndexName) -> None:
    """List the bridges of an index, newest first, and what each keeps."""
    with door.workspace() as opened:
        found = opened.index(index).bridges.all()
    door.out.json({"index": index, "bridges": [_shape(one) for one in found]})
    if not found:
        door.out.say(f"no bridge of {index}; queries go to each release's own model")
        return
    door.out.table(
        ("bridge", "into", "from", "keeps", "of", "queries", "enabled"),
        [
            (
                one.id,
                one.release,
                one.source,
                f"{one.retention.share:.1%}",
                one.retention.measure,
                f"{one.retention.count:,} of {one.retention.queries}",
                "yes" if one.enabled else "",
            )
            for one in found
        ],
    )


def _shape(one: Bridge) -> dict[str, Json]:
    kept = one.retention
    return {
        "bridge": one.id,
        "index": one.map.index,
        "release": one.release,
        "source": one.source,
        "method": one.method.value,
        "pairs": one.fitted,
        "held_out": one.held_out,
        "cosine": one.cosine,
        "against": kept.against.value,
        "measure": kept.measure,
        "queries": kept.queries,
        "count": kept.count,
        "old": kept.old,
        "bridged": kept.bridged,
        "low": kept.low,
        "high": kept.high,
        "retention": kept.share,
        "enabled": one.enabled,
        "actor": one.actor,
        "at": plain(one.at),
    }
