"""Comparing releases with the log and with each other, and repairing what differs."""

from __future__ import annotations

from itertools import islice
from typing import Final

from repoint.domain.access import Action
from repoint.domain.comparison import Kind
from repoint.domain.ids import IndexName, ReleaseName
from repoint.operations import diff as of_release
from repoint.operations import diff_releases as of_two
from repoint.operations.diff import DiffReport
from repoint.operations.diff_releases import ReleasesReport
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

    What the model refused before stays a dead letter. Doing it twice changes nothing.

    Raises:
        ConflictError: somebody wrote to an adopted collection without repoint, and would
            lose it.
    """
    authorise(session, Action.REPAIR, index)
    space = _space(session, index, name)
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
    count = 0
    while batch := list(islice(found, _BATCH)):
        apply_now(session.store, space, batch, clock=session.clock)
        count += len(batch)
    record(session, Action.REPAIR, index, details={"release": name, "documents": count})
    return count


def _space(session: Session, index: IndexName, name: ReleaseName) -> Space:
    with session.store.read() as view:
        release = view.releases.get(index, name)
    return session.spaces.open(release)
