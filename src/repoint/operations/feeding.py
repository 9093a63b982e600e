"""Feeding an index from its sources: what changed there goes into the log, resumably.

A batch and the position behind it are stored in one transaction, so a poll that is cut off
anywhere goes on where it was and loses nothing. Reading a change twice changes nothing: the
log knows content that it has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Final

from repoint.domain.access import Action
from repoint.domain.document import Document
from repoint.domain.errors import (
    ConflictError,
    FieldTypeError,
    RefusedError,
    RepointError,
    SweepRefusedError,
)
from repoint.domain.ids import DocumentId, IndexName, SourceName
from repoint.domain.source import Batch, Record, Source, SourceState
from repoint.operations.originals import TOLERATED_COUNT, TOLERATED_SHARE, Opening
from repoint.operations.session import Session, authorise
from repoint.ports.source import SourceReader
from repoint.ports.store import Transaction

#: Problems that a report repeats; the rest is counted.
_TOLD: Final = 20
#: How often a document that others read at the same time is read again.
_TURNS: Final = 5
#: Documents that a sweep deletes in one transaction.
_DELETES: Final = 2_000


@dataclass(kw_only=True)
class PollReport:
    """What a poll found, and did."""

    index: IndexName
    source: SourceName
    read: int = 0
    written: int = 0
    unchanged: int = 0
    deleted: int = 0
    #: Rows that are no document, and so were left as they were.
    bad: int = 0
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    #: Deleted because the source has them no longer; None where no sweep was asked for.
    swept: int | None = None
    #: Whether it came to the end of what there was.
    complete: bool = True

    @property
    def clean(self) -> bool:
        """Whether everything that the source has is in the log."""
        return self.complete and not self.bad

    def sentence(self) -> str:
        """Return in words what it did."""
        said = (
            f"{self.read:,} rows read: {self.written:,} written, {self.unchanged:,} unchanged, "
            f"{self.deleted:,} deleted"
        )
        if self.swept is not None:
            said += f", {self.swept:,} swept"
        if self.bad:
            said += f"; {self.bad:,} are no documents and were left out"
        return said if self.complete else f"{said}; stopped before the end"

    def note(self, record: Record) -> None:
        """Count a row that is no document."""
        self.bad += 1
        if len(self.problems) < _TOLD:
            self.problems.append(
                f"{record.id}: {record.problem}" if record.id else record.problem
            )


def add(session: Session, source: Source, opening: Opening) -> None:
    """Store a source, after a look at whether it can be read.

    Raises:
        AlreadyExistsError: the name is taken.
        BadInputError: it is not what its settings say.
        UnavailableError: it does not answer.
    """
    authorise(session, Action.SOURCE, source.index)
    reader = opening(source)
    try:
        next(reader.changes({}), None)
    finally:
        reader.close()
    with session.store.begin() as tx:
        tx.sources.add(source)
        tx.audit.append(
            at=source.at,
            actor=session.actor,
            action=Action.SOURCE,
            index=source.index,
            details={"added": source.name, "kind": source.kind.value, "place": source.place},
        )


def remove(session: Session, index: IndexName, name: SourceName, *, reason: str = "") -> int:
    """Forget a source; the documents that it gave stay. Return how many those are.

    Raises:
        RefusedError: it alone has the content of documents.
    """
    authorise(session, Action.SOURCE, index, reason=reason)
    with session.store.begin() as tx:
        kept = tx.sources.kept(index, name)
        if kept:
            raise RefusedError(
                f"source {name!r} alone has the content of {kept:,} documents of {index!r}",
                hint="delete them, or take them from a source that is not kept by reference",
            )
        count = tx.sources.count(index, name)
        tx.sources.remove(index, name)
        tx.audit.append(
            at=session.clock.now(),
            actor=session.actor,
            action=Action.SOURCE,
            index=index,
            reason=reason,
            details={"removed": name, "documents": count},
        )
    return count


def look(
    session: Session, index: IndexName, name: SourceName
) -> tuple[Source, SourceState, int]:
    """Return a source, how far it was read, and how many documents it gave."""
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        source, state = view.sources.get(index, name)
        return source, state, view.sources.count(index, name)


def all_(session: Session, index: IndexName) -> list[tuple[Source, SourceState]]:
    """Return every source of an index, and how far each was read."""
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        return view.sources.all(index)


def poll(  # noqa: PLR0913 - one keyword a decision of the operator
    session: Session,
    index: IndexName,
    name: SourceName,
    opening: Opening,
    *,
    sweep: bool = False,
    allow_deletes: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> PollReport:
    """Take what changed at a source into the log; with ``sweep`` also what is gone there.

    Raises:
        ConflictError: another process reads the source at the same time.
        SweepRefusedError: too much is gone to be believed; what changed is in the log.
        UnavailableError: the source did not answer; what was read is in the log.
    """
    authorise(session, Action.WRITE, index)
    with session.store.read() as view:
        source, state = view.sources.get(index, name)
    report = PollReport(index=index, source=name)
    run = _Run(session, source, state, report, stop=stop)
    try:
        reader = opening(source)
        try:
            run.take(reader)
            if sweep and report.complete:
                run.sweep(reader, allow_deletes=allow_deletes)
            report.warnings += reader.warnings()
        finally:
            reader.close()
    except RepointError as error:
        run.tell(f"{error.code}: {error.message}")
        raise
    run.tell(report.sentence())
    return report


def changed(
    session: Session,
    index: IndexName,
    name: SourceName,
    opening: Opening,
    *,
    ids: Sequence[DocumentId],
) -> PollReport:
    """Take what a source says of these documents now into the log, and of no others.

    What has no row there any more is deleted, where it was this source that gave it. The
    position of polls stays.

    Raises:
        ConflictError: others read the source all the time.
        UnavailableError: the source did not answer; nothing was taken.
    """
    authorise(session, Action.WRITE, index)
    named = list(dict.fromkeys(ids))
    with closing(opening(_get(session, index, name)[0])) as reader:
        for _ in range(_TURNS):
            with suppress(ConflictError):
                return _take_named(session, index, name, reader, named)
        return _take_named(session, index, name, reader, named)


def _take_named(
    session: Session,
    index: IndexName,
    name: SourceName,
    reader: SourceReader,
    ids: Sequence[DocumentId],
) -> PollReport:
    # Before the reading: who polls meanwhile makes this one be refused, and read again.
    source, state = _get(session, index, name)
    report = PollReport(index=index, source=name)
    run = _Run(session, source, state, report, stop=lambda: False)
    run.take_named(reader, ids)
    run.tell(report.sentence())
    return report


def _get(session: Session, index: IndexName, name: SourceName) -> tuple[Source, SourceState]:
    with session.store.read() as view:
        return view.sources.get(index, name)


class _Run:
    """One poll on its way."""

    def __init__(
        self,
        session: Session,
        source: Source,
        state: SourceState,
        report: PollReport,
        *,
        stop: Callable[[], bool],
    ) -> None:
        self._session = session
        self._source = source
        self._state = state
        self._report = report
        self._stop = stop

    def take(self, reader: SourceReader) -> None:
        """Apply every change."""
        for batch in reader.changes(self._state.position):
            self._apply(batch)
            if self._stop():
                self._report.complete = False
                return

    def take_named(self, reader: SourceReader, ids: Sequence[DocumentId]) -> None:
        """Apply what the source says of these documents now."""
        said = reader.fetch(ids)
        with self._session.store.read() as view:
            given = view.sources.given(*self._of, ids)
        records = [
            said.get(one) or Record(id=one) for one in ids if one in said or one in given
        ]
        self._apply(Batch(records=tuple(records), position=self._state.position))

    def sweep(self, reader: SourceReader, *, allow_deletes: bool) -> None:
        """Delete what the source gave and has no longer."""
        if self._state.sweep_position is None:
            self._advance(sweep=self._state.sweep + 1, sweep_position={})
        for ids, position in reader.keys(self._state.sweep_position or {}):
            with self._session.store.begin() as tx:
                known = tx.sources.given(*self._of, ids)
                tx.sources.note(*self._of, known, sweep=self._state.sweep)
                state = self._advanced(tx, sweep_position=position)
            self._state = state
            if self._stop():
                self._report.complete = False
                return
        self._require_few(allow_deletes=allow_deletes)
        self._report.swept = self._delete_unseen(reader)
        self._advance(sweep_position=None)

    def tell(self, outcome: str) -> None:
        """Record how it ended."""
        with self._session.store.begin() as tx:
            tx.sources.polled(*self._of, at=self._session.clock.now(), outcome=outcome)

    @property
    def _of(self) -> tuple[IndexName, SourceName]:
        return self._source.index, self._source.name

    def _apply(self, batch: Batch) -> None:
        records = list(batch.records)
        while True:
            try:
                state = self._written(records, batch)
            except FieldTypeError as error:
                # One of these documents: it is left out, and the others go in without it.
                wrong = [one for one in records if one.id == error.document]
                records = [one for one in records if one.id != error.document]
                self._report.note(dataclasses.replace(wrong[-1], problem=error.message))
                self._report.read += len(wrong)
            else:
                self._state = state
                return

    def _written(self, records: list[Record], batch: Batch) -> SourceState:
        # The newest word on an id stands, and each is said once.
        newest = {one.id: one for one in records if not one.problem}
        gone = [one.id for one in newest.values() if one.document is None]
        with self._session.store.begin() as tx:
            live = [
                name
                for name, row in tx.log.get(self._source.index, gone).items()
                if row.document is not None
            ]
            given = [self._source.given(one) for one in newest.values()]
            changes: list[Document | DocumentId] = [
                *(one for one in given if one is not None),
                *live,
            ]
            done = None
            if changes:
                done = tx.log.append(self._source.index, changes, at=self._session.clock.now())
            kept = [one.id for one in newest.values() if one.document is not None]
            tx.sources.note(*self._of, kept, sweep=self._state.sweep)
            tx.sources.unnote(*self._of, gone)
            state = self._advanced(tx, position=batch.position)
        self._report.read += len(records)
        for one in records:
            if one.problem:
                self._report.note(one)
        if done is not None:
            self._report.written += done.written - len(live)
            self._report.unchanged += done.unchanged
            self._report.deleted += len(live)
        return state

    def _require_few(self, *, allow_deletes: bool) -> None:
        with self._session.store.read() as view:
            total = view.sources.count(*self._of)
            missing = view.sources.count(*self._of, unseen_in=self._state.sweep)
        few = missing < TOLERATED_COUNT and missing < total
        if not allow_deletes and not few and missing > total * TOLERATED_SHARE:
            # The next sweep begins anew: what was not seen may be back by then.
            self._advance(sweep_position=None)
            raise SweepRefusedError(
                index=self._source.index,
                source=self._source.name,
                missing=missing,
                total=total,
            )

    def _delete_unseen(self, reader: SourceReader) -> int:
        deleted = 0
        while True:
            with self._session.store.read() as view:
                unseen = view.sources.unseen(*self._of, sweep=self._state.sweep, limit=_DELETES)
            if not unseen:
                return deleted
            # What came while the keys were read may stand behind where they were read.
            back = reader.present(unseen)
            gone = [one for one in unseen if one not in back]
            with self._session.store.begin() as tx:
                rows = tx.log.get(self._source.index, gone)
                live = [name for name, row in rows.items() if row.document is not None]
                if live:
                    tx.log.append(self._source.index, live, at=self._session.clock.now())
                    deleted += len(live)
                tx.sources.note(*self._of, back, sweep=self._state.sweep)
                tx.sources.unnote(*self._of, gone)
                state = self._advanced(tx)
            self._state = state

    def _advance(self, **changes: object) -> None:
        with self._session.store.begin() as tx:
            state = self._advanced(tx, **changes)
        self._state = state

    def _advanced(self, tx: Transaction, **changes: object) -> SourceState:
        """Store the state with these fields changed; nobody else may have meanwhile."""
        state = dataclasses.replace(self._state, **changes)  # type: ignore[arg-type]  # its fields
        return tx.sources.advance(*self._of, state)
