"""Whether the database's alias can have its name, said before a move and not found after it."""

from __future__ import annotations

from typing import Final

from repoint.domain.errors import RepointError
from repoint.domain.pointer import Pointer
from repoint.domain.readiness import Finding, Status
from repoint.domain.release import Release
from repoint.operations.session import Session
from repoint.ports.naming import namekeeper_of

#: The stable name of the finding.
CHECK: Final = "alias-name"


def findings(session: Session, release: Release, pointer: Pointer) -> list[Finding]:
    """Check that a move to a release could set the alias of its database.

    Nothing is found where the database has no aliases, or cannot say which names are taken.
    """
    backend, alias = session.spaces.backend(release), session.spaces.alias(release)
    keeper = namekeeper_of(backend)
    if keeper is None or not backend.capabilities.aliases:
        return []
    with session.store.read() as view:
        ours = frozenset(one.collection for one in view.releases.all(release.index))
        before = (
            None if pointer.active is None else view.releases.get(release.index, pointer.active)
        )
    try:
        obstacle = keeper.obstacle(alias, ours=ours)
    except RepointError as error:
        return [
            Finding(check=CHECK, status=Status.FAILED, summary=error.message, remedy=error.hint)
        ]
    if obstacle is None:
        return [
            Finding(check=CHECK, status=Status.OK, summary=f"the alias {alias!r} can be set")
        ]
    held = before is not None and before.spec.backend == release.spec.backend
    return [
        Finding(
            check=CHECK,
            # An alias that was ours was moved past repoint: a move brings it back (ADR 0056).
            status=Status.WARNING if obstacle.movable and held else Status.FAILED,
            summary=f"the database's alias would be {obstacle.name!r}, and {obstacle.why}",
            figures={"name": obstacle.name, "taken_by": obstacle.taken_by},
            remedy=obstacle.remedy
            or what_to_do(release.spec.backend, movable=obstacle.movable),
        )
    ]


def what_to_do(backend: str, *, movable: bool = False) -> str:
    """Return how the name becomes another one, or free."""
    other = (
        f"name the index otherwise, or set alias_prefix in [backends.{backend}] of "
        "repoint.toml, and let readers of the old name read the alias, or ask repoint, "
        "before the first promotion"
    )
    return f"delete that alias once nobody reads it any more; or {other}" if movable else other
