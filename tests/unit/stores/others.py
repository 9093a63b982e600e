"""Other processes that use a store, and a clock that tells who waits by it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from repoint.wiring.clock import SystemClock

#: Forks, in a process without threads, which alone may: another's may hold any lock. Writes
#: in the child, hears of it in the parent and writes there too. The store's module and class
#: come before the place that it is opened at.
FORKS = """
import importlib, multiprocessing, sys
from contextlib import closing
from pathlib import Path
from repoint.testing.store_samples import DOCS, NOW, document, with_documents
from repoint.wiring.clock import SystemClock

def append_one(store):
    with store.begin() as tx:
        tx.log.append(DOCS, [document("from the child")], at=NOW)
    store.close()

kind = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
place = sys.argv[3] if "://" in sys.argv[3] else Path(sys.argv[3])
with closing(kind.open(place, clock=SystemClock())) as store:
    with_documents(store, 1)
    with closing(store.watch()) as feed, store.read() as view:
        feed.changed(timeout=0)
        child = multiprocessing.get_context("fork").Process(target=append_one, args=(store,))
        child.start()
        child.join()
        assert child.exitcode == 0
        assert feed.changed(timeout=60)
        assert view.log.head(DOCS) == 1
    with store.begin() as tx:
        print(tx.log.append(DOCS, [document("from the parent")], at=NOW).head)
"""


class NotedClock(SystemClock):
    """Tells that somebody asked it for the time, as who begins to wait does."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def monotonic(self) -> float:
        self.asked.set()
        return super().monotonic()


def python(
    source: str, *arguments: object, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def said(*children: subprocess.Popen[str]) -> list[tuple[str, str]]:
    """Return what they wrote once they have ended, and leave none of them behind."""
    try:
        return [child.communicate() for child in children]
    finally:
        for child in children:
            child.kill()
            child.communicate()
