"""A real sync process, killed at random moments, loses nothing (INV-2, INV-3, INV-9)."""

import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from repoint.backends.lancedb import LanceBackend
from repoint.domain.ids import ProcessId
from repoint.operations.sync import Limits, sync
from repoint.testing.workbench import WORKER, Workbench
from repoint.wiring.clock import SystemClock

#: Short, so that the next process need not wait for the dead one's lease.
LIMITS: Final = Limits(
    range_rows=16, ranges=4, slab_texts=8, lease=timedelta(milliseconds=300), optimise_puts=8
)
DOCUMENTS: Final = 150
LONG: Final = "one two three four five six seven eight nine ten eleven twelve"

#: What the killed process runs: it says that it begins, and syncs for as long as it lives.
PROGRAM: Final = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_sync_sigkill import work
work(Path(sys.argv[1]), sys.argv[3])
"""


def opened(folder: Path) -> Workbench:
    return Workbench(
        folder, clock=SystemClock(), backend=LanceBackend(folder / "vectors"), batch=4
    )


def work(folder: Path, name: str) -> None:
    """Sync in a process of its own."""
    with opened(folder) as bench:
        space = bench.space()
        print("begin", flush=True)  # noqa: T201 - the parent waits for it
        sync(bench.store, space, owner=ProcessId(name), clock=bench.clock, limits=LIMITS)


def kill_one(folder: Path, turn: int, rng: random.Random) -> None:
    command = [sys.executable, "-c", PROGRAM, str(folder), str(Path(__file__).parent)]
    with subprocess.Popen(
        [*command, f"victim-{turn}"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begin\n"
        # The moment of the kill, not a wait for something: any will do.
        try:
            process.wait(rng.uniform(0.0, 0.6))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)


def change(bench: Workbench, turn: int, rng: random.Random) -> None:
    texts: dict[str, str | None] = {}
    for _ in range(DOCUMENTS):
        name = f"d{rng.randrange(2 * DOCUMENTS)}"
        texts[name] = rng.choice([None, f"short {turn}", f"{LONG} {turn}", LONG * 2, "poison"])
    bench.write(texts)


def kill_in_a_loop(folder: Path, *, kills: int, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - chooses moments, guards nothing
    reached = 0
    for turn in range(kills):
        with opened(folder) as bench:
            change(bench, turn, rng)
        kill_one(folder, turn, rng)
        with opened(folder) as bench:
            assert reached <= bench.watermark() <= bench.head(), (seed, turn)
            reached = bench.watermark()
            if turn % 5 == 4 or turn == kills - 1:
                report = sync(
                    bench.store, bench.space(), owner=WORKER, clock=bench.clock, limits=LIMITS
                )
                assert report.complete, (seed, turn)
                assert bench.differences() == [], (seed, turn)


@pytest.mark.slow
@pytest.mark.backend("lancedb")
def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    kill_in_a_loop(tmp_path, kills=4, seed=1)


@pytest.mark.campaign
@pytest.mark.backend("lancedb")
def test_sixty_killed_processes_lose_nothing(tmp_path: Path, campaign_share: float) -> None:
    kill_in_a_loop(tmp_path, kills=max(8, round(60 * campaign_share)), seed=2)
