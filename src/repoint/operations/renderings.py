"""Files that hold a route: which there are, and whether they are what the pointer says."""

from __future__ import annotations

from dataclasses import replace

from repoint.domain.access import Action
from repoint.domain.ids import IndexName
from repoint.domain.pointer import Pointer
from repoint.domain.readiness import Finding, Status
from repoint.domain.rendering import RenderFormat, Rendering
from repoint.domain.service_route import ServiceRoute
from repoint.operations.session import Session, authorise


def record(
    session: Session, route: ServiceRoute, *, path: str, format_: RenderFormat, digest: str
) -> None:
    """Record that a file of this machine holds a route, and that its reader knows."""
    authorise(session, Action.READ, route.index)
    with session.store.begin() as tx:
        tx.renderings.put(
            Rendering(
                index=route.index,
                host=session.host.name,
                path=path,
                format=format_,
                release=route.release,
                epoch=route.epoch,
                digest=digest,
                actor=session.actor,
                at=session.clock.now(),
            )
        )


def doubt(session: Session, rendering: Rendering) -> None:
    """Record that a file's reader may have seen something else since it was last told."""
    with session.store.begin() as tx:
        tx.renderings.put(replace(rendering, digest=""))


def recorded(session: Session, index: IndexName) -> list[Rendering]:
    """Return every file that is known to hold a route of an index."""
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        view.indexes.require(index)
        return view.renderings.all(index)


def forget(session: Session, index: IndexName, *, path: str) -> bool:
    """Look at a file of this machine no longer; False when it was not known."""
    authorise(session, Action.READ, index)
    with session.store.begin() as tx:
        return tx.renderings.forget(index, host=session.host.name, path=path)


def findings(session: Session, index: IndexName) -> list[Finding]:
    """Compare every rendered file with the pointer; one of another machine by its record."""
    with session.store.read() as view:
        pointer = view.pointers.pointer(index)
        known = view.renderings.all(index)
    host = session.host
    return [
        _finding(
            one,
            pointer,
            found=host.digest(one.path) if one.host == host.name else one.digest,
        )
        for one in known
    ]


def _finding(one: Rendering, pointer: Pointer, *, found: str | None) -> Finding:
    where = f"the rendered file {one.path} on {one.host}"
    status = Status.FAILED
    if found is None:
        what = "is gone"
    elif found != one.digest:
        what = f"is not what its reader was last told of: {one.release} (epoch {one.epoch})"
    elif one.release != pointer.active:
        what = (
            f"still holds {one.release} (epoch {one.epoch}), not {pointer.active} "
            f"(epoch {pointer.epoch})"
        )
    elif one.epoch != pointer.epoch:
        what = f"holds {one.release} as of epoch {one.epoch}; only the epoch is older"
        status = Status.WARNING
    else:
        what, status = f"holds {one.release} (epoch {one.epoch})", Status.OK
    return Finding(
        check="rendered",
        status=status,
        summary=f"{where} {what}",
        figures={
            "file": one.path,
            "host": one.host,
            "epoch": one.epoch,
            "expected": pointer.epoch,
        },
        remedy=""
        if status is Status.OK
        else f"there: repoint render {one.index} --format {one.format} --out {one.path} "
        "(or, if nobody reads it: --forget)",
    )
