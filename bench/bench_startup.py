"""How long a command takes as a whole process."""

from __future__ import annotations

import subprocess
import sys
import time


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return seconds of ``repoint --help`` and of a Python that does nothing."""
    del seed
    rounds = 2 if smoke else 7
    return {
        "help_s": _best(["-m", "repoint", "--help"], rounds),
        "python_alone_s": _best(["-c", "pass"], rounds),
    }


def _best(arguments: list[str], rounds: int) -> float:
    samples: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        samples.append(time.perf_counter() - began)
    return sorted(samples)[len(samples) // 2]
