"""The audit chain: records that each carry the hash of the one before (INV-7)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from repoint.domain.document import Json
from repoint.domain.errors import BrokenAuditError
from repoint.domain.ids import Actor

#: What the first record carries as its predecessor's hash.
GENESIS: Final = "0" * 64


class Outcome(StrEnum):
    """How an attempted action ended."""

    DONE = "done"
    DENIED = "denied"
    REFUSED = "refused"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One attempted action: who, what, on what, why, how it ended."""

    sequence: int
    at: datetime
    actor: Actor
    action: str
    #: The index's name, empty for the whole workspace.
    index: str
    outcome: Outcome
    reason: str
    details: Mapping[str, Json]
    previous: str
    digest: str


def chained(  # noqa: PLR0913 - one keyword a field of the record
    *,
    sequence: int,
    at: datetime,
    actor: Actor,
    action: str,
    index: str,
    outcome: Outcome,
    reason: str,
    details: Mapping[str, Json],
    previous: str,
) -> AuditRecord:
    """Return the record with its digest: SHA-256 over all its fields and the one before."""
    content = json.dumps(
        [
            sequence,
            at.astimezone(UTC).isoformat(),
            actor,
            action,
            index,
            outcome,
            reason,
            details,
            previous,
        ],
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    return AuditRecord(
        sequence=sequence,
        at=at,
        actor=actor,
        action=action,
        index=index,
        outcome=outcome,
        reason=reason,
        details=details,
        previous=previous,
        digest=hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest(),
    )


def verify(records: Iterable[AuditRecord]) -> int:
    """Return how many records there are, after checking each against the one before.

    Raises:
        BrokenAuditError: a record was changed, removed or put in.
    """
    previous, count = GENESIS, 0
    for record in records:
        count += 1
        if record.sequence != count:
            raise BrokenAuditError(
                sequence=count, why=f"record {record.sequence} stands in its place"
            )
        if record.previous != previous:
            raise BrokenAuditError(
                sequence=count, why="it does not follow the record before it"
            )
        again = chained(
            sequence=record.sequence,
            at=record.at,
            actor=record.actor,
            action=record.action,
            index=record.index,
            outcome=record.outcome,
            reason=record.reason,
            details=record.details,
            previous=record.previous,
        )
        if again.digest != record.digest:
            raise BrokenAuditError(sequence=count, why="its content was changed")
        previous = record.digest
    return count
