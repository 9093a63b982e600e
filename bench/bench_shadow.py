"""What a shadow at 100 % costs the served queries, side by side on one index.

Blocks of questions are asked with the shadow on and off, in pairs whose order changes. A block
begins when every process knows whether the shadow is on and nothing waits from the block
before; one with it on has its collection opened. Its first questions are not counted: they find
a machine that has rested, or that has just asked the shadow what waited. Questions come one
after the other with a pause, as from users, so that there are quiet moments; and without any
pause, where the shadow finds none and asks later or drops.

``added_percent`` compares the medians of all questions; ``low`` and ``high`` are its 95 %
interval, from drawing the pairs of blocks again. Source: Efron, "Bootstrap methods: another
look at the jackknife", The Annals of Statistics 7(1), 1979.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from bench.models import MINILM
from bench.texts import documents, passages
from bench.workspaces import fill, in_step, promoted, workspace

from repoint import Repoint
from repoint.client import Index
from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.telemetry import Arm, Count
from repoint.operations.evaluate.statistics import Floats

_INDEX = IndexName("docs")
_DRAWS: Final = 2_000
_WARMING: Final = 20


class _Load(NamedTuple):
    """How questions come."""

    pause_s: float
    pairs: int
    lead: int
    block: int


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return p50 of served queries with and without, in milliseconds, and what was dropped."""
    size = 300 if smoke else 3_000
    loads = {
        "paused": _Load(0.04, 2, 1, 4) if smoke else _Load(0.04, 40, 3, 12),
        "nonstop": _Load(0.0, 2, 2, 10) if smoke else _Load(0.0, 50, 15, 50),
    }
    figures: dict[str, float] = {}
    with workspace() as (repoint, _):
        index = repoint.create_index(_INDEX)
        fill(index, documents(size, seed=seed))
        promoted(repoint, _INDEX, "v1", MINILM)
        # As costly as what answers: the same model under other ANN parameters.
        in_step(repoint, _INDEX, "v2", replace(MINILM, min_score=-1.0))
        many = sum(2 * load.pairs * (load.lead + load.block + 1) for load in loads.values())
        asked = iter(passages(many + _WARMING, seed=seed + 1, length=12))
        for _ in range(_WARMING):
            index.search(next(asked))
        for name, load in loads.items():
            before = _shadowed(index)
            alone, shadowed = _blocks(repoint, index, asked, load)
            ran, dropped = (a - b for a, b in zip(_shadowed(index), before, strict=True))
            low, high = _interval(alone, shadowed, seed=seed)
            figures[f"{name}_shadow_p50_ms"] = float(np.median(shadowed))
            figures[f"{name}_alone_p50_ms"] = float(np.median(alone))
            figures[f"{name}_added_percent"] = _added(alone, shadowed)
            figures[f"{name}_added_percent_low"] = low
            figures[f"{name}_added_percent_high"] = high
            figures[f"{name}_asked"] = float(ran)
            figures[f"{name}_dropped"] = float(dropped)
    return figures


def _blocks(
    repoint: Repoint, index: Index, asked: Iterator[str], load: _Load
) -> tuple[Floats, Floats]:
    """Return the milliseconds of each question alone and shadowed, a row a pair of blocks."""
    took: dict[bool, list[list[float]]] = {False: [], True: []}
    for pair in range(load.pairs):
        for on in (True, False) if pair % 2 == 0 else (False, True):
            _turn(repoint, index, next(asked), on=on)
            took[on].append(_block(index, asked, load))
    return np.array(took[False]), np.array(took[True])


def _block(index: Index, asked: Iterator[str], load: _Load) -> list[float]:
    took = []
    for _ in range(load.lead + load.block):
        question = next(asked)
        began = time.perf_counter()
        index.search(question)
        took.append((time.perf_counter() - began) * 1000)
        if load.pause_s:
            time.sleep(load.pause_s)  # noqa: TID251 - users pause
    return took[load.lead :]


def _turn(repoint: Repoint, index: Index, question: str, *, on: bool) -> None:
    if on:
        index.traffic.shadow("v2", share=1.0)
    else:
        index.traffic.stop_shadow()
    router = repoint.workspace.router
    while (router.shadow(_INDEX) is not None) != on:
        time.sleep(0.01)  # noqa: TID251 - until the watcher has heard of it
    index.search(question)  # with the shadow on, its collection is opened for this one
    settled, told = -1, 0
    while settled != told:
        settled = told
        time.sleep(0.3)  # noqa: TID251 - what waits is asked meanwhile
        told = sum(_told(index))


def _shadowed(index: Index) -> tuple[int, int]:
    time.sleep(2.5)  # noqa: TID251 - what still waits is asked or dropped by then
    return _told(index)


def _told(index: Index) -> tuple[int, int]:
    tally = index.telemetry_totals().of(ReleaseName("v2"), Arm.SHADOW)
    return tally.count(Count.QUERIES), tally.count(Count.DROPPED)


def _added(alone: Floats, shadowed: Floats) -> float:
    return float(np.median(shadowed) / np.median(alone) - 1) * 100


def _interval(alone: Floats, shadowed: Floats, *, seed: int) -> tuple[float, float]:
    chance = np.random.default_rng(seed)
    pairs = len(alone)
    drawn = (chance.integers(0, pairs, size=pairs) for _ in range(_DRAWS))
    added = [_added(alone[rows], shadowed[rows]) for rows in drawn]
    low, high = np.percentile(added, (2.5, 97.5))
    return float(low), float(high)
