"""Comparing releases with the log and with each other, on behalf of an index."""

from __future__ import annotations

from repoint.domain.access import Action
from repoint.domain.ids import IndexName, ReleaseName
from repoint.operations import diff as of_release
from repoint.operations import diff_releases as of_two
from repoint.operations.diff import DiffReport
from repoint.operations.diff_releases import ReleasesReport
from repoint.operations.session import Session, authorise
from repoint.operations.spaces import Space


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


def _space(session: Session, index: IndexName, name: ReleaseName) -> Space:
    with session.store.read() as view:
        release = view.releases.get(index, name)
    return session.spaces.open(release)
