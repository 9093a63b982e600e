"""Versions come back as they were, go back for late commits, and never lie in the future."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from repoint.domain.errors import BadInputError
from repoint.sources.sql.versions import Value, before, decode, encode, not_later

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
EAST = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    "value",
    [
        7,
        2.5,
        Decimal("12.30"),
        "2030-01-01 10:00:00",
        b"\x00\xff",
        datetime(2030, 1, 1, 10, 0, 0, 123456, tzinfo=EAST),
        datetime(2030, 1, 1, 10),  # noqa: DTZ001 - as a column without a zone gives it
        date(2030, 1, 1),
        UUID(int=7),
    ],
)
def test_a_value_comes_back_as_it_was(value: Value) -> None:
    assert decode(encode(value)) == value
    assert type(decode(encode(value))) is type(value)


@pytest.mark.parametrize("value", [True, None, [1]])
def test_what_has_no_order_is_refused(value: object) -> None:
    with pytest.raises(BadInputError):
        encode(value)  # type: ignore[arg-type]  # what a database may give


@pytest.mark.parametrize(
    ("value", "overlap", "expected"),
    [
        (datetime(2030, 1, 1, 10, tzinfo=UTC), 60, datetime(2030, 1, 1, 9, 59, tzinfo=UTC)),
        (datetime(2030, 1, 1, 10, tzinfo=UTC), None, datetime(2030, 1, 1, 9, 55, tzinfo=UTC)),
        (date(2030, 1, 3), 60, date(2030, 1, 2)),
        (5000, None, 4000),
        (5000, 10, 4990),
        (Decimal("7.5"), 1, Decimal("6.5")),
        ("2030-01-01 10:00:00", 60, "2030-01-01 09:59:00"),
        ("2030-01-01T10:00:00.250Z", 1, "2030-01-01T09:59:59.250Z"),
        ("2030-01-01 00:00:10+05:30", 60, "2029-12-31 23:59:10+05:30"),
        ("v17", 60, "v17"),
        (b"\x07", 60, b"\x07"),
    ],
)
def test_a_poll_begins_before_the_newest_version(
    value: Value, overlap: float | None, expected: Value
) -> None:
    assert before(value, overlap) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NOW + timedelta(days=9), NOW),
        (NOW - timedelta(days=9), NOW - timedelta(days=9)),
        ("2030-01-09 12:00:00", "2030-01-01 12:00:00"),
        ("2030-01-09T12:00:00+05:30", "2030-01-01T17:30:00+05:30"),
        ("2029-12-01 12:00:00", "2029-12-01 12:00:00"),
        (date(2030, 2, 1), date(2030, 1, 1)),
        (10**9, 10**9),
        ("zzz", "zzz"),
    ],
)
def test_a_row_from_a_clock_that_is_ahead_hides_nothing(value: Value, expected: Value) -> None:
    assert not_later(value, NOW) == expected
