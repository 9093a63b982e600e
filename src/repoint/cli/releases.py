"""``repoint release``: immutable, fingerprinted retrieval paths."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli.arguments import IndexName, ReleaseName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.domain.errors import UnsupportedError

if TYPE_CHECKING:
    from repoint.domain.document import Json
    from repoint.domain.release import Release

app = typer.Typer(name="release", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def release() -> None:
    """Make, show, list and compare releases."""


@command(app, "create", example="repoint release create docs v1 --spec v1.yaml")
def create(
    door: Door,
    index: IndexName,
    release: ReleaseName,
    spec: Annotated[
        Path, typer.Option("--spec", metavar="FILE", help="The release's spec, as YAML.")
    ],
) -> None:
    """Store a release: its spec with every default, its fingerprint, its model's probes."""
    from repoint.wiring.spec_file import load_spec  # noqa: PLC0415 - loads pydantic and YAML

    read = load_spec(spec)
    with door.workspace() as opened:
        capabilities = opened.workspace.drivers.backend(read.backend).capabilities
        if not capabilities.durable:
            raise UnsupportedError(
                driver=capabilities.name,
                what="collections that outlive one command",
                hint="use it from Python within one process, or another backend",
            )
        made = opened.index(index).create_release(release, spec)
    door.out.json(_shape(made))
    model = made.spec.model
    door.out.say(
        f"made release {made.name} of {index}: {model.provider} {model.name}".rstrip()
        + f", {model.dimensions} dimensions, fingerprint {made.fingerprint[:12]}",
        f"  -> next: repoint sync {index} {made.name} --plan",
    )


@command(
    app, "show", example="repoint release show docs v1\nrepoint release show docs v1 > v1.yaml"
)
def show(door: Door, index: IndexName, release: ReleaseName) -> None:
    """Print a release's spec as YAML, every default written out."""
    from repoint.wiring.spec_file import dump_spec  # noqa: PLC0415 - loads pydantic and YAML

    with door.workspace() as opened:
        found = opened.index(index).release(release)
    door.out.json(_shape(found))
    door.out.say(
        f"# release {found.name} of {index}: {found.state}, "
        f"made {found.created_at:%Y-%m-%d %H:%M} UTC",
        f"# fingerprint {found.fingerprint}",
        f"# collection {found.collection}",
        dump_spec(found.spec).rstrip(),
    )


@command(app, "list", example="repoint release list docs")
def list_(door: Door, index: IndexName) -> None:
    """List all releases of an index, oldest first."""
    with door.workspace() as opened:
        found = opened.index(index).releases()
    door.out.json({"index": index, "releases": [_shape(one) for one in found]})
    if not found:
        door.out.say(
            f"{index} has no release yet",
            f"  -> make one: repoint release create {index} v1 --spec v1.yaml",
        )
        return
    door.out.table(
        ("release", "state", "provider", "model", "dimensions", "fingerprint", "made (UTC)"),
        [
            (
                one.name,
                one.state,
                one.spec.model.provider,
                one.spec.model.name,
                one.spec.model.dimensions,
                one.fingerprint[:12],
                f"{one.created_at:%Y-%m-%d %H:%M}",
            )
            for one in found
        ],
    )


@command(app, "diff", example="repoint release diff docs v1 v2")
def diff(
    door: Door,
    index: IndexName,
    release: ReleaseName,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The release to compare with.")],
) -> None:
    """Compare two releases' specs, field by field."""
    from repoint.domain.spec_diff import spec_diff  # noqa: PLC0415 - for this command alone

    with door.workspace() as opened:
        handle = opened.index(index)
        a, b = handle.release(release), handle.release(other)
    found = spec_diff(a.spec, b.spec)
    same = a.fingerprint == b.fingerprint
    door.out.json(
        {
            "index": index,
            "a": a.name,
            "b": b.name,
            "same_fingerprint": same,
            "differences": [
                {
                    "field": one.field,
                    "a": plain(one.a),
                    "b": plain(one.b),
                    "changes_answers": one.matters,
                }
                for one in found
            ],
        }
    )
    if not found:
        door.out.say(f"{a.name} and {b.name} have the same spec")
        return
    door.out.table(
        ("field", a.name, b.name, "changes answers"),
        [(one.field, _shown(one.a), _shown(one.b), one.matters) for one in found],
    )
    if same:
        door.out.say("the fingerprints are equal: nothing here changes an answer")


def _shape(one: Release) -> Json:
    from repoint.domain.spec import as_tree  # noqa: PLC0415 - not needed for help

    return {
        "index": one.index,
        "release": one.name,
        "state": one.state.value,
        "fingerprint": one.fingerprint,
        "collection": one.collection,
        "created_at": plain(one.created_at),
        "paused": one.paused,
        "throttle": one.throttle,
        "spec": plain(as_tree(one.spec)),
    }


def _shown(value: object) -> str:
    return "-" if value is None else repr(value) if isinstance(value, str) else str(value)
