"""Pushes: changes that a team's own system sends, taken whole and once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from repoint.domain.access import Action
from repoint.domain.document import Document
from repoint.domain.errors import BadInputError, KeyReusedError
from repoint.domain.ids import DocumentId, IndexName, Lsn
from repoint.domain.push import LONGEST_KEY, REMEMBERED, Push
from repoint.operations.session import Session, authorise


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What became of a push."""

    index: IndexName
    #: The log's head right after it: who waits for a watermark at or above it, has it all.
    head: Lsn
    #: Changes that took a position: the last of them has the head.
    written: int
    #: Content that was the newest already, deletes of what is absent, ids said twice.
    unchanged: int
    #: It was taken before, under its key; this is the answer it got then.
    repeated: bool = False

    @property
    def first(self) -> Lsn | None:
        """The first position that it took; None when nothing changed."""
        return Lsn(self.head - self.written + 1) if self.written else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """A push as it was read: nothing of it is written yet."""

    wanted: Sequence[Document | DocumentId]
    digest: str


def take(session: Session, index: IndexName, changes: Changes, *, key: str = "") -> Pushed:
    """Write a push: all of it is durable, or none is.

    Under a key a push is taken once: sent again, it gets the answer that it got, and what
    others wrote since stays. Of an id that stands twice, the last change counts.

    Raises:
        KeyReusedError: the same sender used the key for other changes.
        FieldTypeError: a field has another type than before; it names the document.
    """
    authorise(session, Action.WRITE, index)
    _check_key(key)
    with session.store.begin() as tx:
        now = session.clock.now()
        if key:
            tx.pushes.forget(index, before=now - REMEMBERED)
            before = tx.pushes.find(index, session.actor, key)
            if before is not None:
                return _again(before, changes)
        done = tx.log.append(index, changes.wanted, at=now)
        pushed = Pushed(
            index=index,
            head=done.head,
            written=done.written,
            unchanged=len(changes.wanted) - done.written,
        )
        if key:
            tx.pushes.add(
                Push(
                    index=index,
                    actor=session.actor,
                    key=key,
                    digest=changes.digest,
                    at=now,
                    head=pushed.head,
                    written=pushed.written,
                    unchanged=pushed.unchanged,
                )
            )
    return pushed


def _again(before: Push, changes: Changes) -> Pushed:
    if before.digest != changes.digest:
        raise KeyReusedError(index=before.index, key=before.key)
    return Pushed(
        index=before.index,
        head=before.head,
        written=before.written,
        unchanged=before.unchanged,
        repeated=True,
    )


def _check_key(key: str) -> None:
    if len(key) > LONGEST_KEY or not key.isprintable() or not key.isascii():
        raise BadInputError(
            f"a push's key is at most {LONGEST_KEY} printable ASCII characters",
            hint="a UUID, for instance",
        )
