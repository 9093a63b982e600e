"""Content that the log keeps by reference, read from the sources that hold it.

A row of the log names a source, an id and a hash. What the source says now is the row's
content only if it has that hash; otherwise the source has moved on, and nothing of it may
stand for this version. Where it seems to have moved on it is read once more: a row that
says another thing at every reading is no content at all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final, TypeAlias

from repoint.domain.document import Chunk, Document, LogRow
from repoint.domain.errors import NoContentError, RefusedError, SourceUnavailableError
from repoint.domain.ids import DocumentId, IndexName, SourceName
from repoint.domain.source import Record, Source
from repoint.ports.source import SourceReader
from repoint.ports.store import Store
from repoint.ports.text import Preparer

#: Opens a source for reading.
Opening: TypeAlias = Callable[[Source], SourceReader]

#: Where a larger share of documents is gone than this, and more than so many, a mistake is
#: likelier: an emptied table, a lost right to see rows, a wrong database.
TOLERATED_SHARE: Final = 0.2
TOLERATED_COUNT: Final = 10


@dataclass(slots=True, kw_only=True)
class Found:
    """What became of documents whose content is elsewhere."""

    #: With their content.
    whole: dict[DocumentId, Document] = field(default_factory=dict)
    #: What the source says in place of the version in the log.
    moved: dict[DocumentId, tuple[Source, Record]] = field(default_factory=dict)
    #: Documents that have no content, and why.
    lost: dict[DocumentId, NoContentError] = field(default_factory=dict)

    def filled(self, rows: Sequence[LogRow]) -> list[LogRow]:
        """Return those of the rows that have content or need none, with it."""
        return [
            replace(row, document=self.whole[row.id]) if row.id in self.whole else row
            for row in rows
            if row.id not in self.moved and row.id not in self.lost
        ]


class Losses:
    """How many documents one undertaking asked sources for, and how many rows were gone.

    Whoever asks in small portions would never see that a source lost most of its rows. Safe
    to use from many threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._asked: Counter[SourceName] = Counter()
        self._gone: Counter[SourceName] = Counter()

    def add(self, source: SourceName, *, asked: int, gone: int) -> tuple[int, int]:
        """Return how many were asked for and gone so far, these among them."""
        with self._lock:
            self._asked[source] += asked
            self._gone[source] += gone
            return self._asked[source], self._gone[source]


class Originals:
    """Reads content from sources, each opened for the time of one reading."""

    def __init__(self, store: Store, opening: Opening) -> None:
        self._store = store
        self._opening = opening

    def find(
        self, index: IndexName, documents: Sequence[Document], losses: Losses | None = None
    ) -> Found:
        """Return what became of those of the documents that a source keeps.

        With ``losses`` these count together with what was asked for before.

        Raises:
            SourceUnavailableError: a source does not answer, was removed, or has lost so
                many of these that a mistake is likelier.
        """
        apart: defaultdict[SourceName, list[Document]] = defaultdict(list)
        for one in documents:
            if one.reference is not None:
                apart[one.reference.source].append(one)
        found, losses = Found(), losses or Losses()
        for name, kept in apart.items():
            self._read(self._source(index, name), kept, found, losses)
        return found

    def newest(self, index: IndexName, ids: Sequence[DocumentId]) -> list[Document]:
        """Return these documents as the log has them, with their content where it is theirs."""
        with self._store.read() as view:
            rows = list(view.log.get(index, ids).values())
        whole = filled(self, index, rows)
        return [row.document for row in whole if row.document is not None]

    def one(self, index: IndexName, document: Document) -> Document:
        """Return a document with its content.

        Raises:
            NoContentError: its source has other content, or none.
            SourceUnavailableError: it does not answer.
        """
        found = self.find(index, [document])
        for error in found.lost.values():
            raise error
        for source, _ in found.moved.values():
            raise _lost(source, document, "its row has other content than the log's version")
        return found.whole.get(document.id, document)

    def _source(self, index: IndexName, name: SourceName) -> Source:
        with self._store.read() as view:
            for source, _ in view.sources.all(index):
                if source.name == name:
                    return source
        raise SourceUnavailableError(
            f"index {index!r} has no source {name!r} any more, and it keeps content",
            hint=f"add it again: repoint source add {index} {name} … --content reference",
        )

    def _read(
        self, source: Source, kept: Sequence[Document], found: Found, losses: Losses
    ) -> None:
        try:
            with closing(self._opening(source)) as reader:
                said = reader.fetch([one.id for one in kept])
                apart = [one for one in kept if not _is_original(one, said.get(one.id))]
                again = reader.fetch([one.id for one in apart]) if apart else {}
        except RefusedError as error:
            # A table renamed, a variable not set: nothing of it is the documents' doing.
            raise SourceUnavailableError(
                f"source {source.name!r} of index {source.index!r} cannot be read: "
                f"{error.message}",
                hint=error.hint,
            ) from error
        gone = {one.id for one in apart if one.id not in said and one.id not in again}
        asked, missing = losses.add(source.name, asked=len(kept), gone=len(gone))
        if gone and missing > TOLERATED_COUNT and missing > asked * TOLERATED_SHARE:
            raise SourceUnavailableError(
                f"source {source.name!r} has no row for {missing:,} of {asked:,} "
                f"documents of index {source.index!r}",
                hint="look whether it was emptied or hidden; if they are deleted: "
                f"repoint source poll {source.index} {source.name} --sweep",
            )
        for one in apart:
            if one.id in gone:
                found.lost[one.id] = _lost(source, one, "it has no such row any more")
            else:
                _judge(source, one, (said.get(one.id), again.get(one.id)), found)
        for one in kept:
            record = said.get(one.id)
            if record is not None and record.document is not None and _is_original(one, record):
                found.whole[one.id] = record.document


