"""Versions and ids of rows: kept as JSON, moved back for rows that were committed late."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeAlias
from uuid import UUID

from repoint.domain.document import Json
from repoint.domain.errors import BadInputError

#: What a database gives for a version or an id.
Value: TypeAlias = "int | float | Decimal | str | bytes | datetime | date | UUID"

#: How far back a poll begins where the source does not say: transactions rarely last longer.
SECONDS: Final = 300.0
#: The same for versions that are numbers.
NUMBERS: Final = 1000.0

_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)([ T])(\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:?\d\d)?"
)


def encode(value: Value) -> Json:
    """Return a value as JSON that tells its kind.

    Raises:
        BadInputError: no order can be trusted for values of its kind.
    """
    if isinstance(value, bool):
        raise BadInputError("a version or id is true or false", hint="name another column")
    if isinstance(value, int | float | str):
        return value
    if isinstance(value, Decimal | UUID):
        return {type(value).__name__: str(value)}
    if isinstance(value, bytes | memoryview):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    raise BadInputError(
        f"a version or id is of the type {type(value).__name__}", hint="name another column"
    )


def decode(tree: Json) -> Value:
    """Return the value that ``encode`` was given."""
    if not isinstance(tree, dict):
        assert isinstance(tree, int | float | str)  # noqa: S101 - as it was stored
        return tree
    ((kind, text),) = tree.items()
    said = str(text)
    if kind == "Decimal":
        return Decimal(said)
    if kind == "UUID":
        return UUID(said)
    if kind == "bytes":
        return bytes.fromhex(said)
    return datetime.fromisoformat(said) if kind == "datetime" else date.fromisoformat(said)


def before(value: Value, overlap: float | None) -> Value:
    """Return the version at which a poll begins, given the newest one that was read.

    Text that is no moment, and bytes, have no distance: a poll begins at the newest.
    """
    if isinstance(value, datetime):
        return value - timedelta(seconds=SECONDS if overlap is None else overlap)
    if isinstance(value, date):
        days = timedelta(days=1) if overlap is None else timedelta(seconds=overlap)
        return value - max(days, timedelta(days=1))
    if isinstance(value, int | float | Decimal):
        distance = NUMBERS if overlap is None else overlap
        return value - Decimal(distance) if isinstance(value, Decimal) else value - distance
    if isinstance(value, str):
        return _text_before(value, SECONDS if overlap is None else overlap)
    return value


def not_later(value: Value, now: datetime) -> Value:
    """Return the version, or this moment where it lies in the future.

    A row from a clock that is ahead must not hide all that comes until then. A moment
    without a zone is taken as UTC.
    """
    if isinstance(value, datetime):
        limit = now if value.tzinfo else now.replace(tzinfo=None)
        return min(value, limit)
    if isinstance(value, date):
        return min(value, now.date())
    parts = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        return value
    moment = _moment(parts[0])
    limit = now.astimezone(moment.tzinfo) if moment.tzinfo else now.replace(tzinfo=None)
    return _like(limit, parts) if moment > limit else value


def _text_before(text: str, seconds: float) -> str:
    parts = _MOMENT.fullmatch(text)
    if parts is None:
        return text
    return _like(_moment(text) - timedelta(seconds=seconds), parts)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _like(moment: datetime, parts: re.Match[str]) -> str:
    """Return a moment written as the text was, so that the database compares like with like."""
    digits = len(parts[4] or "")
    fraction = f".{moment.microsecond:06d}"[: digits + 1] if digits else ""
    return f"{moment:%Y-%m-%d}{parts[2]}{moment:%H:%M:%S}{fraction}{parts[5] or ''}"


def native(text: str, *, like: Value | None) -> Value | None:
    """Return the value that a database writes so, of the kind of another one of its values.

    None where no such value is written exactly so.
    """
    try:
        made = text if isinstance(like, str) else _READ[type(like)](text)
    except (KeyError, ValueError, ArithmeticError):
        return None
    return made if str(made) == text else None


def _whole(text: str) -> int:
    found = int(text)
    if abs(found) >= _TOO_LARGE:
        raise ValueError(text)
    return found


#: No database has whole numbers as large as a column's own kind.
_TOO_LARGE: Final = 1 << 63
_READ: Final[Mapping[type, Callable[[str], Value]]] = {
    int: _whole,
    Decimal: Decimal,
    UUID: UUID,
}
