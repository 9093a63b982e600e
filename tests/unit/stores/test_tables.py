from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from repoint.stores.sql.tables import Instant

EASTERN = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 3, 1, 12, 30, 15, 123_456, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 3, 1, 12, 30, tzinfo=EASTERN),
    ],
)
def test_an_instant_keeps_its_microseconds_and_comes_back_in_utc(at: datetime) -> None:
    stored = Instant().process_bind_param(at, sqlite.dialect())
    again = Instant().process_result_value(stored, sqlite.dialect())

    assert again == at
    assert again.tzinfo is UTC


def test_no_instant_stays_none() -> None:
    assert Instant().process_bind_param(None, sqlite.dialect()) is None
    assert Instant().process_result_value(None, sqlite.dialect()) is None


def test_an_instant_has_64_bits_in_every_database() -> None:
    narrow = Instant().load_dialect_impl(sqlite.dialect())
    wide = Instant().load_dialect_impl(sa.make_url("postgresql://").get_dialect()())

    assert isinstance(narrow, sa.Integer)  # SQLite's INTEGER has 64 bits
    assert isinstance(wide, sa.BigInteger)
