"""``repoint runs``: what was measured, and with what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli import judged
from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain

if TYPE_CHECKING:
    from repoint.domain.document import Json
    from repoint.domain.evaluation import Latency, Run

app = typer.Typer(name="runs", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def runs() -> None:
    """List and show stored evaluations and runs."""


@command(app, "list", example="repoint runs list docs")
def list_(door: Door, index: IndexName) -> None:
    """List all evaluations and runs, newest first."""
    with door.workspace() as opened:
        handle = opened.index(index)
        judging, rollout = handle.judging, handle.status().rollout
        evaluations, found = judging.evaluations(), judging.runs()
    door.out.json(
        {
            "index": index,
            "evaluations": [plain(one) for one in evaluations],
            "runs": [plain(one) for one in found],
            "rollout": None
            if rollout is None
            else {"release": rollout.release, "policy": rollout.policy},
        }
    )
    if not found:
        door.out.say(
            f"nothing was measured in {index} yet",
            f"  -> repoint evaluate {index} RELEASE --queries NAME",
        )
        return
    door.out.table(
        ("evaluation", "candidate", "baseline", "queries", "at (UTC)", "by"),
        [
            (
                one.id,
                one.candidate,
                one.baseline,
                f"{one.query_set}@{one.version}",
                f"{one.at:%Y-%m-%d %H:%M:%S}",
                one.actor,
            )
            for one in evaluations
        ],
    )
    if rollout is not None:
        door.out.say(
            f"{rollout.release} is judged by "
            + (f"policy {rollout.policy}" if rollout.policy else "the built-in policy")
            + ", with which its rollout began"
        )
    door.out.table(
        ("run", "release", "queries", "log at", "at (UTC)", "by", "kept as"),
        [
            (
                one.id,
                one.release,
                f"{one.query_set}@{one.version}",
                one.lsn,
                f"{one.at:%Y-%m-%d %H:%M:%S}",
                one.actor,
                one.name,
            )
            for one in found
        ],
    )


@command(
    app,
    "show",
    example="repoint runs show docs e-3f2a91c07d\n"
    "repoint runs show docs e-3f2a91c07d --html report.html\nrepoint runs show docs june",
)
def show(
    door: Door,
    *,
    index: IndexName,
    which: Annotated[
        str,
        typer.Argument(metavar="ID", help="An evaluation, a run, or a run's own name."),
    ],
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write an evaluation as one HTML page."),
    ] = None,
) -> None:
    """Show an evaluation's report again, or one run's own figures."""
    with door.workspace() as opened:
        judging = opened.index(index).judging
        if which in {one.id for one in judging.evaluations()}:
            judged.show(door, judging.report(which), html=html)
            return
        run = judging.run(which)
    _told(door, run)


def _told(door: Door, run: Run) -> None:
    from repoint.domain.evaluation import index_recall, latency  # noqa: PLC0415 - not for help

    found, recall = latency(run), index_recall(run, k=10)
    door.out.json(
        {
            "run": run.id,
            "index": run.index,
            "release": run.release,
            "fingerprint": run.fingerprint,
            "query_set": run.query_set,
            "version": run.version,
            "depth": run.depth,
            "lsn": run.lsn,
            "at": plain(run.at),
            "actor": run.actor,
            "name": run.name,
            "queries": len(run.ranked),
            "empty": run.empty,
            "refused": len(run.refused),
            "index_recall": recall,
            "latency": plain(found),
            "cost": plain(run.cost),
            "passages": run.passages,
            "grounding": _grounding(run),
        }
    )
    door.out.say(
        f"{run.id}: {run.release} on {run.query_set}@{run.version} at log position {run.lsn:,}",
        f"{len(run.ranked):,} queries to a depth of {run.depth}; {run.empty} without an "
        f"answer, {len(run.refused)} refused; {run.cost.tokens:,} tokens",
    )
    if recall is not None:
        door.out.say(f"the index finds {recall:.1%} of exact search's first 10")
    grounding = run.grounding
    if grounding is not None:
        mean = "nothing" if grounding.mean is None else f"{grounding.mean:.1%}"
        door.out.say(
            f"{mean} of what {len(grounding.verdicts):,} answers say is supported by the first "
            f"{grounding.passages} passages, by {grounding.judge} ({grounding.identity}); "
            f"{len(grounding.failed)} have no verdict"
        )
    if found is not None:
        door.out.table(("stage", "p50 ms", "p95 ms", "p99 ms"), _stages(found))


def _grounding(run: Run) -> Json:
    one = run.grounding
    if one is None:
        return None
    return {
        "judge": one.judge,
        "identity": one.identity,
        "answered_by": one.answered_by,
        "passages": one.passages,
        "answers": one.asked,
        "failed": len(one.failed),
        "mean": one.mean,
        "tokens": one.tokens,
    }


def _stages(found: Latency) -> list[tuple[str, str, str, str]]:
    return [
        (name, f"{one.p50:.1f}", f"{one.p95:.1f}", f"{one.p99:.1f}")
        for name, one in (
            ("embed", found.embed),
            ("search", found.search),
            ("rerank", found.rerank),
            ("total", found.total),
        )
    ]
