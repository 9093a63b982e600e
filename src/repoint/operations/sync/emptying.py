"""Emptying documents' slots in a collection, at an LSN that stands guard there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from repoint.domain.document import Entry
from repoint.domain.ids import DocumentId, Lsn
from repoint.domain.release import Release
from repoint.operations.sync.taking import put_what_is_taken
from repoint.ports.backend import Collection, SpaceMatrix
from repoint.ports.store import Store

_PAGE: Final = 1024


def empty_slots(
    store: Store,
    release: Release,
    collection: Collection,
    found: Sequence[tuple[DocumentId, Lsn]],
    *,
    stored: Mapping[DocumentId, int] | None = None,
) -> bool:
    """Empty every slot that any version of these documents took, or may take meanwhile.

    ``stored`` says how many slots stand in the collection where the record may not know of
    them. Needs no model. Doing it twice changes nothing. Returns False while a window that
    opened before them is being worked: some worker may still add chunks of an earlier
    version. They go with the next sync.

    Raises:
        UnavailableError: the database did not confirm; ask again.
    """
    index, name = release.index, release.name
    stored = stored or {}
    covered: dict[DocumentId, int] = {}
    while True:
        with store.read() as view:
            recorded = view.catchup.slots(index, name, [one for one, _ in found])
            window = view.catchup.window(index, name)
        wanted = {one: max(recorded.get(one, 1), stored.get(one, 1)) for one, _ in found}
        rising = [
            Entry(document=one, lsn=lsn, chunks=(), slots=wanted[one])
            for one, lsn in found
            if wanted[one] > covered.get(one, 0)
        ]
        if not rising:
            break
        nothing = SpaceMatrix(
            release.fingerprint,
            np.empty((0, collection.spec.dimensions), dtype=np.float32),
        )
        for start in range(0, len(rising), _PAGE):
            put_what_is_taken(collection, rising[start : start + _PAGE], nothing)
        covered |= {entry.document: entry.slots for entry in rising}
    # A window that reaches past the newest of them opened after them, and so never reads
    # what they deleted; with no window open, nobody is left who could declare it.
    newest = max((lsn for _, lsn in found), default=Lsn(0))
    return window is None or window.high >= newest
