"""Who acts, on which store, with which drivers and clock; and whether they may."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, TypeVar

from repoint.domain.access import NEEDS, Action, permits
from repoint.domain.audit import Outcome
from repoint.domain.document import Json
from repoint.domain.errors import BadInputError, NotPermittedError
from repoint.domain.evidence import names_a_password
from repoint.domain.ids import Actor, IndexName
from repoint.domain.operation import Process
from repoint.operations.spaces import Spaces
from repoint.ports.archive import Archive
from repoint.ports.clock import Clock, Ids
from repoint.ports.host import Host
from repoint.ports.judge import Judges
from repoint.ports.store import Store

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Everything an operation needs that is not its own argument."""

    store: Store
    spaces: Spaces
    clock: Clock
    ids: Ids
    host: Host
    archive: Archive
    #: Who judges answers, and who makes them; nothing is opened before it is asked for.
    judges: Judges
    #: This process as the registry knows it.
    process: Process
    actor: Actor
    #: Puts this process into the registry and keeps its lease, once.
    announce: Callable[[], None]
    #: Held by whatever moves the pointer: threads of one process take turns, because the
    #: registry of operations tells processes apart, not threads.
    turn: threading.RLock = field(default_factory=threading.RLock)
    #: Whether the actor owns the control store: it decides until a first role is granted.
    is_owner: bool


def in_turn(
    operation: Callable[Concatenate[Session, P], R],
) -> Callable[Concatenate[Session, P], R]:
    """Return the operation, of which one at a time runs in a process."""

    @functools.wraps(operation)
    def alone(session: Session, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with session.turn:
            return operation(session, *args, **kwargs)

    return alone


def may(session: Session, action: Action, index: IndexName | None) -> bool:
    """Return whether the actor may do this; asking is not recorded."""
    with session.store.read() as view:
        held = view.access.roles(session.actor, index)
        anyone_granted = bool(view.access.grants())
    return permits(held, action, anyone_granted=anyone_granted, is_owner=session.is_owner)


def authorise(
    session: Session, action: Action, index: IndexName | None, *, reason: str = ""
) -> None:
    """Return if the actor may do this; otherwise record the attempt and refuse (INV-10).

    Raises:
        NotPermittedError: the actor lacks the role; nothing but the record was written.
        BadInputError: the reason is not one line of printable text, or has a URL with a
            password, which no one could take off the record again; nothing was written.
    """
    if not reason.isprintable():
        raise BadInputError(
            f"the reason {reason!r} is kept on record and is not one line of printable text",
            hint="write it in one line, without control characters",
        )
    if names_a_password(reason):
        raise BadInputError(
            "the reason is kept on record, and names a URL with a password",
            hint="write it without the password; nothing was recorded",
        )
    if may(session, action, index):
        return
    needs = NEEDS[action]
    record(
        session, action, index, reason=reason, outcome=Outcome.DENIED, details={"needs": needs}
    )
    raise NotPermittedError(actor=session.actor, action=action, index=index or "", needs=needs)


def require_reason(reason: str, *, of: str) -> None:
    """Refuse to go on without a why, where the record needs one (INV-7).

    Raises:
        BadInputError: it is empty or blank; nothing was written.
    """
    if not reason.strip():
        raise BadInputError(f"{of} needs a reason, and this one is empty", hint="say why")


def record(
    session: Session,
    action: str,
    index: IndexName | None,
    *,
    reason: str = "",
    outcome: Outcome = Outcome.DONE,
    details: Mapping[str, Json] | None = None,
) -> None:
    """Append one audit record in a transaction of its own."""
    with session.store.begin() as tx:
        tx.audit.append(
            at=session.clock.now(),
            actor=session.actor,
            action=action,
            index=index or "",
            outcome=outcome,
            reason=reason,
            details=details,
        )
