"""Two releases in one class of Weaviate, each kept by a process of its own, killed at random.

On the FAKE, and on the server that a variable names (INV-2, INV-6, INV-9).
"""

import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from tests.fakes.weaviate_peer.peer import Peer
from weaviate import WeaviateClient

from repoint.backends.weaviate.backend import WeaviateBackend
from repoint.domain.ids import ProcessId, ReleaseName
from repoint.domain.release import Release
from repoint.operations.sync import Limits, sync
from repoint.ports.settings import BackendSettings
from repoint.testing.workbench import RELEASE, WORKER, Workbench
from repoint.wiring.clock import SystemClock

pytest_plugins = ("tests.fakes.weaviate_peer.fixtures",)

#: Short, so that the next process need not wait for the dead one's lease.
LIMITS: Final = Limits(
    range_rows=8, ranges=4, slab_texts=8, lease=timedelta(seconds=1), optimise_puts=8, hands=2
)
OTHER: Final = ReleaseName("r2")
DOCUMENTS: Final = 40
LONG: Final = "one two three four five six seven eight nine ten eleven twelve"

#: What each process runs: it says that it begins, and syncs for as long as it lives.
PROGRAM: Final = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from test_weaviate_fields_sigkill import work
work(Path(sys.argv[3]), *sys.argv[4:])
"""


def backend_at(url: str, grpc: str, key: str) -> WeaviateBackend:
    return WeaviateBackend.from_settings(
        BackendSettings(
            name="w",
            folder=Path(),
            url=url,
            api_key=key,
            options={"grpc": grpc, "strategy": "vector_field"},
        )
    )


def both(bench: Workbench) -> list[Release]:
    """Return two releases in one class, whose chunks are not the same."""
    return [bench.add_release(RELEASE), bench.add_release(OTHER, chunk=40)]


def work(folder: Path, number: str, name: str, url: str, grpc: str, key: str = "") -> None:
    """Keep one release in step in a process of its own."""
    backend = backend_at(url, grpc, key)
    with Workbench(folder, clock=SystemClock(), backend=backend, batch=4) as bench:
        space = bench.space(both(bench)[int(number)])
        print("begin", flush=True)  # noqa: T201 - the parent waits for it
        sync(bench.store, space, owner=ProcessId(name), clock=bench.clock, limits=LIMITS)
    backend.close()


def run_both(folder: Path, peer: Peer, turn: int, rng: random.Random) -> None:
    """Let both processes write at the same time, and kill one of them."""
    here = Path(__file__).parent
    command = [sys.executable, "-c", PROGRAM, str(here), str(here.parent.parent), str(folder)]
    address = [peer.url, peer.grpc, *([peer.key] if peer.key else [])]
    started = [
        subprocess.Popen(
            [*command, str(number), f"worker-{turn}-{number}", *address],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    victim = rng.randrange(2)
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "begin\n"
        # The moment of the kill, not a wait for something: any will do.
        try:
            started[victim].wait(rng.uniform(0.0, 0.8))
        except subprocess.TimeoutExpired:
            started[victim].send_signal(signal.SIGKILL)
        # On a machine too slow for the store's patience this one may end early as well.
        started[1 - victim].wait(300)
    finally:
        for process in started:
            process.kill()
            process.communicate()


def change(bench: Workbench, turn: int, rng: random.Random) -> None:
    texts: dict[str, str | None] = {}
    for _ in range(DOCUMENTS):
        name = f"d{rng.randrange(2 * DOCUMENTS)}"
        texts[name] = rng.choice([None, f"short {turn}", f"{LONG} {turn}", LONG * 2, "poison"])
    bench.write(texts)


def kill_in_a_loop(folder: Path, peer: Peer, *, kills: int, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - chooses moments, guards nothing
    backend = backend_at(peer.url, peer.grpc, peer.key)
    with Workbench(folder, clock=SystemClock(), backend=backend, batch=4) as bench:
        releases = both(bench)
        for turn in range(kills):
            change(bench, turn, rng)
            run_both(folder, peer, turn, rng)
        for release in releases:
            space = bench.space(release)
            report = sync(bench.store, space, owner=WORKER, clock=bench.clock, limits=LIMITS)
            assert report.complete, seed
            assert bench.differences(release) == [], seed
        deleted = {row.id for row in bench.rows() if row.document is None}
        assert not any(deleted & bench.texts(release).keys() for release in releases)
        for release in releases:
            backend.drop(release.collection)
        assert backend.collections() == []
    backend.close()


@pytest.mark.campaign
def test_many_killed_processes_lose_nothing_of_either(
    tmp_path: Path,
    weaviate_peer: Peer,
    weaviate_client: WeaviateClient,
    campaign_share: float,
) -> None:
    del weaviate_client  # it tidies up
    kill_in_a_loop(tmp_path, weaviate_peer, kills=max(6, round(40 * campaign_share)), seed=2)
