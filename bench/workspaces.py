"""A workspace in a temporary folder, filled and promoted through the public client."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from repoint import Repoint
from repoint.client import Index
from repoint.domain.document import Document
from repoint.domain.spec import ReleaseSpec
from repoint.operations.promote import PromoteOptions


@contextmanager
def workspace() -> Iterator[tuple[Repoint, Path]]:
    """Give an open workspace and its folder; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="repoint-bench-") as folder:
        home = Path(folder) / "home"
        with Repoint.init(home) as repoint:
            yield repoint, home


def fill(index: Index, documents: Iterable[Document]) -> None:
    """Write documents into the log, and nowhere else."""
    for _ in index.ingest(documents):
        pass


def in_step(repoint: Repoint, index: str, name: str, spec: ReleaseSpec) -> float:
    """Create a release, bring it into step, and return the seconds that syncing took."""
    handle = repoint.index(index)
    handle.create_release(name, spec)
    clock = repoint.session.clock
    began = clock.monotonic()
    handle.sync(name)
    return clock.monotonic() - began


def promoted(repoint: Repoint, index: str, name: str, spec: ReleaseSpec) -> None:
    """Bring a release all the way to the pointer."""
    in_step(repoint, index, name, spec)
    repoint.index(index).promote(name, options=PromoteOptions(without_evaluation="benchmark"))
