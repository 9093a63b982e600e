"""What a shadow at 100 % costs the served queries, side by side on one index.

Blocks of questions are asked in turns with the shadow on and off; a block with it on waits at
its start until every process knows of it. Questions come one after the other with a pause, as
from users, so that there are quiet moments; and without any pause, where the shadow finds
none and drops instead.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

from bench.models import MINILM
from bench.texts import documents, passages
from bench.workspaces import fill, in_step, promoted, workspace

from repoint import Repoint
from repoint.client import Index
from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.telemetry import Arm, Count

_INDEX = IndexName("docs")


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return p50 of served queries with and without, in milliseconds, and what was dropped."""
    size, blocks, block = (300, 2, 10) if smoke else (3_000, 25, 16)
    figures: dict[str, float] = {}
    with workspace() as (repoint, _):
        index = repoint.create_index(_INDEX)
        fill(index, documents(size, seed=seed))
        promoted(repoint, _INDEX, "v1", MINILM)
        # As costly as what answers: the same model under other ANN parameters.
        in_step(repoint, _INDEX, "v2", replace(MINILM, min_score=-1.0))
        asked = iter(passages(2 * 2 * blocks * block + 40, seed=seed + 1, length=12))
        for _ in range(20):
            index.search(next(asked))
        for name, pause in (("paused", 0.04), ("nonstop", 0.0)):
            served: dict[bool, list[float]] = {True: [], False: []}
            before = _shadowed(index)
            for number in range(2 * blocks):
                on = number % 2 == 0
                _turn(repoint, index, on=on)
                for _ in range(block):
                    began = time.perf_counter()
                    index.search(next(asked))
                    served[on].append((time.perf_counter() - began) * 1000)
                    if pause:
                        time.sleep(pause)  # noqa: TID251 - users pause
            ran, dropped = (a - b for a, b in zip(_shadowed(index), before, strict=True))
            with_, without = (statistics.median(served[on]) for on in (True, False))
            figures[f"{name}_shadow_p50_ms"] = with_
            figures[f"{name}_alone_p50_ms"] = without
            figures[f"{name}_added_percent"] = (with_ / without - 1) * 100
            figures[f"{name}_asked"] = float(ran)
            figures[f"{name}_dropped"] = float(dropped)
    return figures


def _turn(repoint: Repoint, index: Index, *, on: bool) -> None:
    if on:
        index.traffic.shadow("v2", share=1.0)
    else:
        index.traffic.stop_shadow()
    router = repoint.workspace.router
    while (router.shadow(_INDEX) is not None) != on:
        time.sleep(0.01)  # noqa: TID251 - until the watcher has heard of it
    time.sleep(0.1)  # noqa: TID251 - what waits from the block before is done


def _shadowed(index: Index) -> tuple[int, int]:
    time.sleep(2.5)  # noqa: TID251 - what still waits is asked or dropped by then
    tally = index.telemetry_totals().of(ReleaseName("v2"), Arm.SHADOW)
    return tally.count(Count.QUERIES), tally.count(Count.DROPPED)
