"""Reading a foreign collection into the log, page by page, from wherever it was left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from repoint.domain.adoption import Adoption
from repoint.domain.document import Chunk, Document, Entry
from repoint.domain.errors import (
    BadInputError,
    ConflictError,
    FieldTypeError,
    InputRejectedError,
    NotFoundError,
)
from repoint.domain.ids import IndexName, Lsn, ReleaseName
from repoint.domain.spec import ReleaseSpec
from repoint.operations.session import Session
from repoint.operations.spaces import Space
from repoint.operations.sync import Limits, sync
from repoint.ports.adoption import ForeignRow, Note
from repoint.ports.backend import SpaceMatrix
from repoint.ports.store import Transaction

#: Rows read, written to the log and noted together.
PAGE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionProgress:
    """How far the scan is."""

    rows: int
    total: int


class Scan:
    """Reads the rows of one adoption into the log, from where it was left."""

    def __init__(
        self, session: Session, index: IndexName, name: ReleaseName, spec: ReleaseSpec
    ) -> None:
        self._session = session
        with session.store.read() as view:
            release = view.releases.get(index, name)
            adoption = view.adoptions.get(index, name)
        if adoption is None:
            raise NotFoundError(what="adoption of", name=name)
        if release.fingerprint != spec.fingerprint():
            raise ConflictError(
                f"the adoption of {adoption.layout.collection} as {name} was begun with "
                "another spec",
                hint="go on with that one, or adopt under another release's name",
            )
        self._adoption = adoption
        self._adopter = session.spaces.adopter(adoption.backend)
        self.space: Space = session.spaces.open(release)
        self.embedded = 0

    def run(
        self, *, progress: Callable[[AdoptionProgress], None] | None, stop: Callable[[], bool]
    ) -> bool:
        """Return True once the last page is in."""
        while True:
            if stop():
                return False
            page = self._adopter.read(
                self._adoption.layout, after=self._adoption.cursor, limit=PAGE
            )
            head, alone = self._take(page.rows)
            if not alone:
                # Others wrote to the index meanwhile: this page goes with what they wrote.
                self.embedded += in_step(self._session, self.space)
            done = self._adoption.advanced(
                cursor=page.cursor or self._adoption.cursor,
                rows=len(page.rows),
                without_text=page.without_text,
            )
            self._close(done, head=head, moves=alone)
            if progress is not None:
                progress(AdoptionProgress(rows=done.rows, total=max(done.total, done.rows)))
            if page.cursor is None:
                return True

    def _take(self, rows: Sequence[ForeignRow]) -> tuple[Lsn, bool]:
        """Write a page to the log, note it, and return the head it was at.

        And whether all that is above the watermark is this page: others may write too.
        """
        index, name = self._adoption.index, self._adoption.release
        documents = [row.document for row in rows]
        ids = [one.id for one in documents]
        with self._session.store.begin() as tx:
            self._append(tx, documents)
            stored = tx.log.get(index, ids)
            head, low = tx.log.head(index), tx.catchup.watermark(index, name)
            undisturbed = tx.catchup.window(index, name) is None
            pending = tx.log.rows(index, above=low, upto=head, limit=len(rows) + 1)
        mine = {row.document.id: row for row in rows}
        alone = undisturbed and all(
            row.id in mine
            and row.document is not None
            and row.document.content_hash() == mine[row.id].document.content_hash()
            for row in pending
        )
        notes = [
            Note(
                entry=Entry(
                    document=one.id,
                    lsn=stored[one.id].lsn,
                    chunks=self._chunks(one),
                    slots=1,
                    metadata=one.metadata,
                    content=one,
                ),
                state=mine[one.id].state,
            )
            for one in documents
        ]
        self._adopter.note(self.space.release.collection, notes)
        bare = [note for note in notes if note.entry.chunks and mine[note.entry.document].bare]
        if bare:
            self._embed(bare)
        return head, alone

    def _append(self, tx: Transaction, documents: Sequence[Document]) -> None:
        try:
            tx.log.append(self._adoption.index, documents, at=self._session.clock.now())
        except FieldTypeError as error:
            raise BadInputError(
                error.message,
                hint=f"leave it where it is: the same command with --leave-out {error.field}; "
                "the scan then begins anew",
            ) from error

    def _chunks(self, document: Document) -> Sequence[Chunk]:
        try:
            return self.space.preparer.prepare(document)
        except InputRejectedError:
            return ()  # known, and found by nobody; the row stays as it is

    def _embed(self, notes: Sequence[Note]) -> None:
        """Give a vector to rows that have none."""
        texts = [note.entry.chunks[0].text for note in notes]
        matrix, rejected = self.space.embedding.isolate(texts)
        kept = [place for place in range(len(notes)) if place not in rejected]
        vectors = SpaceMatrix(matrix.space, matrix.values[kept])
        self.space.collection.put([notes[place].entry for place in kept], vectors)
        self.embedded += len(kept)

    def _close(self, done: Adoption, *, head: Lsn, moves: bool) -> None:
        """Move the watermark over a page together with the place where the scan goes on."""
        with self._session.store.begin() as tx:
            now = tx.adoptions.get(done.index, done.release)
            if now is None or now.cursor != self._adoption.cursor:
                raise ConflictError(
                    f"another process adopts {done.layout.collection} at the same time",
                    hint="let it end, or end it; then repeat the command",
                )
            low = tx.catchup.watermark(done.index, done.release)
            if moves and head > low:
                tx.catchup.open_window(done.index, done.release, bounds=(), high=head)
            tx.adoptions.advance(done)
        self._adoption = done


def in_step(session: Session, space: Space) -> int:
    """Bring the release to the log's head, and return how many chunks were embedded."""
    report = sync(
        session.store,
        space,
        owner=session.process.id,
        clock=session.clock,
        limits=Limits(heed_pace=False),
    )
    return report.embedded
