"""What counting costs a search: the same index asked with telemetry and without, in turns.

Without it means that the note a query leaves is thrown away; everything else is the same
process, the same route, the same questions. Both sides meet the thread that adds up and
stores, which works every five seconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from bench.models import MINILM
from bench.texts import documents, passages
from bench.workspaces import fill, promoted, workspace

from repoint.client import Index
from repoint.domain.ids import IndexName
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.operations import query
from repoint.operations.query import Answer
from repoint.operations.telemetry import Meter
from repoint.wiring.workspace import Workspace

_SPECS = {
    "minilm_lancedb": MINILM,
    # As fast as anything can be asked: what counting costs weighs most here.
    "hashing_memory": ReleaseSpec(
        model=ModelSpec(provider="hashing", dimensions=64), backend="memory"
    ),
}


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return p50 with and without in milliseconds, their ratio, and the note's own cost."""
    size, questions = (300, 60) if smoke else (3_000, 400)
    figures: dict[str, float] = {}
    for name, spec in _SPECS.items():
        with workspace() as (repoint, _):
            index = repoint.create_index("docs")
            fill(index, documents(size, seed=seed))
            promoted(repoint, "docs", "v1", spec)
            asked = passages(questions * 2, seed=seed + 1, length=12)
            counted, plain = _in_turns(index, _uncounted(repoint.workspace), asked)
            with_, without = statistics.median(counted), statistics.median(plain)
            figures[f"{name}_counted_p50_ms"] = with_
            figures[f"{name}_uncounted_p50_ms"] = without
            figures[f"{name}_overhead_percent"] = (with_ / without - 1) * 100
            figures[f"{name}_note_us"] = _note_us(repoint.workspace, index)
    return figures


def _uncounted(workspace: Workspace) -> Callable[[str], Answer]:
    """Return what a search was before anything was counted."""
    router, clock = workspace.router, workspace.session.clock

    def ask(text: str) -> Answer:
        began = clock.monotonic()
        route = router.resolve(IndexName("docs"))
        answer = query.search(route, text, limit=10, where=None, clock=clock)
        router.confirm(route, since=began)
        return answer

    return ask


def _in_turns(
    index: Index, uncounted: Callable[[str], Answer], asked: list[str]
) -> tuple[list[float], list[float]]:
    samples: tuple[list[float], list[float]] = ([], [])
    sides = (index.search, uncounted)
    for number, text in enumerate(asked):
        first = number % 2
        for side in (first, 1 - first):
            # Another wording a side: the embedding cache of one must not help the other.
            question = f"{text} {side}"
            began = time.perf_counter()
            sides[side](question)
            samples[side].append((time.perf_counter() - began) * 1000)
    return samples[0][10:], samples[1][10:]


def _note_us(workspace: Workspace, index: Index) -> float:
    meter = Meter(
        workspace.session.store,
        clock=workspace.session.clock,
        process=workspace.session.process.id,
    )
    route, answer, rounds = index.route(), index.search("what helps?"), 20_000
    began = time.perf_counter()
    for _ in range(rounds):
        meter.answered(answer, route.space, text="what helps?", began=0.0, ended=0.001)
    took = time.perf_counter() - began
    meter.close()
    return took / rounds * 1e6
