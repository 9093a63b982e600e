"""Absorb: what somebody did to an adopted collection without repoint goes into the log.

Nothing is guessed. What only the collection knows is taken; where the log changed too, or
had deleted what is back, both stay as they are until somebody says which is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Final

from repoint.domain.access import Action
from repoint.domain.adoption import (
    AdoptionState,
    Bypass,
    BypassKind,
    Reception,
    received,
)
from repoint.domain.document import Document, Json, LogRow
from repoint.domain.errors import ConflictError, NotFoundError
from repoint.domain.ids import DocumentId, IndexName, Lsn, ReleaseName
from repoint.domain.release import Release, ReleaseState
from repoint.operations.freeze import require_thawed
from repoint.operations.session import Session, authorise, record
from repoint.operations.spaces import Space
from repoint.operations.sync import apply_now
from repoint.ports.store import Transaction

#: Documents decided together.
_BATCH: Final = 500
#: Documents that a report names, of each kind.
EXAMPLES: Final = 20


class Prefer(StrEnum):
    """Which side is right where both changed."""

    LOG = "log"
    COLLECTION = "collection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absorbed:
    """One document, and what becomes of it."""

    document: DocumentId
    kind: BypassKind
    reception: Reception
    #: In a conflict, how the log stands to it.
    why: str = ""


@dataclass(slots=True, kw_only=True)
class AbsorbReport:
    """What bypassed repoint, and what was done about it."""

    index: IndexName
    release: ReleaseName
    collection: str
    #: Documents of each kind that are, or would be, taken.
    taken: Counter[BypassKind] = field(default_factory=Counter)
    #: Documents on which both sides differ and nobody decided.
    conflicts: int = 0
    #: Conflicts that were decided by ``prefer``.
    decided: int = 0
    #: The log's head afterwards; None for a plan.
    head: Lsn | None = None
    examples: list[Absorbed] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing bypassed repoint, or all of it was dealt with."""
        return not self.conflicts


def plan(session: Session, index: IndexName, name: ReleaseName | None = None) -> AbsorbReport:
    """Return what would be taken, and every conflict; nothing is written."""
    authorise(session, Action.READ, index)
    space = adopted(session, index, name)
    report = _report(space)
    for batch in _batches(session, space):
        with session.store.read() as view:
            rows = view.log.get(index, [one.document for one in batch])
        for bypass in batch:
            _judge(report, bypass, rows.get(bypass.document))
    return report


def absorb(
    session: Session,
    index: IndexName,
    name: ReleaseName | None = None,
    *,
    prefer: Prefer | None = None,
    reason: str = "",
) -> AbsorbReport:
    """Take what bypassed repoint into the log; with ``prefer`` decide conflicts too.

    Repeating it after a crash changes nothing for what is in already.

    Raises:
        FieldTypeError: a field has another type than before; it names the document.
        FrozenError: the index is frozen.
        NotFoundError: nothing of the index was adopted.
    """
    authorise(session, Action.ABSORB, index, reason=reason)
    space = adopted(session, index, name)
    with session.store.read() as view:
        require_thawed(view, index, action="absorb")
    report = take(session, space, prefer=prefer)
    details: dict[str, Json] = {
        "release": space.release.name,
        "taken": {kind.value: count for kind, count in report.taken.items()},
        "conflicts": report.conflicts,
        "decided": report.decided,
        "prefer": prefer.value if prefer else None,
    }
    record(session, Action.ABSORB, index, reason=reason, details=details)
    return report


def take(session: Session, space: Space, *, prefer: Prefer | None = None) -> AbsorbReport:
    """Take what bypassed repoint into the log, batch by batch."""
    index = space.release.index
    report = _report(space)
    for batch in _batches(session, space):
        with session.store.begin() as tx:
            wanted, overruled = _decided(tx, report, batch, prefer)
            tx.log.append(index, wanted, at=session.clock.now())
        if overruled:
            # What is above the watermark is written by the next sync in any case.
            apply_now(session.store, space, overruled, clock=session.clock)
    with session.store.read() as view:
        report.head = view.log.head(index)
    return report


