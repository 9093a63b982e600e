"""Comparing releases with the log and with each other, and repairing what differs."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import Final

from repoint.domain.access import Action
from repoint.domain.comparison import Kind
from repoint.domain.errors import CollectionMissingError, HeldError
from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.release import ReleaseState
from repoint.operations import diff as of_release
from repoint.operations import diff_releases as of_two
from repoint.operations.diff import DiffReport
from repoint.operations.diff_releases import ReleasesReport
from repoint.operations.in_step import catch_up
from repoint.operations.session import Session, authorise, record
from repoint.operations.spaces import Space
from repoint.operations.sync import apply_now

#: Documents written again together.
_BATCH: Final = 256


def with_the_log(session: Session, index: IndexName, name: ReleaseName) -> DiffReport:
    """Return how a release differs from the log at its watermark."""
    authorise(session, Action.READ, index)
    space = _space(session, index, name)
    with session.store.read() as view:
        upto = view.catchup.watermark(index, name)
    return of_release.compare(session.store, space, upto=upto)


def with_each_other(
    session: Session, index: IndexName, a: ReleaseName, b: ReleaseName
) -> ReleasesReport:
    """Return which documents two releases hold differently."""
    authorise(session, Action.READ, index)
    return of_two.compare_releases(
        session.store, _space(session, index, a), _space(session, index, b)
    )


def repair(session: Session, index: IndexName, name: ReleaseName) -> int:
    """Write again what differs from the log, and return how many documents that were.

    A live release whose collection is gone gets it made again, and everything written into
    it. What the model refused before stays a dead letter. Doing it twice changes nothing.

    Raises:
        ConflictError: somebody wrote to an adopted collection without repoint, and would
            lose it.
    """
    authorise(session, Action.REPAIR, index)
    space, count = _standing(session, index, name)
    if space.collection.spec.adopted is not None:
        from repoint.operations.adopt import require_none  # noqa: PLC0415 - for these alone

        require_none(space, session=session)
    with session.store.read() as view:
        upto = view.catchup.watermark(index, name)
    found = (
        one.document
        for one in of_release.differences(session.store, space, upto=upto)
        if one.kind is not Kind.DEAD_LETTERED
    )
    while batch := list(islice(found, _BATCH)):
        apply_now(session.store, space, batch, clock=session.clock)
        count += len(batch)
    record(session, Action.REPAIR, index, details={"release": name, "documents": count})
    return count


def _standing(session: Session, index: IndexName, name: ReleaseName) -> tuple[Space, int]:
    """Open a release, its collection made again if it is gone; return the rows synced then.

    What answers or may answer keeps its watermark, and is written document by document; any
    other release begins again, as a backfill does.
    """
    with session.store.read() as view:
        release = view.releases.get(index, name)
        pointer = view.pointers.pointer(index)
    try:
        return session.spaces.confirm(release), 0
    except CollectionMissingError:
        if release.state is not ReleaseState.LIVE:
            raise
    session.spaces.forget(release)
    space = session.spaces.create(release)
    if name in {pointer.active, pointer.fallback}:
        return space, 0
    with suppress(HeldError):  # a sync has a range of it: then document by document as well
        with session.store.begin() as tx:
            tx.catchup.restart(index, name)
        return space, catch_up(session, space)
    return space, 0


def _space(session: Session, index: IndexName, name: ReleaseName) -> Space:
    with session.store.read() as view:
        release = view.releases.get(index, name)
    return session.spaces.open(release)
