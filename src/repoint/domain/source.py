"""Sources: a team's own system of record that feeds an index, and how far it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from repoint.domain.document import Document, Json
from repoint.domain.ids import Actor, DocumentId, IndexName, SourceName


class SourceKind(StrEnum):
    """What a source is."""

    #: A table or a query of a SQL database.
    SQL = "sql"
    #: A folder of JSON lines, CSV or Parquet files.
    FILES = "files"


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlSettings:
    """Which rows of a database are documents, and which columns are what."""

    #: Without a password; or ``env:NAME``, the environment variable that holds it.
    url: str
    #: Exactly one of the two; a table may be ``schema.table``.
    table: str = ""
    query: str = ""
    id: str
    #: Joined by an empty line where they are several.
    text: tuple[str, ...]
    title: str = ""
    #: Rises with every change of a row; empty: every poll reads everything.
    version: str = ""
    #: Says that a row is deleted, unless it is null, false, 0 or empty.
    deleted: str = ""
    metadata: tuple[str, ...] = ()
    #: How far before the newest version a poll begins, for rows that were committed late:
    #: seconds where versions are times, else in their own unit. None is the default of each.
    overlap: float | None = None
    #: The log keeps neither title nor text of its documents, only hash, version and metadata.
    by_reference: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings:
    """Which files of a folder hold documents."""

    folder: str
    pattern: str = "*"
    #: A field that says that a document is deleted, as for SQL.
    deleted: str = ""
    #: As for SQL: titles and texts stay in the files.
    by_reference: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source of an index, by its name."""

    index: IndexName
    name: SourceName
    settings: SqlSettings | FileSettings
    actor: Actor
    at: datetime

    @property
    def kind(self) -> SourceKind:
        """What it is."""
        is_sql = isinstance(self.settings, SqlSettings)
        return SourceKind.SQL if is_sql else SourceKind.FILES

    @property
    def by_reference(self) -> bool:
        """Whether the content of its documents stays with it."""
        return self.settings.by_reference

    def given(self, record: Record) -> Document | None:
        """Return a record's document as the log is to take it."""
        if record.document is None or not self.by_reference:
            return record.document
        return record.document.kept_by(self.name, version=record.version)

    @property
    def place(self) -> str:
        """Where it is, for people."""
        if isinstance(self.settings, FileSettings):
            return f"{self.settings.folder}/{self.settings.pattern}"
        return f"{self.settings.url} {self.settings.table or '(query)'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """How far a source was read."""

    #: Rises with every change.
    revision: int = 0
    #: The reader's own: where it goes on.
    position: Mapping[str, Json] = field(default_factory=dict)
    #: The number of the newest sweep, and where it goes on; None once it is through.
    sweep: int = 0
    sweep_position: Mapping[str, Json] | None = None
    polled_at: datetime | None = None
    #: How the newest poll ended, in its own words; empty before the first.
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a source says of one document."""

    id: DocumentId
    #: None: it is deleted, or nothing is left of its text.
    document: Document | None = None
    #: Why it is no document; then nothing is done about it.
    problem: str = ""
    #: What its version column says, as JSON; empty where there is none.
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some of a source's records in order, and where to go on once they are in the log."""

    records: tuple[Record, ...]
    position: Mapping[str, Json]
