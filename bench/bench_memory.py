"""Memory of a sync over a large corpus: flat means that it does not grow with the corpus.

What is measured is ``repoint sync`` as a process of its own. While it embeds and writes, its
memory is compared between the second and the last quarter of the rows. When all rows are
written the engine makes its search index, which takes a moment and memory of its own: the
highest point of that is a figure by itself.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from bench.models import HASHING
from bench.texts import documents
from bench.workspaces import fill, workspace

from repoint import Repoint
from repoint.client import Index
from repoint.domain.document import Document
from repoint.domain.ids import DocumentId

_MIB = 1024
_EVERY_S = 0.05


class _Sample(NamedTuple):
    #: Share of the rows that are written.
    written: float
    resident_mib: float


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return resident memory in MiB over a sync, and its last quarter to its second."""
    size = 4_000 if smoke else 200_000
    with workspace() as (repoint, home):
        index = repoint.create_index("docs")
        for start in range(0, size, 10_000):
            part = documents(min(10_000, size - start), seed=seed + start)
            fill(index, [_renamed(one, start) for one in part])
        index.create_release("v1", HASHING)
        repoint.close()
        began = time.perf_counter()
        command = [sys.executable, "-m", "repoint", "--home", str(home), "sync", "docs", "v1"]
        with (
            Repoint.open(home, keep_in_step=False) as watching,
            subprocess.Popen([*command, "--json"], stdout=subprocess.DEVNULL) as process,
        ):
            samples = _watched(process, watching.index("docs"))
        seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"sync ended with {process.returncode}")
    second = _highest(samples, 0.25, 0.5)
    last = _highest(samples, 0.75, 1.0)
    return {
        "documents": float(size),
        "sync_s": seconds,
        "second_quarter_mib": second,
        "last_quarter_mib": last,
        "growth_ratio": last / second if second else 1.0,
        "while_indexing_mib": _highest(samples, 1.0, 2.0),
    }


def _renamed(document: Document, start: int) -> Document:
    return replace(document, id=DocumentId(f"{start}-{document.id}"))


def _watched(process: subprocess.Popen[bytes], index: Index) -> list[_Sample]:
    samples: list[_Sample] = []
    while True:
        for release in index.status().releases:
            written = release.watermark / release.head
            samples.append(_Sample(written, _resident_mib(process.pid)))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_EVERY_S)
            return samples


def _highest(samples: list[_Sample], low: float, high: float) -> float:
    return max((mib for written, mib in samples if low <= written < high), default=0.0)


def _resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next((int(line.split()[1]) / _MIB for line in lines if line[:5] == "VmRSS"), 0.0)
