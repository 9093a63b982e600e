"""Purge tombstones that no release and no late writer needs any more.

A tombstone keeps two things from coming back: the document in a release that has not
applied the delete yet, and the document in the hands of a worker that read it before it
was deleted. The first is over when every live release has passed the tombstone. The
second is over with its retention, measured in the log's own time: a worker that holds an
older version read it *before* the tombstone was written, since the log keeps only the
newest row. So however late a release applied the delete, whoever could undo it has by now
been at work for the whole retention, without a valid lease: with one, its window would be
open, and the release would not have passed. Retention is days by default and never below
``SHORTEST``, a hundred times a lease and more than any client's or server's timeout.

The same holds for the emptied slots of documents that became shorter, so those go too.
Collections are purged before the log forgets: a crash in between leaves what the next
purge finds again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from repoint.domain.errors import BadInputError
from repoint.domain.ids import IndexName, Lsn
from repoint.domain.release import Release, ReleaseState
from repoint.operations.spaces import Spaces
from repoint.ports.clock import Clock
from repoint.ports.store import Store, Transaction

#: No retention is shorter: far above the longest that a write can be on its way.
SHORTEST: Final = timedelta(hours=1)
_BATCH: Final = 1024


def purge_tombstones(
    store: Store, spaces: Spaces, index: IndexName, *, clock: Clock, retention: timedelta
) -> int:
    """Remove tombstones that every live release has passed; return how many.

    Raises:
        BadInputError: the retention is shorter than ``SHORTEST``.
    """
    if retention < SHORTEST:
        raise BadInputError(
            f"a retention of {retention} is too short for a late writer to be gone",
            hint=f"keep tombstones for at least {SHORTEST}",
        )
    before = clock.now() - retention
    purged = 0
    while (count := _purge_batch(store, spaces, index, before)) > 0:
        purged += count
        if count < _BATCH:
            break
    return purged


def _purge_batch(store: Store, spaces: Spaces, index: IndexName, before: datetime) -> int:
    with store.read() as view:
        passed, releases = _passed_by_all(view, index)
        ids = view.log.tombstones(index, upto=passed, written_before=before, limit=_BATCH)
        newest = max((row.lsn for row in view.log.get(index, ids).values()), default=Lsn(0))
    if not ids:
        return 0
    for release in releases:
        collection = spaces.backend(release).open(
            release.collection, fingerprint=release.fingerprint
        )
        # Only emptied slots, and by LSN: a document that was written again meanwhile
        # stands at a higher one and is not touched.
        collection.purge(emptied_below=newest)
    with store.begin() as tx:
        still = tx.log.tombstones(index, upto=newest, written_before=before, limit=_BATCH)
        tx.log.forget(index, still)
    return len(still)


def _passed_by_all(view: Transaction, index: IndexName) -> tuple[Lsn, list[Release]]:
    """Return the LSN that every release kept in step has passed, and those releases."""
    releases = [
        release for release in view.releases.all(index) if is_kept(view, index, release)
    ]
    marks = [view.catchup.watermark(index, release.name) for release in releases]
    return min(marks, default=view.log.head(index)), releases


def is_kept(view: Transaction, index: IndexName, release: Release) -> bool:
    """Return whether a release's collection is, or may be by now, written into."""
    if release.state is not ReleaseState.CREATED:
        return release.state is ReleaseState.LIVE
    # Nothing can have been written for a release that never opened a window.
    return (
        view.catchup.watermark(index, release.name) > 0
        or view.catchup.window(index, release.name) is not None
    )
