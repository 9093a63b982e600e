"""``search`` beside the same by hand: embed the question, ask LanceDB, read the rows.

Both ask the same table with the same model in the same process, in turns, each question
once a side, so neither profits from a cache that the other has not.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import lancedb
import numpy as np
from bench.models import MINILM, STATIC
from bench.texts import documents, passages
from bench.workspaces import fill, promoted, workspace

from repoint import Repoint
from repoint.domain.spec import ReleaseSpec
from repoint.ports.embedder import Purpose


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return p50 latencies in milliseconds, their ratio, and the cost of a route in µs."""
    size, questions = (500, 20) if smoke else (5_000, 200)
    figures: dict[str, float] = {}
    for name, spec in (("minilm", MINILM), ("static", STATIC)):
        with workspace() as (repoint, home):
            index = repoint.create_index("docs")
            fill(index, documents(size, seed=seed))
            promoted(repoint, "docs", "v1", spec)
            by_hand = _by_hand(repoint, home, spec)
            asked = passages(questions * 2, seed=seed + 1, length=12)
            ours, theirs = _in_turns(index.search, by_hand, asked)
            figures[f"{name}_search_p50_ms"] = statistics.median(ours)
            figures[f"{name}_by_hand_p50_ms"] = statistics.median(theirs)
            figures[f"{name}_overhead_ratio"] = statistics.median(ours) / statistics.median(
                theirs
            )
            figures[f"{name}_route_us"] = _route_us(index.route)
    return figures


def _by_hand(repoint: Repoint, home: Path, spec: ReleaseSpec) -> Callable[[str], object]:
    release = repoint.index("docs").release("v1")
    connection = lancedb.connect(home / "collections" / "lancedb")
    table = connection.open_table(release.collection)
    embedder = repoint.workspace.drivers.embedder(release.spec.model)

    def ask(text: str) -> object:
        vector = embedder.embed([text], purpose=Purpose.QUERY)[0]
        if spec.model.normalise:
            vector = vector / np.linalg.norm(vector)
        rows = (
            table.search(vector)  # type: ignore[attr-defined] # its stub is of the base class
            .distance_type("cosine")
            .select(
                ["document", "slot", "lsn", "text", "start", "end", "metadata", "_distance"]
            )
            .limit(10)
            .to_list()
        )
        return [(row["document"], json.loads(row["metadata"] or "{}")) for row in rows]

    return ask


def _in_turns(
    ours: Callable[[str], object], theirs: Callable[[str], object], asked: list[str]
) -> tuple[list[float], list[float]]:
    samples: tuple[list[float], list[float]] = ([], [])
    sides = (ours, theirs)
    for number, text in enumerate(asked):
        first = number % 2
        for side in (first, 1 - first):
            # Another wording a side: the embedding cache of `search` must not help it.
            question = f"{text} {side}"
            began = time.perf_counter()
            sides[side](question)
            samples[side].append((time.perf_counter() - began) * 1000)
    return samples[0][10:], samples[1][10:]


def _route_us(route: Callable[[], object]) -> float:
    rounds = 20_000
    began = time.perf_counter()
    for _ in range(rounds):
        route()
    return (time.perf_counter() - began) / rounds * 1e6
