"""A rollback over a small and a large corpus, as a whole process and from within.

The corpora differ a hundredfold; lag is 0. ``process_s`` is what an operator waits for.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.models import HASHING, STATIC
from bench.texts import documents
from bench.workspaces import fill, in_step, workspace

from repoint import Repoint
from repoint.operations.promote import PromoteOptions


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return seconds over each corpus, and how much longer the large one takes."""
    rounds = 1 if smoke else 5
    sizes = {"1k": 1_000, "large": 2_000 if smoke else 100_000}
    figures: dict[str, float] = {}
    for name, size in sizes.items():
        process, inside, switch = _rollbacks(size, seed=seed, rounds=rounds)
        figures[f"{name}_process_s"] = process
        figures[f"{name}_inside_s"] = inside
        figures[f"{name}_switch_s"] = switch
    for what in ("process", "inside", "switch"):
        figures[f"{what}_ratio"] = figures[f"large_{what}_s"] / figures[f"1k_{what}_s"]
    return figures


def _rollbacks(size: int, *, seed: int, rounds: int) -> tuple[float, float, float]:
    with workspace() as (repoint, home):
        index = repoint.create_index("docs")
        fill(index, documents(size, seed=seed))
        in_step(repoint, "docs", "v1", STATIC)
        index.promote("v1")
        in_step(repoint, "docs", "v2", HASHING)
        taken = [_once(repoint, home) for _ in range(rounds)]
    columns = [statistics.median(column) for column in zip(*taken, strict=True)]
    return columns[0], columns[1], columns[2]


def _once(repoint: Repoint, home: Path) -> tuple[float, float, float]:
    repoint.index("docs").promote("v2", options=PromoteOptions(without_evaluation="benchmark"))
    command = [sys.executable, "-m", "repoint", "--home", str(home), "rollback", "docs"]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--reason", "benchmark", "--json"], check=True, capture_output=True
    )
    process = time.perf_counter() - began
    report = json.loads(done.stdout)
    if not report["verified"]:
        raise RuntimeError(f"the rollback was not verified: {report['findings']}")
    return process, float(report["seconds"]), float(report["switch_seconds"])
