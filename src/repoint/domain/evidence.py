"""Evidence: what explains one move of the pointer, as named files of plain values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from repoint.domain.audit import AuditRecord, chained
from repoint.domain.document import Json
from repoint.domain.errors import BrokenAuditError
from repoint.domain.ids import Epoch, IndexName

#: The shape of a bundle; raised when a reader of an older one would misread it.
FORMAT: Final = "repoint-evidence/1"

#: What a URL carries before its host, and options that are named like secrets.
_USER: Final = re.compile(r"(?<=://)[^/@\s]+@")
_PASSWORD: Final = re.compile(r"://[^/?#@\s:]*:[^/?#@\s]+@")
_SECRET: Final = re.compile(r"(?:^|[_-])(?:key|token|secret|password|passwd)$", re.IGNORECASE)
_HIDDEN: Final = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibits:
    """Everything that a bundle holds, before it is written."""

    index: IndexName
    epoch: Epoch
    #: File name without ending to its content.
    files: Mapping[str, Json]
    queries_included: bool
    #: What is not there, and why.
    missing: Sequence[str]


def names_a_password(text: str) -> bool:
    """Return whether a text has a URL with a password in it."""
    return _PASSWORD.search(text) is not None


def without_secrets(value: Json) -> Json:
    """Return the value with users and passwords of URLs, and what is named a secret, hidden."""
    if isinstance(value, dict):
        return {
            name: _HIDDEN
            if isinstance(item, str) and item and _SECRET.search(name)
            else without_secrets(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return without_users(value) if isinstance(value, str) else value


def without_users(text: str) -> str:
    """Return the text with users and passwords of its URLs hidden."""
    return _USER.sub(f"{_HIDDEN}@", text)


def chain(records: Iterable[AuditRecord], *, index: IndexName) -> list[Json]:
    """Return a stretch of the audit chain; of other indexes only the links.

    A link's digest covers its content, so the chain can be followed through it without
    showing what it says.
    """
    told: list[Json] = []
    for record in records:
        link: dict[str, Json] = {
            "sequence": record.sequence,
            "previous": record.previous,
            "digest": record.digest,
        }
        if record.index == index:
            link |= {
                "at": record.at.isoformat(),
                "actor": record.actor,
                "action": record.action,
                "index": record.index,
                "outcome": record.outcome.value,
                "reason": record.reason,
                "details": dict(record.details),
            }
        told.append(link)
    return told


def follow(records: Sequence[AuditRecord | tuple[int, str, str]]) -> int:
    """Return how many records were read whole, after following the chain through all.

    A link of another index is its sequence, its predecessor's digest and its own.

    Raises:
        BrokenAuditError: a record was changed, removed or put in.
    """
    whole = 0
    last: tuple[int, str] | None = None
    for record in records:
        if isinstance(record, AuditRecord):
            sequence, previous, digest = record.sequence, record.previous, record.digest
            again = chained(
                sequence=sequence,
                at=record.at,
                actor=record.actor,
                action=record.action,
                index=record.index,
                outcome=record.outcome,
                reason=record.reason,
                details=record.details,
                previous=previous,
            )
            if again.digest != digest:
                raise BrokenAuditError(sequence=sequence, why="its content was changed")
            whole += 1
        else:
            sequence, previous, digest = record
        if last is not None and (sequence, previous) != (last[0] + 1, last[1]):
            raise BrokenAuditError(
                sequence=sequence, why="it does not follow the record before it"
            )
        last = (sequence, digest)
    return whole
