"""How soon every serving process has acknowledged a move, over PostgreSQL.

Eight processes serve an index, as if on eight machines: they share nothing but the server,
a durable one of the benchmark's own. This process moves the pointer and waits for all of
them; the time runs from the move's commit. The promise is 100 ms for the 99th percentile.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

from bench.bench_route import INDEX, to_and_fro
from bench.texts import documents
from bench.workspaces import fill, in_step

from repoint import Repoint
from repoint.domain.ids import Epoch
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.operations import acknowledge
from repoint.testing.postgres import PostgresServer

PROCESSES = 8
PATIENCE = timedelta(seconds=30)

SERVING = """
import sys
from repoint import Repoint

with Repoint.open(sys.argv[1], store_url=sys.argv[2], keep_in_step=False) as repoint:
    docs = repoint.index("docs")
    docs.route()
    print("ready", flush=True)
    sys.stdin.readline()
"""


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return the milliseconds until all processes had acknowledged a move."""
    moves = 10 if smoke else 200
    with (
        PostgresServer(durable=True) as server,
        tempfile.TemporaryDirectory(prefix="repoint-bench-") as folder,
        Repoint.init(Path(folder) / "home", store_url=server.url()) as repoint,
    ):
        index = repoint.create_index(INDEX)
        fill(index, documents(200, seed=seed))
        for number, name in enumerate(("v1", "v2"), start=1):
            model = ModelSpec(provider="hashing", dimensions=64, options={"seed": number})
            in_step(repoint, INDEX, name, ReleaseSpec(model=model))
        index.promote("v1")
        with ExitStack() as children:
            for _ in range(PROCESSES):
                children.enter_context(_serving(Path(folder) / "home", server.url()))
            waited = sorted(_waits(repoint, moves))
    return {
        "processes": PROCESSES,
        "moves": len(waited),
        "ack_p50_ms": statistics.median(waited),
        "ack_p99_ms": waited[int(len(waited) * 0.99)],
        "ack_max_ms": waited[-1],
    }


def _waits(repoint: Repoint, moves: int) -> Iterator[float]:
    for epoch, committed_ns in to_and_fro(repoint, moves):
        done = acknowledge.wait_for(repoint.session, INDEX, Epoch(epoch), timeout=PATIENCE)
        taken = (time.monotonic_ns() - committed_ns) / 1e6
        if done.stragglers or len(done.confirmed) < PROCESSES:
            raise RuntimeError(f"{len(done.confirmed)} of {PROCESSES} acknowledged {epoch}")
        yield taken


@contextmanager
def _serving(home: Path, url: str) -> Iterator[None]:
    child = subprocess.Popen(
        [sys.executable, "-c", SERVING, str(home), url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if child.stdout is None or child.stdout.readline() != "ready\n":
            raise RuntimeError("a serving process did not come up")
        yield
    finally:
        child.kill()
        child.wait()
