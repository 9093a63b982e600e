"""A server that dies between two writes of a sync, and comes back."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from repoint import Repoint
from repoint.domain.document import Entry
from repoint.domain.errors import BackendUnavailableError
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.ports.backend import Backend, Collection, SpaceMatrix
from repoint.testing.programs import ProgramServer

MODEL = ModelSpec(provider="hashing", dimensions=16)
#: Seconds that only a broken server lets pass.
ENOUGH_S = 120.0


class Held:
    """Lets a collection's first write pass, and holds every other until the server is dead."""

    def __init__(self, collection: type[Collection], patched: pytest.MonkeyPatch) -> None:
        self.between, self.killed = threading.Event(), threading.Event()
        self._written = threading.Event()
        self._first = threading.Semaphore(1)
        put = collection.put

        def held(itself: Collection, entries: Sequence[Entry], vectors: SpaceMatrix) -> None:
            if self._first.acquire(blocking=False):
                put(itself, entries, vectors)
                self._written.set()
                return
            assert self._written.wait(ENOUGH_S)
            self.between.set()
            assert self.killed.wait(ENOUGH_S)
            put(itself, entries, vectors)

        patched.setattr(collection, "put", held)


def loses_nothing(
    opened: Repoint, server: ProgramServer, collection: type[Collection], *, documents: int
) -> None:
    """Kill the server in the middle of a sync, start it, and compare what is there."""
    docs = opened.create_index("docs")
    docs.upsert({"id": f"d{n}", "text": f"note {n} of many"} for n in range(documents))
    docs.create_release("v1", ReleaseSpec(model=MODEL, backend="main"))
    backend = opened.workspace.drivers.backend("main")
    with pytest.MonkeyPatch.context() as patched, ThreadPoolExecutor(1) as pool:
        held = Held(collection, patched)
        syncing = pool.submit(docs.sync, "v1")
        try:
            assert held.between.wait(ENOUGH_S)
            server.kill()
        finally:
            held.killed.set()
        with pytest.raises(BackendUnavailableError):
            syncing.result()
    server.start()
    _wait_for(backend)
    docs.delete([f"d{n}" for n in range(0, documents, 7)])
    docs.sync("v1")
    difference = docs.diff("v1")
    assert difference.clean, difference


def _wait_for(backend: Backend) -> None:
    deadline = time.monotonic() + ENOUGH_S
    while True:
        try:
            assert backend.collections()
        except BackendUnavailableError:
            assert time.monotonic() < deadline
        else:
            return
