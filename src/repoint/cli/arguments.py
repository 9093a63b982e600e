"""Arguments and options that several commands take, each described once."""

from __future__ import annotations

from typing import Annotated

import typer

IndexName = Annotated[str, typer.Argument(metavar="INDEX", help="The index's name.")]
ReleaseName = Annotated[str, typer.Argument(metavar="RELEASE", help="The release's name.")]
Reason = Annotated[
    str,
    typer.Option("--reason", metavar="WHY", help="Why; kept in the history and the audit."),
]
AckTimeout = Annotated[
    float,
    typer.Option(
        "--ack-timeout",
        metavar="SECONDS",
        min=0,
        help="How long to wait until every serving process confirms the new epoch.",
    ),
]
