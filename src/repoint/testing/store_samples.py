"""What the store suites write: one index, releases, documents and the moments around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from repoint.domain.document import Document, Json
from repoint.domain.ids import (
    Actor,
    DocumentId,
    IndexName,
    Lsn,
    ProcessId,
    ReleaseName,
    collection_name,
)
from repoint.domain.operation import Operation, OperationKind, Step
from repoint.domain.pointer import Move, MoveKind, Pointer
from repoint.domain.release import Release, ReleaseState
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.ports.store import Store, Transaction

DOCS: Final = IndexName("docs")
V1: Final = ReleaseName("v1")
V2: Final = ReleaseName("v2")
ANNA: Final = Actor("anna")
ONE: Final = ProcessId("process-one")
TWO: Final = ProcessId("process-two")
ZERO: Final = Lsn(0)

#: Microseconds are kept, zones become UTC.
NOW: Final = datetime(2026, 3, 1, 12, 30, 15, 123_456, tzinfo=UTC)
SOON: Final = NOW + timedelta(minutes=1)
LATER: Final = NOW + timedelta(minutes=5)
#: Ahead of any clock that a store may read, and behind it.
FAR_AHEAD: Final = datetime(9000, 1, 1, tzinfo=UTC)
LONG_AGO: Final = datetime(1999, 1, 1, tzinfo=UTC)


def release(name: ReleaseName, *, dimensions: int = 8) -> Release:
    """Return a release that was just created."""
    spec = ReleaseSpec(model=ModelSpec(provider="hashing", dimensions=dimensions, name=name))
    fingerprint = spec.fingerprint()
    return Release(
        index=DOCS,
        name=name,
        spec=spec,
        fingerprint=fingerprint,
        collection=collection_name(DOCS, name, fingerprint),
        state=ReleaseState.CREATED,
        created_at=NOW,
    )


class _UndoneError(Exception):
    """Ends a transaction that shall leave nothing."""


@contextmanager
def undone(store: Store) -> Iterator[Transaction]:
    """Give a transaction that an error ends after its last statement."""
    with suppress(_UndoneError), store.begin() as tx:
        yield tx
        raise _UndoneError


def document(name: str, text: str = "text", **metadata: Json) -> Document:
    """Return a document with this id."""
    return Document(id=DocumentId(name), title=f"Title of {name}", text=text, metadata=metadata)


def ids(*names: str) -> list[DocumentId]:
    """Return the names as document ids."""
    return [DocumentId(name) for name in names]


def with_index(store: Store) -> None:
    """Make the index with two releases."""
    with store.begin() as tx:
        tx.indexes.create(DOCS, at=NOW)
        tx.releases.add(release(V1))
        tx.releases.add(release(V2))


def with_documents(store: Store, count: int) -> None:
    """Make the index, and as many documents: ``d1`` at LSN 1, and so on."""
    with_index(store)
    with store.begin() as tx:
        tx.log.append(DOCS, [document(f"d{n}") for n in range(1, count + 1)], at=NOW)


def promotion(before: Pointer, to: ReleaseName, *, reason: str = "it is better") -> Move:
    """Return the move that puts the release in front."""
    return Move(
        kind=MoveKind.PROMOTE,
        before=before,
        after=before.promoted(to),
        actor=ANNA,
        reason=reason,
        at=NOW,
        checked={"golden": {"status": "ok", "figure": 0.98}},
    )


def operation(name: str = "op-1", **notes: Json) -> Operation:
    """Return the intent of a promotion by the first process."""
    kept: Mapping[str, Json] = notes
    return Operation(
        id=name,
        index=DOCS,
        kind=OperationKind.PROMOTE,
        release=V1,
        actor=ANNA,
        reason="it is better",
        owner=ONE,
        step=Step.INTENDED,
        epoch=Pointer.unset(DOCS).epoch,
        started_at=NOW,
        notes=kept,
    )
