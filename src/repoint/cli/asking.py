"""``repoint search`` and ``route``: ask, and say who would answer."""

from __future__ import annotations

from typing import Annotated

import typer

from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.cli.output import shortened
from repoint.domain.errors import RefusedMoveError

app = typer.Typer(rich_markup_mode=None)

_WIDTH = 70


@command(
    app,
    "search",
    example='repoint search docs "how is it treated" -k 5\n'
    """repoint search docs "dosage" --filter 'group = "treatment" and year >= 2020'\n"""
    'repoint search docs "dosage" --release v2 --json',
    interrupted="a search changes nothing",
)
def search(
    door: Door,
    *,
    index: IndexName,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to look for.")],
    k: Annotated[int, typer.Option("-k", metavar="N", min=1, help="How many documents.")] = 10,
    filter_: Annotated[
        str | None,
        typer.Option("--filter", metavar="FILTER", help="Only documents whose metadata match."),
    ] = None,
    release: Annotated[
        str | None,
        typer.Option(
            "--release", metavar="RELEASE", help="Ask a live release past the pointer."
        ),
    ] = None,
) -> None:
    """Ask whoever answers now, or a release by name."""
    with door.workspace() as opened:
        answer = opened.index(index).search(question, k=k, filter=filter_, release=release)
    door.out.json(
        {
            "index": answer.index,
            "release": answer.release,
            "epoch": answer.epoch,
            "bridge": answer.bridge,
            "hits": [
                {
                    "id": hit.document,
                    "score": hit.score,
                    "text": hit.text,
                    "metadata": plain(hit.metadata),
                    "chunk": {"number": hit.slot, "start": hit.start, "end": hit.end},
                }
                for hit in answer.hits
            ],
        }
    )
    if answer.hits:
        door.out.table(
            ("#", "score", "id", "text"),
            [
                (rank, f"{hit.score:.4f}", hit.document, shortened(hit.text, _WIDTH))
                for rank, hit in enumerate(answer.hits, start=1)
            ],
        )
    else:
        door.out.say("nothing found")
    timings = answer.timings
    spent = timings.embed_ms + timings.search_ms + timings.rerank_ms
    who = f"epoch {answer.epoch}" if answer.epoch is not None else "asked by name"
    over = "" if answer.bridge is None else f" over bridge {answer.bridge}"
    door.out.say(f"answered by {answer.release}{over} ({who}) in {spent:.1f} ms")


@command(app, "route", example="repoint route docs --json", interrupted="nothing was changed")
def route(door: Door, index: IndexName) -> None:
    """Print who answers now: release, epoch, collection."""
    with door.workspace() as opened:
        handle = opened.index(index)
        now = handle.status()
        if now.active is None:
            raise RefusedMoveError(
                index=index,
                why="nothing was promoted, so nobody answers",
                hint=f"bring a release into step and: repoint promote {index} RELEASE",
            )
        release = handle.release(now.active)
    spec = release.spec
    door.out.json(
        {
            "index": index,
            "release": release.name,
            "epoch": now.epoch,
            "collection": release.collection,
            "backend": spec.backend,
            "fingerprint": release.fingerprint,
            "dimensions": spec.model.dimensions,
        }
    )
    door.out.say(
        f"index       {index}",
        f"release     {release.name}",
        f"epoch       {now.epoch}",
        f"collection  {release.collection}",
        f"backend     {spec.backend}, {spec.model.dimensions} dimensions",
        f"fingerprint {release.fingerprint}",
    )
