"""The database's alias: whether it is what repoint made it, and its repair on command.

A move sets the alias and is not done before that. So an alias that differs while nothing is
under way was moved past repoint, by hand or by another program. That is reported and never
undone by itself: whoever did it may have had a reason (ADR 0056).
"""

from __future__ import annotations

from dataclasses import dataclass

from repoint.domain.access import Action
from repoint.domain.ids import CollectionName, IndexName, ReleaseName
from repoint.domain.pointer import Move, Pointer
from repoint.domain.release import Release
from repoint.operations import moving
from repoint.operations.session import Session, authorise, in_turn


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasStanding:
    """Where an alias points, and where the pointer would have it."""

    index: IndexName
    alias: str
    target: CollectionName | None
    expected: CollectionName
    #: The release whose collection it points at; None where that is nobody's.
    found: ReleaseName | None
    #: repoint's own last move: what the alias was set to.
    moved: Move | None

    @property
    def agrees(self) -> bool:
        """Whether it is what repoint made it."""
        return self.target == self.expected

    def sentence(self) -> str:
        """Return in words where it points, and who moved what."""
        where = f"the database's alias {self.alias!r} points at "
        if self.target is None:
            where = f"the database's alias {self.alias!r} is gone"
        elif self.found is not None:
            where += f"{self.target} ({self.found})"
        else:
            where += f"{self.target}" + ("" if self.agrees else ", which is no release's")
        if self.agrees:
            return where
        last = self.moved
        said = f", not at {self.expected}"
        if last is not None:
            said += (
                f" ({last.after.active}), which {last.actor} made it with epoch "
                f"{last.after.epoch} at {last.at:%Y-%m-%d %H:%M:%S} UTC"
            )
        return f"{where}{said}: it was moved past repoint, by whom the database does not tell"


def standing(session: Session, release: Release) -> AliasStanding | None:
    """Return how the alias stands to an active release; None where there are no aliases."""
    backend = session.spaces.backend(release)
    if not backend.capabilities.aliases:
        return None
    alias = session.spaces.alias(release)
    target = backend.alias_target(alias)
    with session.store.read() as view:
        owners = {one.collection: one.name for one in view.releases.all(release.index)}
        last = view.pointers.moves(release.index, limit=1)
    return AliasStanding(
        index=release.index,
        alias=alias,
        target=target,
        expected=release.collection,
        found=None if target is None else owners.get(target),
        moved=last[0] if last else None,
    )


def look(session: Session, index: IndexName) -> AliasStanding | None:
    """Return how the index's alias stands; None where there is none to have.

    Raises:
        UnavailableError: the database did not answer.
    """
    authorise(session, Action.READ, index)
    release = _active(session, index)[1]
    return None if release is None else standing(session, release)


@in_turn
def repair(session: Session, index: IndexName, *, reason: str = "") -> AliasStanding | None:
    """Point the alias where the pointer does; return what was found, None where it agreed.

    Raises:
        OperationInProgressError: a move is under way, which sets the alias itself.
    """
    authorise(session, Action.RECONCILE, index, reason=reason)
    operation, _ = moving.unfinished(session, index)
    if operation is not None:
        raise moving.refuse_if_under_way(operation)
    pointer, release = _active(session, index)
    found = None if release is None else standing(session, release)
    if found is None or found.agrees:
        return None
    while True:
        moving.align_alias(session, pointer)
        after, _ = _active(session, index)
        if after.epoch == pointer.epoch:
            break
        pointer = after  # a move came between, and its own alignment may have been undone
    with session.store.begin() as tx:
        tx.audit.append(
            at=session.clock.now(),
            actor=session.actor,
            action=Action.RECONCILE,
            index=index,
            reason=reason,
            details={
                "alias": found.alias,
                "from": found.target,
                "to": found.expected,
                "epoch": pointer.epoch,
            },
        )
    return found


def _active(session: Session, index: IndexName) -> tuple[Pointer, Release | None]:
    with session.store.read() as view:
        pointer = view.pointers.pointer(index)
        if pointer.active is None:
            return pointer, None
        return pointer, view.releases.get(index, pointer.active)
