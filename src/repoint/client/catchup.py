"""Bringing a release into step by hand: estimate, run, and what could not be taken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from repoint.domain.access import Action
from repoint.domain.catchup import DeadLetter
from repoint.domain.ids import DocumentId, IndexName, ReleaseName
from repoint.operations import releases
from repoint.operations.session import Session, authorise
from repoint.operations.sync import (
    AppliedNow,
    Follower,
    Limits,
    Progress,
    SyncPlan,
    SyncReport,
    apply_now,
    plan,
    purge_tombstones,
    sync,
)


def bring_into_step(
    session: Session,
    index: IndexName,
    name: ReleaseName,
    *,
    budget_tokens: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> SyncReport:
    """Make a release live if it is not, and bring it to the log's head as of now.

    Raises:
        FrozenError: the index is frozen and the release does not answer.
        RetiredError: the release is retired or dropped.
        UnavailableError: the model or a database did not answer; call it again.
    """
    authorise(session, Action.SYNC, index)
    with session.spaces.by_hand.on(index, name):
        space = releases.bring_to_life(session, index, name)
        session.announce()
        return sync(
            session.store,
            space,
            owner=session.process.id,
            clock=session.clock,
            limits=Limits(budget_tokens=budget_tokens),
            progress=progress,
            stop=stop,
        )


def follow(session: Session, index: IndexName) -> Follower:
    """Return a running worker that keeps every live release of an index in step.

    Close it to end it.
    """
    authorise(session, Action.SYNC, index)
    session.announce()
    follower = Follower(
        session.store,
        session.spaces,
        index=index,
        owner=session.process.id,
        clock=session.clock,
    )
    follower.start()
    return follower


def estimate(session: Session, index: IndexName, name: ReleaseName) -> SyncPlan:
    """Return what a sync would read, embed, take and cost; only a sample is embedded."""
    authorise(session, Action.SYNC, index)
    with session.store.read() as view:
        release = view.releases.get(index, name)
    return plan(session.store, session.spaces.model(release), clock=session.clock)


def purge(session: Session, index: IndexName, *, retention: timedelta) -> int:
    """Remove tombstones that every live release has passed, and return how many.

    Raises:
        BadInputError: the retention is too short for a late writer to be gone.
    """
    authorise(session, Action.SYNC, index)
    return purge_tombstones(
        session.store, session.spaces, index, clock=session.clock, retention=retention
    )


def dead_letters(session: Session, index: IndexName, name: ReleaseName) -> list[DeadLetter]:
    """Return the documents that a release could not take, and why."""
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        view.releases.get(index, name)
        return view.dead_letters.all(index, name)


def retry_dead_letters(session: Session, index: IndexName, name: ReleaseName) -> AppliedNow:
    """Give a release's dead letters to its model once more."""
    authorise(session, Action.SYNC, index)
    with session.store.read() as view:
        release = view.releases.get(index, name)
        ids: list[DocumentId] = [one.document for one in view.dead_letters.all(index, name)]
    return apply_now(session.store, session.spaces.open(release), ids, clock=session.clock)