def adopted(session: Session, index: IndexName, name: ReleaseName | None) -> Space:
    """Open the adopted release that is named, else the only one that still stands.

    Raises:
        NotFoundError: there is none.
    """
    with session.store.read() as view:
        view.indexes.require(index)
        standing = [
            view.releases.get(index, one.release)
            for one in view.adoptions.all(index)
            if one.state is AdoptionState.ADOPTED
        ]
    alive = [one for one in standing if one.state is ReleaseState.LIVE]
    for release in alive:
        if name is None or release.name == name:
            return session.spaces.open(release)
    raise NotFoundError(
        what="adopted release that is live in index", name=name or index, known=_names(alive)
    )


def require_none(space: Space, *, session: Session) -> None:
    """Refuse to write over what bypassed repoint.

    Raises:
        ConflictError: something did; absorb says what.
    """
    if space.collection.spec.adopted is None:
        return
    release = space.release
    found = session.spaces.adopter(release.spec.backend).bypassed(release.collection)
    first = next(iter(found), None)
    if first is not None:
        raise ConflictError(
            f"{space.collection.spec.adopted.collection} was written to without repoint "
            f"(first {first.document!r}, {first.kind})",
            hint=f"decide what counts: repoint absorb {release.index} --plan",
        )


def _names(releases: Sequence[Release]) -> list[str]:
    return [one.name for one in releases]


def _report(space: Space) -> AbsorbReport:
    layout = space.collection.spec.adopted
    return AbsorbReport(
        index=space.release.index,
        release=space.release.name,
        collection=layout.collection if layout else space.release.collection,
    )


def _batches(session: Session, space: Space) -> Iterator[list[Bypass]]:
    release = space.release
    found = session.spaces.adopter(release.spec.backend).bypassed(release.collection)
    # Read whole before anything is written: what is written would be found as well.
    every = iter(list(found))
    while batch := list(islice(every, _BATCH)):
        yield batch


def _decided(
    tx: Transaction, report: AbsorbReport, batch: Sequence[Bypass], prefer: Prefer | None
) -> tuple[list[Document | DocumentId], list[DocumentId]]:
    """Return what goes into the log, and the documents of which the log is written again."""
    rows: Mapping[DocumentId, LogRow] = tx.log.get(
        report.index, [one.document for one in batch]
    )
    wanted: list[Document | DocumentId] = []
    overruled: list[DocumentId] = []
    for bypass in batch:
        reception = _judge(report, bypass, rows.get(bypass.document), prefer=prefer)
        if reception is Reception.TAKEN or (
            reception is Reception.CONFLICT and prefer is Prefer.COLLECTION
        ):
            wanted.append(bypass.document if bypass.content is None else bypass.content)
        elif reception is Reception.KNOWN and bypass.content is not None:
            # Written anew as it was: it is found again once the log's row is applied again.
            overruled.append(bypass.document)
        elif reception is Reception.CONFLICT and prefer is Prefer.LOG:
            overruled.append(bypass.document)
    return wanted, overruled


def _judge(
    report: AbsorbReport,
    bypass: Bypass,
    row: LogRow | None,
    *,
    prefer: Prefer | None = None,
) -> Reception:
    reception, why = received(bypass, row)
    if reception is Reception.TAKEN:
        report.taken[bypass.kind] += 1
    elif reception is Reception.CONFLICT:
        if prefer is None:
            report.conflicts += 1
        else:
            report.decided += 1
    same = sum(
        one.reception is reception and one.kind is bypass.kind for one in report.examples
    )
    if reception is not Reception.KNOWN and same < EXAMPLES:
        report.examples.append(
            Absorbed(document=bypass.document, kind=bypass.kind, reception=reception, why=why)
        )
    return reception
