"""Documents, their log rows, and the chunks that a release makes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Final, TypeAlias

from repoint.domain.ids import DocumentId, Lsn, SourceName

#: What a metadata field may hold; only text, numbers and booleans can be filtered on.
Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Metadata: TypeAlias = Mapping[str, Json]


#: Made once: an encoder costs more than most metadata takes to encode.
_SORTED: Final = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":")
).encode
#: Made once: an encoder costs more than most metadata takes to encode.
_READABLE: Final = json.JSONEncoder(ensure_ascii=False).encode
_COMPACT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class FieldType(StrEnum):
    """The type of a metadata field, fixed by the first value that an index sees of it."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    #: A list, an object, or only nulls so far: stored and returned, never filtered on.
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where a document's content is kept, when the log keeps none of it."""

    source: SourceName
    #: As the source's version column said when the content had this hash; empty without one.
    version: str
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document as its owner gave it."""

    id: DocumentId
    text: str
    title: str = ""
    metadata: Metadata = field(default_factory=dict)
    #: Given to the log: keep hash and metadata, and neither title nor text. Read from the
    #: log: both are empty here, and the source has them.
    reference: Reference | None = None

    def kept_by(self, source: SourceName, *, version: str) -> Document:
        """Return the same content, to be kept by its source alone."""
        where = Reference(source=source, version=version, content_hash=self.content_hash())
        return replace(self, reference=where)

    def content_hash(self) -> str:
        """Return a digest that differs when any part of the content differs."""
        if self.reference is not None:
            return self.reference.content_hash
        title = self.title.encode("utf-8", "surrogatepass")
        text = self.text.encode("utf-8", "surrogatepass")
        # The lengths keep what stands at a border from moving across it unseen.
        digest = blake2b(b"%d %d " % (len(title), len(text)), digest_size=16)
        digest.update(title)
        digest.update(text)
        if self.metadata:
            digest.update(_SORTED(self.metadata).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """The newest state of one document in the log: its content, or its tombstone."""

    lsn: Lsn
    #: Position at which the log first heard of this document; never later than ``lsn``.
    first_lsn: Lsn
    id: DocumentId
    #: None is a tombstone.
    document: Document | None
    written_at: datetime


def encoded(metadata: Metadata) -> str:
    """Return metadata as JSON in which characters stand for themselves."""
    return _READABLE(dict(metadata))


def compact(metadata: Metadata) -> str:
    """Return metadata as JSON in which characters stand for themselves, without a space."""
    return _COMPACT(dict(metadata))


def digest_of(text: str) -> str:
    """Return the digest of a chunk's text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a prepared document: ``prepared[start:end] == text``."""

    text: str
    #: Offsets in characters into the prepared text of the document.
    start: int
    end: int
    #: Digest of what is embedded (prefix excluded: the release's fingerprint covers it).
    digest: str

    @staticmethod
    def of(text: str, *, start: int, end: int) -> Chunk:
        """Return the chunk with its digest taken from its text."""
        return Chunk(text=text, start=start, end=end, digest=digest_of(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One document's whole state for a collection, at its position in the log.

    Without chunks it is a removal. ``slots`` is how many chunk places the document must
    take up: at least ``len(chunks)``, and at least as many as any older version may have
    written, so that the surplus places are emptied at this LSN and a late writer of an
    older version cannot fill them again (INV-2, INV-6).
    """

    document: DocumentId
    lsn: Lsn
    chunks: Sequence[Chunk]
    slots: int
    metadata: Metadata = field(default_factory=dict)
    #: The document as its owner gave it, for a collection that has a place for it; None is a
    #: tombstone. Without chunks it is a document that the release cannot take.
    content: Document | None = None
