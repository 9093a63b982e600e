"""How soon another process serves a move, and what asking for the route costs it.

The other process asks for its route all the time and notes when it first sees each epoch;
this one moves the pointer and notes when the move was committed. Both read the machine's
one monotonic clock. The promise is 50 ms.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.texts import documents
from bench.workspaces import fill, in_step, workspace

from repoint import Repoint
from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.operation import OperationKind
from repoint.domain.pointer import MoveKind, Pointer
from repoint.domain.rollout import Event
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.operations import moving

INDEX = IndexName("docs")

WATCHER = """
import json, sys, threading, time
from repoint import Repoint

ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), ended.set()), daemon=True).start()
seen, costs = {}, []
with Repoint.open(sys.argv[1], keep_in_step=False) as repoint:
    docs = repoint.index("docs")
    docs.route()
    print("ready", flush=True)
    while not ended.wait(0.0002):
        began = time.perf_counter_ns()
        route = docs.route()
        costs.append(time.perf_counter_ns() - began)
        seen.setdefault(route.epoch, time.monotonic_ns())
costs.sort()
print(json.dumps({"seen": seen, "cost_ns": costs[len(costs) // 2]}))
"""


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return the milliseconds from a move's commit to its first answer elsewhere."""
    moves = 10 if smoke else 200
    with workspace() as (repoint, home):
        index = repoint.create_index(INDEX)
        fill(index, documents(200, seed=seed))
        for number, name in enumerate(("v1", "v2"), start=1):
            model = ModelSpec(provider="hashing", dimensions=64, options={"seed": number})
            in_step(repoint, INDEX, name, ReleaseSpec(model=model))
        index.promote("v1")
        with _watcher(home) as child:
            committed = dict(to_and_fro(repoint, moves))
            out, _ = child.communicate("end\n", timeout=60)
    told = json.loads(out.splitlines()[-1])
    late = sorted(
        (told["seen"][str(epoch)] - at) / 1e6
        for epoch, at in committed.items()
        if str(epoch) in told["seen"]
    )
    return {
        "seen_share": len(late) / len(committed),
        "route_p50_ms": statistics.median(late),
        "route_p99_ms": late[int(len(late) * 0.99)],
        "route_max_ms": late[-1],
        "resolve_us": told["cost_ns"] / 1e3,
    }


def to_and_fro(repoint: Repoint, moves: int) -> Iterator[tuple[int, int]]:
    """Move to and fro without any checks; yield each epoch and when it was committed."""
    session = repoint.session
    for number in range(moves):
        forth = number % 2 == 0
        name = ReleaseName("v2" if forth else "v1")
        with session.store.begin() as tx:
            pointer = tx.pointers.pointer(INDEX)
            if forth:
                tx.pointers.open_rollout(INDEX, name, at=session.clock.now())
            operation = moving.intend(
                session,
                tx,
                kind=OperationKind.PROMOTE if forth else OperationKind.ROLLBACK,
                pointer=pointer,
                release=name,
                reason="benchmark",
            )
        operation, after = moving.move(
            session,
            operation,
            kind=MoveKind.PROMOTE if forth else MoveKind.ROLLBACK,
            event=Event.PROMOTE if forth else Event.ROLL_BACK,
            turn=(lambda before: before.promoted(ReleaseName("v2")))
            if forth
            else Pointer.rolled_back,
            findings=(),
        )
        yield after.epoch, time.monotonic_ns()
        moving.finish(session, operation)
        session.clock.sleep(0.1)


@contextmanager
def _watcher(home: Path) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", WATCHER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if child.stdout is None or child.stdout.readline() != "ready\n":
            raise RuntimeError("the other process did not come up")
        yield child
    finally:
        child.kill()
        child.wait()
