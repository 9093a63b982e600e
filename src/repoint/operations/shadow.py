"""Shadow: turn it on, turn it off. Who runs the queries is in ``shadowing``."""

from __future__ import annotations

from repoint.domain.access import Action
from repoint.domain.errors import BadInputError, RefusedError
from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.release import ReleaseState
from repoint.domain.shadow import Shadow
from repoint.operations.freeze import require_thawed
from repoint.operations.session import Session, authorise


def start(
    session: Session, index: IndexName, name: ReleaseName, *, share: float, reason: str
) -> Shadow:
    """Let a share of the live queries also be asked of a release, in place of any other.

    Every serving process begins within a fraction of a second. What answers, and how, stays.

    Raises:
        RefusedError: the release is not live, or it is the one that answers.
        FrozenError: the index is frozen.
    """
    authorise(session, Action.SHADOW, index, reason=reason)
    if not 0 < share <= 1:
        raise BadInputError(
            f"a share of {share:g} is none", hint="give more than 0 and at most 1 (100%)"
        )
    with session.store.begin() as tx:
        require_thawed(tx, index, action="shadow")
        release = tx.releases.get(index, name)
        if release.state is not ReleaseState.LIVE:
            raise RefusedError(
                f"release {name!r} is {release.state}, so it has no answers",
                hint=f"bring it into step first: repoint sync {index} {name}",
            )
        if tx.pointers.pointer(index).active == name:
            raise RefusedError(
                f"release {name!r} answers already", hint="shadow another release"
            )
        made = Shadow(
            index=index,
            release=name,
            share=share,
            actor=session.actor,
            reason=reason,
            at=session.clock.now(),
        )
        tx.shadows.put(made)
        tx.audit.append(
            at=made.at,
            actor=session.actor,
            action=Action.SHADOW,
            index=index,
            reason=reason,
            details={"release": name, "share": share},
        )
        return made


def stop(session: Session, index: IndexName, *, reason: str) -> Shadow | None:
    """End the shadow; return what there was, None when there was none."""
    authorise(session, Action.SHADOW, index, reason=reason)
    with session.store.begin() as tx:
        tx.indexes.require(index)
        standing = tx.shadows.get(index)
        if standing is None:
            return None
        tx.shadows.remove(index)
        tx.audit.append(
            at=session.clock.now(),
            actor=session.actor,
            action=Action.SHADOW,
            index=index,
            reason=reason,
            details={"release": standing.release, "share": 0.0},
        )
        return standing


def show(session: Session, index: IndexName) -> Shadow | None:
    """Return the shadow, None when there is none."""
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        view.indexes.require(index)
        return view.shadows.get(index)
