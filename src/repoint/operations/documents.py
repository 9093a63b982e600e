"""Writes: documents and deletes into the log, in order, acknowledged when durable there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from repoint.domain.access import Action
from repoint.domain.document import Document
from repoint.domain.errors import BadInputError
from repoint.domain.ids import DocumentId, IndexName
from repoint.operations.session import Session, authorise
from repoint.ports.store import Appended

#: Documents in one transaction: large enough to be fast, small enough for others to get in.
BATCH = 2_000


def write(
    session: Session, index: IndexName, changes: Sequence[Document | DocumentId]
) -> Appended:
    """Record documents, and ids to delete, as one: all are durable, or none is."""
    authorise(session, Action.WRITE, index)
    with session.store.begin() as tx:
        return tx.log.append(index, changes, at=session.clock.now())


def stream(
    session: Session,
    index: IndexName,
    changes: Iterable[Document | DocumentId],
    *,
    batch: int = BATCH,
) -> Iterator[Appended]:
    """Record a stream of changes batch by batch, yielding what each batch did.

    Every batch yielded is durable. Running the same stream again after a crash changes
    nothing for what is already there, so a stream is resumed by repeating it.
    """
    authorise(session, Action.WRITE, index)
    source = iter(changes)
    while group := list(islice(source, batch)):
        with session.store.begin() as tx:
            done = tx.log.append(index, group, at=session.clock.now())
        yield done


def create_index(session: Session, name: IndexName) -> None:
    """Make an empty index.

    Raises:
        AlreadyExistsError: the name is taken.
        BadInputError: another index has it in other case.
    """
    authorise(session, Action.CREATE_INDEX, name)
    now = session.clock.now()
    with session.store.begin() as tx:
        for other in tx.indexes.names():
            if other != name and other.casefold() == name.casefold():
                raise BadInputError(
                    f"index {other!r} differs from {name!r} only in case, and some databases "
                    "know no case",
                    hint="choose another name",
                )
        tx.indexes.create(name, at=now)
        tx.audit.append(at=now, actor=session.actor, action=Action.CREATE_INDEX, index=name)
