"""``repoint evidence``: what explains a move, as one signed file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli import failures
from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command

if TYPE_CHECKING:
    from repoint.client.evidence import Verified

app = typer.Typer(name="evidence", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def evidence() -> None:
    """Export and verify what explains a move of the pointer."""


@command(
    app,
    "export",
    example="repoint evidence export docs --move 3\n"
    "repoint evidence export docs --move 3 --out incident.tar.gz --json",
    interrupted="no half file is left",
)
def export(
    door: Door,
    *,
    index: IndexName,
    move: Annotated[
        int,
        typer.Option(
            "--move", metavar="N", min=1, help="The epoch that it moved to: see history."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Else the workspace's folder of evidence."),
    ] = None,
    include_queries: Annotated[
        bool,
        typer.Option(
            "--include-queries",
            help="Also the questions' texts; known items are sentences of documents.",
        ),
    ] = False,
) -> None:
    """Write specs, policy, figures, findings, diagnosis and records of a move, signed.

    It holds no vector, no text of a document and no secret.
    """
    with door.workspace() as opened:
        made = opened.evidence.export(index, move, out=out, include_queries=include_queries)
    door.out.json(
        {
            "index": index,
            "move": move,
            "file": str(made.path),
            "manifest_sha256": made.manifest_sha256,
            "key": made.key,
            "written": made.written,
            "files": list(made.files),
            "missing": list(made.missing),
        }
    )
    state = "" if made.written else " (it was there already, the very same)"
    door.out.say(f"evidence of move {move} of {index}: {made.path}{state}")
    door.out.say(*(f"not in it   {one}" for one in made.missing))
    door.out.say(
        f"manifest    sha256 {made.manifest_sha256}",
        f"signed by   {made.key}",
        f"  -> to check it anywhere: repoint evidence verify {made.path}",
    )


@command(
    app,
    "verify",
    example="repoint evidence verify docs-move-3.tar.gz\n"
    "repoint evidence verify docs-move-3.tar.gz --key their-key.json",
)
def verify(
    door: Door,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle of evidence.")],
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="The public key that must have signed it."),
    ] = None,
) -> None:
    """Check a bundle's signature, every file in it, and its audit chain.

    Needs no workspace. The exit status is 0 only when the key is known too: the one given,
    or that of the workspace here; else 3. A bundle that was changed ends with 6.
    """
    from repoint.client.evidence import verify as verified  # noqa: PLC0415 - not for help
    from repoint.wiring.workspace import find_home  # noqa: PLC0415 - as above

    found = verified(file, key=key, home=find_home(door.settings.home))
    _told(door, found)
    if not found.trusted_by:
        raise typer.Exit(failures.NOT_CLEAN)


@command(app, "key", example="repoint evidence key > our-key.json")
def key(door: Door) -> None:
    """Print the public key that this workspace signs with, for those who verify."""
    with door.workspace() as opened:
        found = opened.evidence.key()
    door.out.json({"key": dict(found.public), "thumbprint": found.thumbprint})
    door.out.say(json.dumps(found.public))


def _told(door: Door, found: Verified) -> None:
    bundle = found.bundle
    door.out.json(
        {
            "file": str(bundle.path),
            "verified": True,
            "trusted": bool(found.trusted_by),
            "trusted_by": found.trusted_by,
            "key": bundle.key.thumbprint,
            "manifest_sha256": bundle.manifest_sha256,
            "index": bundle.manifest.get("index"),
            "move": bundle.manifest.get("move"),
            "files": bundle.files,
            "audit_records": bundle.audit_records,
            "queries_included": bundle.manifest.get("queries_included"),
        }
    )
    door.out.say(
        f"{bundle.path}: move {bundle.manifest.get('move')} of "
        f"{bundle.manifest.get('index')}, {bundle.files} files as they were signed; "
        f"{bundle.audit_records} audit records in an unbroken chain",
        f"manifest    sha256 {bundle.manifest_sha256}",
    )
    who = {
        "given": "the key that you gave",
        "workspace": "this workspace's own key",
    }.get(found.trusted_by)
    if who is not None:
        door.out.say(f"signed by   {bundle.key.thumbprint}: {who}")
    else:
        door.out.say(
            f"SIGNED BY   {bundle.key.thumbprint}, which nobody here vouches for: anyone can "
            "make a bundle with a key of their own",
            "  -> get the key from those who made it (repoint evidence key), then: repoint "
            f"evidence verify {bundle.path} --key FILE",
        )
