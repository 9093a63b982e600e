"""What counts as a difference between a collection and the log."""

import math

import pytest

from repoint.domain.comparison import (
    Difference,
    Kind,
    LogState,
    StoredChunk,
    judge,
    vector_fault,
)
from repoint.domain.ids import DocumentId, Lsn

D = DocumentId("d")


def log(*digests: str, lsn: int = 5, deleted: bool = False, refused: bool = False) -> LogState:
    return LogState(lsn=Lsn(lsn), deleted=deleted, digests=digests, dead_lettered=refused)


def chunk(slot: int, digest: str, lsn: int = 5, fault: str = "") -> StoredChunk:
    return StoredChunk(slot=slot, lsn=Lsn(lsn), digest=digest, fault=fault)


REJECTED = LogState(lsn=Lsn(5), deleted=False, digests=None)

AGREE: list[tuple[LogState | None, list[StoredChunk]]] = [
    (None, []),
    (log(deleted=True), []),
    (log(), []),
    (log("a"), [chunk(0, "a")]),
    (log("a", "b"), [chunk(1, "b"), chunk(0, "a")]),
]

DIFFER: list[tuple[LogState | None, list[StoredChunk], Kind, str]] = [
    (log("a"), [], Kind.MISSING, "version 5 is in the log"),
    (REJECTED, [], Kind.MISSING, "nothing is stored"),
    (log("a", refused=True), [], Kind.DEAD_LETTERED, "dead letter"),
    (None, [chunk(0, "a")], Kind.EXTRA, "does not know"),
    (log(deleted=True), [chunk(0, "a")], Kind.EXTRA, "deleted at 5"),
    (log(), [chunk(0, "a")], Kind.EXTRA, "the text has 0"),
    (log("a"), [chunk(0, "a"), chunk(1, "b")], Kind.EXTRA, "the text has 1"),
    (REJECTED, [chunk(0, "a")], Kind.EXTRA, "rejects"),
    (log("a"), [chunk(0, "a", lsn=4)], Kind.STALE, "version 4"),
    (log("a", refused=True), [chunk(0, "a", lsn=4)], Kind.STALE, "version 4"),
    (log("a", "b"), [chunk(0, "a"), chunk(1, "b", lsn=4)], Kind.STALE, "version 4"),
    (log("a"), [chunk(0, "a", lsn=6)], Kind.AHEAD, "version 6"),
    (log("a"), [chunk(0, "a"), chunk(0, "a")], Kind.DOUBLED, "2 times"),
    (log("a", "b", "c"), [chunk(0, "a"), chunk(2, "c")], Kind.PARTIAL, "2 of 3"),
    (log("a"), [chunk(0, "x")], Kind.WRONG_TEXT, "chunk 0"),
    (log("a"), [chunk(0, "a", fault="zero")], Kind.WRONG_VECTOR, "zero"),
]


@pytest.mark.parametrize(("state", "stored"), AGREE)
def test_what_the_log_says_and_what_is_stored_agree(
    state: LogState | None, stored: list[StoredChunk]
) -> None:
    assert judge(D, state, stored) is None


@pytest.mark.parametrize(("state", "stored", "kind", "why"), DIFFER)
def test_a_difference_has_one_name_and_says_why(
    state: LogState | None, stored: list[StoredChunk], kind: Kind, why: str
) -> None:
    found = judge(D, state, stored)
    assert found == Difference(document=D, kind=kind, why=found.why if found else "")
    assert found is not None
    assert why in found.why


def test_every_kind_of_difference_has_a_case() -> None:
    assert {kind for _, _, kind, _ in DIFFER} == set(Kind)


@pytest.mark.parametrize(
    ("norm", "found", "normalised", "fault"),
    [
        (1.0, 4, True, ""),
        (1.004, 4, True, ""),
        (3.0, 4, False, ""),
        (3.0, 4, True, "norm 3"),
        (0.0, 4, False, "zero"),
        (math.nan, 4, False, "not finite"),
        (math.inf, 4, True, "not finite"),
        (1.0, 3, True, "3 dimensions, not 4"),
    ],
)
def test_a_vector_is_finite_not_zero_and_as_long_as_its_space_says(
    norm: float, found: int, *, normalised: bool, fault: str
) -> None:
    said = vector_fault(norm=norm, found=found, dimensions=4, normalised=normalised)
    assert (fault in said) if fault else said == ""
