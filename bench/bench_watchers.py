"""How soon clients that wait at ``repoint serve`` have taken a move over, all of them.

A server in a process of its own, and two hundred or nine hundred clients of it that poll as
watchers do. This process moves the pointer to and fro; the time runs from the move's commit
until the registry has the last client's acknowledgement.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

from bench.bench_route import INDEX
from bench.texts import documents
from bench.workspaces import fill, in_step, workspace

from repoint.client import Index
from repoint.domain.document import Json
from repoint.domain.readiness import Finding
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.operations.promote import PromoteOptions
from repoint.operations.rollback import RollbackOptions

PATIENCE = timedelta(seconds=30)
MOVES = 3


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return the milliseconds until the last client had acknowledged a move."""
    figures: dict[str, float] = {}
    for clients in (20,) if smoke else (200, 900):
        waited = _waits(clients, seed=seed)
        figures[f"{clients}_watchers_ms"] = statistics.median(waited)
        figures[f"{clients}_watchers_slowest_ms"] = max(waited)
    return figures


def _waits(clients: int, *, seed: int) -> list[float]:
    with workspace() as (repoint, home):
        index = repoint.create_index(INDEX)
        fill(index, documents(200, seed=seed))
        for number, name in enumerate(("v1", "v2"), start=1):
            model = ModelSpec(provider="hashing", dimensions=64, options={"seed": number})
            in_step(repoint, INDEX, name, ReleaseSpec(model=model))
        index.promote("v1")
        with _server(home) as port:
            return asyncio.run(_move_under(index, port, clients))


@contextmanager
def _server(home: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "repoint", "--home", str(home), "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            told = process.stdout.readline() if process.stdout else ""
            yield int(told.split(":")[2].split("/")[0])
        finally:
            process.terminate()


async def _move_under(index: Index, port: int, clients: int) -> list[float]:
    joined = asyncio.Semaphore(0)
    watching = [
        asyncio.create_task(_watch(port, f"w{clients}-{number}", joined))
        for number in range(clients)
    ]
    for _ in watching:
        await asyncio.wait_for(joined.acquire(), PATIENCE.total_seconds())
    waited: list[float] = []
    for _ in range(MOVES):
        waited += await asyncio.to_thread(_to_and_fro, index)
    for one in watching:
        one.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    return waited


def _to_and_fro(index: Index) -> list[float]:
    forth = index.promote(
        "v2", options=PromoteOptions(without_evaluation="benchmark", ack_timeout=PATIENCE)
    )
    back = index.rollback(reason="benchmark", options=RollbackOptions(ack_timeout=PATIENCE))
    return [_waited(forth.findings), _waited(back.findings)]


def _waited(findings: list[Finding]) -> float:
    (found,) = [one for one in findings if one.check == "processes"]
    if found.figures["confirmed"] != found.figures["processes"]:
        raise RuntimeError(found.summary)
    return float(str(found.figures["waited_ms"]))


async def _watch(port: int, name: str, joined: asyncio.Semaphore) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    path = f"/v1/indexes/{INDEX}/route?watcher={name}&wait=20"
    epoch: Json = None
    while True:
        after = "" if epoch is None else f"&after_epoch={epoch}"
        writer.write(f"GET {path}{after} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        status = int(head.split()[1])
        if status == HTTPStatus.OK:
            length = int(head.partition("content-length: ")[2].split()[0])
            was, epoch = epoch, json.loads(await reader.readexactly(length))["epoch"]
            if was is None:
                joined.release()
        elif status != HTTPStatus.NO_CONTENT:
            raise RuntimeError(head)
