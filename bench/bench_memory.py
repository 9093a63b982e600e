"""Memory of a sync over a large corpus: flat means that it does not grow with the corpus."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from bench.models import HASHING
from bench.texts import documents
from bench.workspaces import fill, in_step, workspace

from repoint.domain.document import Document
from repoint.domain.ids import DocumentId

_MIB = 1024


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return resident memory in MiB over the quarters of a sync, and the last to the second."""
    size = 4_000 if smoke else 200_000
    with workspace() as (repoint, _):
        index = repoint.create_index("docs")
        for start in range(0, size, 10_000):
            part = documents(min(10_000, size - start), seed=seed + start)
            fill(index, [_renamed(one, start) for one in part])
        samples: list[float] = []
        stop = threading.Event()
        watcher = threading.Thread(target=_watch, args=(samples, stop))
        watcher.start()
        seconds = in_step(repoint, "docs", "v1", HASHING)
        stop.set()
        watcher.join()
    quarter = max(1, len(samples) // 4)
    peaks = [max(samples[at : at + quarter] or [0.0]) for at in range(0, quarter * 4, quarter)]
    return {
        "documents": float(size),
        "sync_s": seconds,
        "second_quarter_mib": peaks[1],
        "last_quarter_mib": peaks[3],
        "growth_ratio": peaks[3] / peaks[1] if peaks[1] else 1.0,
    }


def _renamed(document: Document, start: int) -> Document:
    return replace(document, id=DocumentId(f"{start}-{document.id}"))


def _watch(samples: list[float], stop: threading.Event) -> None:
    while not stop.wait(0.05):
        samples.append(_resident_mib())


def _resident_mib() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / _MIB for line in lines if line.startswith("VmRSS"))
