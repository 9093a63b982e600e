"""The audit chain: any change to any record is found (INV-7)."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from repoint.domain.audit import GENESIS, AuditRecord, Outcome, chained, verify
from repoint.domain.errors import BrokenAuditError
from repoint.domain.ids import Actor

START = datetime(2030, 1, 1, tzinfo=UTC)


def chain(length: int) -> list[AuditRecord]:
    records: list[AuditRecord] = []
    for number in range(1, length + 1):
        records.append(
            chained(
                sequence=number,
                at=START + timedelta(seconds=number),
                actor=Actor("ana"),
                action="promote",
                index="docs",
                outcome=Outcome.DONE,
                reason=f"reason {number}",
                details={"epoch": number},
                previous=records[-1].digest if records else GENESIS,
            )
        )
    return records


def test_an_untouched_chain_verifies() -> None:
    assert verify(chain(5)) == 5
    assert verify([]) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "another"},
        {"actor": Actor("bob")},
        {"details": {"epoch": 99}},
        {"outcome": Outcome.DENIED},
        {"at": START},
        {"action": "rollback"},
        {"index": "other"},
    ],
)
def test_a_changed_field_breaks_the_chain(change: dict[str, object]) -> None:
    records = chain(5)
    records[2] = dataclasses.replace(records[2], **change)  # type: ignore[arg-type] # any field
    with pytest.raises(BrokenAuditError, match="3"):
        verify(records)


def test_a_removed_record_breaks_the_chain() -> None:
    records = chain(5)
    del records[2]
    with pytest.raises(BrokenAuditError):
        verify(records)


def test_a_rewritten_record_breaks_the_one_after_it() -> None:
    records = chain(5)
    forged = chained(
        sequence=3,
        at=records[2].at,
        actor=Actor("mallory"),
        action="promote",
        index="docs",
        outcome=Outcome.DONE,
        reason="forged",
        details={"epoch": 3},
        previous=records[1].digest,
    )
    records[2] = forged
    with pytest.raises(BrokenAuditError, match="4"):
        verify(records)
