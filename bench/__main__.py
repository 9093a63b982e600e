"""Run the benchmarks and write every sample, with the machine it was taken on.

    python -m bench [--smoke] [--runs N] [--out FILE] [NAME ...]

A benchmark is a module ``bench/bench_<name>.py`` with a function
``measure(*, seed: int, smoke: bool) -> dict[str, float]``: one run, from a figure's name (with
its unit) to its value. This module repeats it and reports the minimum, median and maximum.
"""

import argparse
import importlib
import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Final, Protocol, cast

FOLDER: Final = Path(__file__).resolve().parent
SEED: Final = 20_260_101


class Measure(Protocol):
    """One run of one benchmark."""

    def __call__(self, *, seed: int, smoke: bool) -> dict[str, float]:
        """Return each figure's value."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for and write it down; return 2 if a name is unknown."""
    known = sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))
    asked = _arguments(argv)
    unknown = sorted(set(asked.names) - set(known))
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(known)}")
        return 2
    runs = 1 if asked.smoke else asked.runs
    results: dict[str, dict[str, list[float]]] = {}
    for name in asked.names or known:
        results[name] = _samples(_measure(name), runs=runs, smoke=asked.smoke)
        _print(name, results[name])
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "command": ["python", "-m", "bench", *(sys.argv[1:] if argv is None else argv)],
        "seed": SEED,
        "smoke": asked.smoke,
        "machine": _machine(),
        "versions": {each.name: each.version for each in distributions()},
        "samples": results,
    }
    asked.out.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{len(results)} benchmarks, {runs} runs each: {os.path.relpath(asked.out)}")
    return 0


class _Asked(argparse.Namespace):
    names: list[str]
    smoke: bool
    runs: int
    out: Path


def _arguments(argv: Sequence[str] | None) -> _Asked:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--smoke", action="store_true", help="one small run: does it work?")
    parser.add_argument("--runs", type=int, default=5, help="how often to repeat (5)")
    parser.add_argument("--out", type=Path, default=FOLDER / "results" / "latest.json")
    return parser.parse_args(argv, namespace=_Asked())


def _measure(name: str) -> Measure:
    return cast("Measure", importlib.import_module(f"bench.bench_{name}").measure)


def _samples(measure: Measure, *, runs: int, smoke: bool) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {}
    for run in range(runs):
        for figure, value in measure(seed=SEED + run, smoke=smoke).items():
            samples.setdefault(figure, []).append(value)
    return samples


def _print(name: str, samples: dict[str, list[float]]) -> None:
    print(f"{name:<40} {'min':>12} {'median':>12} {'max':>12}")
    for figure, values in samples.items():
        row = (min(values), statistics.median(values), max(values))
        print(f"  {figure:<38} " + " ".join(f"{value:>12.4g}" for value in row))


def _machine() -> dict[str, str | int | None]:
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "processor": _processor(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if not facts.exists():
        return platform.processor()
    lines = facts.read_text(encoding="utf-8").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "")


if __name__ == "__main__":
    sys.exit(main())