class Referring:
    """A release's preparation that reads what is kept elsewhere, one document at a time.

    Whatever prepares many reads them together before, by ``Originals.find``.
    """

    def __init__(
        self, preparer: Preparer, originals: Originals | None, index: IndexName
    ) -> None:
        self._preparer = preparer
        self._originals = originals
        self._index = index

    @property
    def libraries(self) -> Mapping[str, str]:
        """Versions of the libraries in use that decide the text."""
        return self._preparer.libraries

    def prepare(self, document: Document) -> list[Chunk]:
        """Return the chunks in order; raises as the release's own, and as ``Originals.one``."""
        if document.reference is not None:
            document = required(self._originals).one(self._index, document)
        return self._preparer.prepare(document)

    def prepare_query(self, text: str) -> str:
        """Return the question after the same steps, without template and chunking."""
        return self._preparer.prepare_query(text)


def filled(
    originals: Originals | None, index: IndexName, rows: Sequence[LogRow]
) -> list[LogRow]:
    """Return rows with their content, without those that have none under their hash.

    Raises:
        SourceUnavailableError: a source does not answer.
    """
    kept = elsewhere(rows)
    return required(originals).find(index, kept).filled(rows) if kept else list(rows)


def elsewhere(rows: Sequence[LogRow]) -> list[Document]:
    """Return the documents among these rows whose content a source keeps."""
    return [
        row.document
        for row in rows
        if row.document is not None and row.document.reference is not None
    ]


def required(originals: Originals | None) -> Originals:
    """Return what reads content from sources.

    Raises:
        SourceUnavailableError: this process was opened without.
    """
    if originals is None:
        raise SourceUnavailableError("this process cannot read sources")
    return originals


def _judge(
    source: Source, one: Document, said: tuple[Record | None, Record | None], found: Found
) -> None:
    first, second = said
    if second is not None and second.problem:
        found.lost[one.id] = _lost(source, one, f"its row is no document: {second.problem}")
    elif first is None or second is None or _content(first) != _content(second):
        why = "its row said two things in two readings; poll the source again"
        found.lost[one.id] = _lost(source, one, why)
    else:
        found.moved[one.id] = source, second


def _content(record: Record) -> str:
    return "" if record.document is None else record.document.content_hash()


def _is_original(one: Document, record: Record | None) -> bool:
    if record is None or record.document is None or record.problem:
        return False
    return record.document.content_hash() == one.content_hash()


def _lost(source: Source, one: Document, why: str) -> NoContentError:
    return NoContentError(source=source.name, document=one.id, why=why)
