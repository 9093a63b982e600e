"""Erased documents in collections: those that are kept in step, and all others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final, cast

from repoint.domain.erasure import Erasure
from repoint.domain.errors import CollectionMissingError, RepointError
from repoint.domain.ids import DocumentId
from repoint.domain.readiness import Finding, Status
from repoint.domain.release import Release, ReleaseState
from repoint.operations.in_step import catch_up
from repoint.operations.session import Session
from repoint.operations.sync.emptying import empty_slots
from repoint.operations.sync.retention import is_kept
from repoint.ports.backend import Collection, Forgetting

#: Documents looked at together.
_BATCH: Final = 256
#: Log rows that a release is brought past while an erasure waits.
_LITTLE: Final = 1_000


def give_up(session: Session, erasure: Erasure) -> list[Finding]:
    """Remove the documents from every collection of the index, and look what is left.

    Held, failed, retired and merely created releases count like those that answer.
    """
    with session.store.read() as view:
        releases = view.releases.all(erasure.index)
        kept = {one.name for one in releases if is_kept(view, erasure.index, one)}
    return [
        finding
        for release in releases
        if release.state is not ReleaseState.DROPPED
        for finding in _of_release(session, erasure, release, kept=release.name in kept)
    ]


def _of_release(
    session: Session, erasure: Erasure, release: Release, *, kept: bool
) -> list[Finding]:
    check = f"collection:{release.name}"
    try:
        collection = session.spaces.backend(release).open(
            release.collection, fingerprint=release.fingerprint
        )
    except CollectionMissingError:
        return [
            Finding(
                check=check,
                status=Status.OK,
                summary=f"{release.name} is {release.state} and has no collection",
                figures={"found": 0},
            )
        ]
    ids = list(erasure.secret.stand_ins)
    try:
        if kept:
            _empty(session, erasure, release, collection)
        else:
            collection.purge(ids)
        found = _standing(erasure, collection, ids)
        return [
            Finding(
                check=check,
                status=Status.FAILED if found else Status.OK,
                summary=f"{found} of the documents are in the collection of {release.name}, "
                f"which is {release.state}",
                figures={"found": found},
                remedy=f"again: repoint erase {erasure.index}" if found else "",
            ),
            _files(session, release, collection),
        ]
    except RepointError as error:
        return [
            Finding(
                check=check,
                status=Status.FAILED,
                summary=f"it could not be finished there: {error.message}",
                figures={"error": error.code},
                remedy=error.hint or f"then again: repoint erase {erasure.index}",
            )
        ]


def _empty(
    session: Session, erasure: Erasure, release: Release, collection: Collection
) -> None:
    """Empty what may be written into meanwhile, so that no late writer brings it back."""
    settled = True
    for part in _parts(list(erasure.secret.stand_ins)):
        batch = collection.stored(part)
        stored: dict[DocumentId, int] = {}
        for document, slot in zip(batch.documents, batch.slots.tolist(), strict=True):
            stored[document] = max(stored.get(document, 1), slot + 1)
        with session.store.read() as view:
            known = view.log.get(erasure.index, part)
            slots = view.catchup.slots(erasure.index, release.name, part)
        settled &= empty_slots(
            session.store,
            release,
            collection,
            [
                (one, erasure.upto)
                for one in part
                if one in stored or one in known or one in slots
            ],
            stored=stored,
        )
    if not settled:
        catch_up(session, session.spaces.open(release))
    elif _is_near(session, erasure, release):
        with suppress(RepointError):  # a model that is down keeps nothing in the collection
            catch_up(session, session.spaces.open(release))


def _is_near(session: Session, erasure: Erasure, release: Release) -> bool:
    """Return whether the release passes the tombstones with little work, and may do it now.

    It need not: its slots are empty already, and stand guard. A backfill under way is not
    waited for.
    """
    with session.store.read() as view:
        watermark = view.catchup.watermark(erasure.index, release.name)
        rows = view.log.backlog(erasure.index, above=watermark, upto=erasure.upto).rows
        pointer = view.pointers.pointer(erasure.index)
        held_back = release.paused or view.indexes.frozen(erasure.index) is not None
    answers = release.name in {pointer.active, pointer.fallback}
    return 0 < rows <= _LITTLE and (answers or not held_back)


def _standing(erasure: Erasure, collection: Collection, ids: Sequence[DocumentId]) -> int:
    """Return how many of the documents stand in the collection as they were."""
    found: set[DocumentId] = set()
    for part in _parts(ids):
        batch = collection.stored(part)
        found |= {
            document
            for document, lsn in zip(batch.documents, batch.lsns.tolist(), strict=True)
            if lsn <= erasure.upto
        }
    return len(found)


def _files(session: Session, release: Release, collection: Collection) -> Finding:
    check = f"files:{release.name}"
    capabilities = session.spaces.backend(release).capabilities
    if not capabilities.forgets:
        return Finding(
            check=check,
            status=Status.SKIPPED,
            summary=f"{capabilities.name} rewrites its files in its own time",
        )
    # The capability says that it can: see ``ports.backend.Forgetting``.
    forgetting: Forgetting = cast("Forgetting", collection)
    young = forgetting.forget()
    return Finding(
        check=check,
        status=Status.FAILED if young else Status.OK,
        summary=f"{young} files of unfinished writes are left beside those in use, which "
        "hold no deleted row",
        figures={"found": young},
        remedy=f"in ten minutes, when they may go: repoint erase {release.index}"
        if young
        else "",
    )


def _parts(ids: Sequence[DocumentId]) -> Iterator[Sequence[DocumentId]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]
