"""``repoint evaluate``: two releases, the same questions, and what the difference is worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli import failures, judged
from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command
from repoint.cli.progress import Bar

if TYPE_CHECKING:
    from repoint.operations.evaluate import Asked

app = typer.Typer(rich_markup_mode=None)


@command(
    app,
    "evaluate",
    example="repoint evaluate docs v2 --queries clinic\n"
    "repoint evaluate docs v2 --queries clinic --baseline v1 -k 5 --html report.html\n"
    "repoint evaluate docs v2 --queries clinic --save-as june --json\n"
    "repoint evaluate docs v2 --queries faq --judge lexical",
    interrupted="nothing was stored",
)
def evaluate(  # noqa: PLR0913 - each is an option that people type
    door: Door,
    *,
    index: IndexName,
    candidate: Annotated[
        str, typer.Argument(metavar="RELEASE", help="The release that may be promoted.")
    ],
    queries: Annotated[
        str,
        typer.Option(
            "--queries", metavar="NAME", help="The query set, its newest version or NAME@1."
        ),
    ],
    baseline: Annotated[
        str,
        typer.Option(
            "--baseline", metavar="NAME", help="active, a release, or a run kept under a name."
        ),
    ] = "active",
    k: Annotated[
        int,
        typer.Option("-k", metavar="N", min=1, max=1000, help="The depth that counts most."),
    ] = 10,
    depth: Annotated[
        int,
        typer.Option("--depth", metavar="N", min=1, max=1000, help="How many are asked for."),
    ] = 100,
    no_exact: Annotated[
        bool, typer.Option("--no-exact", help="Do not ask exact search beside the index.")
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", min=0, help="Of the resampling.")
    ] = 0,
    save_as: Annotated[
        str,
        typer.Option("--save-as", metavar="NAME", help="Keep the run as a baseline for later."),
    ] = "",
    judge: Annotated[
        str,
        typer.Option(
            "--judge",
            metavar="NAME",
            help="Judge whether answers rest on their passages: lexical, or a [chat.NAME].",
        ),
    ] = "",
    answer_with: Annotated[
        str,
        typer.Option(
            "--answer-with",
            metavar="NAME",
            help="Have a [chat.NAME] make the answers, by each release's prompt.",
        ),
    ] = "",
    passages: Annotated[
        int,
        typer.Option(
            "--passages", metavar="N", min=1, max=100, help="How many count as sources."
        ),
    ] = 5,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write the report as one HTML page."),
    ] = None,
) -> None:
    """Ask two releases the same questions, and judge the difference.

    Both runs are stored, and a promotion rests on the newest evaluation. The exit status is
    0 only when every gate of the policy passes, else 3.
    """
    from repoint.operations.evaluate import Options  # noqa: PLC0415 - not needed for help

    options = Options(
        k=k,
        depth=max(k, depth, passages),
        exact=not no_exact,
        seed=seed,
        save_as=save_as,
        passages=passages,
        judge=judge,
        answer_with=answer_with,
    )
    with door.workspace() as opened, Bar(f"asking {candidate}") as bar:

        def tell(asked: Asked) -> None:
            bar.show(asked.questions, total=asked.total, note=asked.what)

        report = opened.index(index).judging.evaluate(
            candidate, queries=queries, baseline=baseline, options=options, progress=tell
        )
    judged.show(door, report, html=html)
    if not judged.passes(report):
        raise typer.Exit(failures.NOT_CLEAN)
