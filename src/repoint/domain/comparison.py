"""What it means that a collection agrees with the log: the rules of ``repoint diff``.

One document at a time: what the log says of it against what is stored of it. How both are
read for a whole corpus is ``operations.diff``'s work.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from repoint.domain.ids import DocumentId, Lsn

#: How far the length of a normalised vector may lie from 1: room for databases that store
#: half precision.
NORM_TOLERANCE: Final = 0.01


class Kind(StrEnum):
    """How a document in a collection differs from the log."""

    #: In the log, and nothing of it is stored.
    MISSING = "missing"
    #: Some of its chunks are not stored.
    PARTIAL = "partial"
    #: Stored, and unknown to the log, deleted there, or more chunks than it has.
    EXTRA = "extra"
    #: An older version is stored.
    STALE = "stale"
    #: Stored at a position that the log never gave it; sync could not replace it.
    AHEAD = "ahead"
    #: One chunk stands there twice.
    DOUBLED = "doubled"
    #: The right version, made from another text.
    WRONG_TEXT = "wrong-text"
    #: A vector that is zero, not finite, or of another length or norm than its space has.
    WRONG_VECTOR = "wrong-vector"
    #: The release could not take it, and its dead letter says why; no fault of the collection.
    DEAD_LETTERED = "dead-lettered"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogState:
    """What the log says of one document."""

    lsn: Lsn
    deleted: bool
    #: Digests of the chunks that the release makes of it, in order; None if it makes none
    #: because it rejects the text.
    digests: Sequence[str] | None
    #: Whether the release has a dead letter for this version.
    dead_lettered: bool = False
    #: Whether the digests are known: a source that moved on has this version's text no more.
    readable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChunk:
    """One chunk as it stands in a collection."""

    slot: int
    lsn: Lsn
    digest: str
    #: What is wrong with its vector, see ``vector_fault``; empty when nothing is.
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One document that differs, and how."""

    document: DocumentId
    kind: Kind
    why: str


def vector_fault(*, norm: float, found: int, dimensions: int, normalised: bool) -> str:
    """Return what is wrong with a vector of this norm and length; empty when nothing is.

    The norm of a vector with a value that is not finite is not finite either.
    """
    if found != dimensions:
        return f"{found} dimensions, not {dimensions}"
    if not math.isfinite(norm):
        return "not finite"
    if norm == 0:
        return "zero"
    if normalised and abs(norm - 1) > NORM_TOLERANCE:
        return f"norm {norm:.3g}, not 1"
    return ""


def judge(
    document: DocumentId, log: LogState | None, stored: Sequence[StoredChunk]
) -> Difference | None:
    """Return how the document differs, None when it agrees.

    ``log`` is None for a document that the log does not know. A document that differs in
    several ways is named by the one that explains most.
    """
    verdict = _of_stored(log, stored) if stored else _of_absent(log)
    if verdict is None:
        return None
    kind, why = verdict
    return Difference(document=document, kind=kind, why=why)


def _of_absent(log: LogState | None) -> tuple[Kind, str] | None:
    if log is None or log.deleted or (log.digests is not None and not log.digests):
        return None
    if log.dead_lettered:
        return Kind.DEAD_LETTERED, f"version {log.lsn} was refused; see its dead letter"
    return Kind.MISSING, f"version {log.lsn} is in the log, nothing is stored"


def _of_stored(log: LogState | None, stored: Sequence[StoredChunk]) -> tuple[Kind, str] | None:
    if log is None:
        return Kind.EXTRA, "the log does not know it"
    if log.deleted:
        return Kind.EXTRA, f"deleted at {log.lsn}, {len(stored)} chunks still stored"
    return _of_versions(log, stored) or _of_content(log, stored)


def _of_versions(log: LogState, stored: Sequence[StoredChunk]) -> tuple[Kind, str] | None:
    oldest, newest = min(c.lsn for c in stored), max(c.lsn for c in stored)
    if newest > log.lsn:
        return Kind.AHEAD, f"version {newest} is stored, the log has {log.lsn}"
    if oldest < log.lsn:
        return Kind.STALE, f"version {oldest} is stored, the log has {log.lsn}"
    slot, times = Counter(chunk.slot for chunk in stored).most_common(1)[0]
    if times > 1:
        return Kind.DOUBLED, f"chunk {slot} is stored {times} times"
    return None


def _of_content(log: LogState, stored: Sequence[StoredChunk]) -> tuple[Kind, str] | None:
    if not log.readable:
        return _of_vectors(stored)
    if log.digests is None:
        return Kind.EXTRA, "the release rejects its text, and yet it is stored"
    wanted = len(log.digests)
    if any(chunk.slot >= wanted for chunk in stored):
        return Kind.EXTRA, f"{len(stored)} chunks are stored, the text has {wanted}"
    if len(stored) < wanted:
        return Kind.PARTIAL, f"{len(stored)} of {wanted} chunks are stored"
    for chunk in stored:
        if chunk.digest != log.digests[chunk.slot]:
            return Kind.WRONG_TEXT, f"chunk {chunk.slot} was made from another text"
    return _of_vectors(stored)


def _of_vectors(stored: Sequence[StoredChunk]) -> tuple[Kind, str] | None:
    for chunk in stored:
        if chunk.fault:
            return Kind.WRONG_VECTOR, f"the vector of chunk {chunk.slot} is {chunk.fault}"
    return None
