"""Rows of a table or a query as documents, in the order of their versions.

A poll begins a stretch before the newest version that was read: a transaction that took its
version early and committed late is read then. What is read twice is the same, and the log
knows it. Pages are cut by version and id, so no row is passed over where many have one version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, cast
from uuid import UUID

import sqlalchemy as sa

from repoint.domain.document import Json
from repoint.domain.errors import BadInputError, BadLineError
from repoint.domain.ids import DocumentId
from repoint.domain.source import Batch, Record, SqlSettings
from repoint.ports.clock import Clock
from repoint.ports.source import Keys
from repoint.sources.deleted import is_deleted
from repoint.sources.files.record import document_of
from repoint.sources.sql import versions
from repoint.sources.sql.engine import SourceDatabase
from repoint.sources.sql.versions import Value

_PAGE: Final = 500


class SqlReader:
    """Reads one source of a SQL database; see ``ports.source.SourceReader``."""

    def __init__(self, settings: SqlSettings, *, clock: Clock) -> None:
        """Connect to nothing yet; raises as ``SourceDatabase``."""
        if bool(settings.table) == bool(settings.query):
            raise BadInputError("a source is a table or a query", hint="give one of the two")
        self._settings = settings
        self._clock = clock
        self._database = SourceDatabase(settings.url)
        self._id: sa.ColumnClause[object] = sa.column(settings.id)
        self._version: sa.ColumnClause[object] | None = (
            sa.column(settings.version) if settings.version else None
        )
        self._deleted: sa.ColumnClause[object] | None = (
            sa.column(settings.deleted) if settings.deleted else None
        )
        self._from = _relation(settings)
        self._example: tuple[Value | None] | None = None

    def changes(self, position: Mapping[str, Json]) -> Iterator[Batch]:
        """Yield rows by version and id; without a version column all of them, by id."""
        cursor = position.get("cursor")
        newest = position.get("newest")
        after = _pair(cursor)
        if after is None and newest is not None:
            after = versions.before(versions.decode(newest), self._settings.overlap), None
        top = None if newest is None else versions.decode(newest)
        while True:
            rows = self._page(after)
            if rows:
                after = self._place(rows[-1])
                top = after[0]
            full = len(rows) == _PAGE
            yield Batch(
                records=tuple(self._record(row) for row in rows),
                position=self._position(after if full else None, top),
            )
            if not full:
                return

    def keys(self, position: Mapping[str, Json]) -> Iterator[Keys]:
        """Yield the ids of rows that are not deleted, in order."""
        after = None if "after" not in position else versions.decode(position["after"])
        columns = [self._id] if self._deleted is None else [self._id, self._deleted]
        while True:
            page = sa.select(*columns).select_from(self._from).order_by(self._id).limit(_PAGE)
            if after is not None:
                page = page.where(self._id > after)
            rows = self._rows(page)
            if not rows:
                return
            after = cast("Value", rows[-1][0])
            yield self._alive(rows), {"after": versions.encode(after)}

    def present(self, ids: Sequence[DocumentId]) -> set[DocumentId]:
        """Return those that have a row which is not deleted."""
        columns = [self._id] if self._deleted is None else [self._id, self._deleted]
        found: set[DocumentId] = set()
        for start in range(0, len(ids), _PAGE):
            # As text, since that is what an id is here, whatever it is there.
            part = sa.cast(self._id, sa.String).in_(ids[start : start + _PAGE])
            rows = self._rows(sa.select(*columns).select_from(self._from).where(part))
            found.update(self._alive(rows))
        return found

    def fetch(self, ids: Sequence[DocumentId]) -> dict[DocumentId, Record]:
        """Return what the rows of these ids say now."""
        found: dict[DocumentId, Record] = {}
        names = self._columns()
        for start in range(0, len(ids), _PAGE):
            part = ids[start : start + _PAGE]
            rows = self._rows(
                sa.select(*(sa.column(name) for name in names))
                .select_from(self._from)
                .where(self._among(part))
            )
            for row in rows:
                record = self._record(dict(zip(names, row, strict=True)))
                found[record.id] = record
        return found

    def warnings(self) -> Sequence[str]:
        """Say whether rows lack a version: no poll reads those."""
        if self._version is None:
            return []
        page = sa.select(self._id).select_from(self._from).where(self._version.is_(None))
        rows = self._rows(page.limit(1))
        if not rows:
            return []
        column = self._settings.version
        return [
            f"the row {_id(rows[0][0])!r}, and perhaps others, has no {column}: it is not read"
        ]

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _page(
        self, after: tuple[Value | None, Value | None] | None
    ) -> Sequence[Mapping[str, object]]:
        names = self._columns()
        order, conditions = [self._id], list[sa.ColumnElement[bool]]()
        if self._version is not None:
            order.insert(0, self._version)
            conditions.append(self._version.is_not(None))
        if after is not None:
            conditions.append(self._beyond(*after))
        rows = self._rows(
            sa.select(*(sa.column(name) for name in names))
            .select_from(self._from)
            .where(*conditions)
            .order_by(*order)
            .limit(_PAGE)
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _columns(self) -> dict[str, None]:
        settings = self._settings
        wanted = (settings.id, settings.version, settings.deleted, settings.title)
        every = (*wanted, *settings.text, *settings.metadata)
        return dict.fromkeys(name for name in every if name)

    def _among(self, ids: Sequence[DocumentId]) -> sa.ColumnElement[bool]:
        """Return the condition that a row is of one of these documents.

        Compared as what the column holds, so that its index is used; as text where an id is
        not written as the database itself would write it.
        """
        native, rest = list[Value](), list[DocumentId]()
        for one in ids:
            value = versions.native(one, like=self._sample())
            if value is None:
                rest.append(one)
            else:
                native.append(value)
        conditions = [self._id.in_(native)] if native else []
        if rest or not conditions:
            conditions.append(sa.cast(self._id, sa.String).in_(rest))
        return sa.or_(*conditions)

    def _sample(self) -> Value | None:
        """Return the id of some row, to learn what ids are here; None in an empty table."""
        if self._example is None:
            rows = self._rows(sa.select(self._id).select_from(self._from).limit(1))
            self._example = (cast("Value", rows[0][0]) if rows else None,)
        return self._example[0]

    def _beyond(self, version: Value | None, id_: Value | None) -> sa.ColumnElement[bool]:
        if self._version is None or version is None:
            return self._id > id_
        if id_ is None:
            return self._version >= version
        return sa.and_(
            self._version >= version, sa.or_(self._version > version, self._id > id_)
        )

    def _place(self, row: Mapping[str, object]) -> tuple[Value | None, Value]:
        version = row[self._settings.version] if self._settings.version else None
        return cast("Value | None", version), cast("Value", row[self._settings.id])

    def _position(
        self, after: tuple[Value | None, Value | None] | None, top: Value | None
    ) -> dict[str, Json]:
        if after is not None and top is not None:
            # The newest stays what it was until the pass is through: it may be interrupted.
            cursor: Json = [versions.encode(one) if one is not None else None for one in after]
            return {"cursor": cursor, "newest": versions.encode(top)}
        if after is not None:
            return {"cursor": [None, versions.encode(cast("Value", after[1]))]}
        if top is None:
            return {}
        return {"newest": versions.encode(versions.not_later(top, self._clock.now()))}

    def _rows(self, page: sa.Executable) -> list[tuple[object, ...]]:
        with self._database.reading() as connection:
            return [tuple(row) for row in connection.execute(page)]

    def _alive(self, rows: Sequence[tuple[object, ...]]) -> list[DocumentId]:
        if self._deleted is None:
            return [_id(row[0]) for row in rows]
        return [_id(row[0]) for row in rows if not is_deleted(row[1])]

    def _record(self, row: Mapping[str, object]) -> Record:
        settings = self._settings
        name = _id(row[settings.id])
        version = self._version_of(row)
        if settings.deleted and is_deleted(row[settings.deleted]):
            return Record(id=name, version=version)
        try:
            texts = [_text(row[column], column) for column in settings.text]
            title = _text(row[settings.title], settings.title) if settings.title else ""
            body = "\n\n".join(text for text in texts if text.strip())
            if not body and not title.strip():
                return Record(id=name, version=version)
            tree = {
                "id": name,
                "text": body,
                "title": title,
                "metadata": {one: plain(row[one], one) for one in settings.metadata},
            }
            made = document_of(tree, source=str(name), line=1)
            return Record(id=name, document=made, version=version)
        except BadLineError as error:
            return Record(id=name, problem=error.why)
        except _UnfitError as error:
            return Record(id=name, problem=str(error))

    def _version_of(self, row: Mapping[str, object]) -> str:
        value = row[self._settings.version] if self._settings.version else None
        return "" if value is None else json.dumps(versions.encode(cast("Value", value)))


class _UnfitError(Exception):
    """Why a row is no document."""


def plain(value: object, column: str) -> Json:  # noqa: PLR0911 - one line a kind
    """Return a column's value as metadata: moments as ISO 8601, exact numbers as numbers."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, list | tuple):
        return [plain(item, column) for item in value]
    if isinstance(value, dict):
        return {str(name): plain(item, column) for name, item in value.items()}
    raise _UnfitError(f"column {column!r} is of the type {type(value).__name__}")


def _text(value: object, column: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _UnfitError(f"column {column!r} holds no text but {type(value).__name__}")
    return value


def _id(value: object) -> DocumentId:
    return DocumentId("" if value is None else str(value))


def _pair(cursor: Json) -> tuple[Value | None, Value | None] | None:
    if not isinstance(cursor, list):
        return None
    version, id_ = (None if one is None else versions.decode(one) for one in cursor)
    return version, id_


def _relation(  # type: ignore[explicit-any]  # the type of a query's columns
    settings: SqlSettings,
) -> sa.FromClause:
    if settings.table:
        schema, _, name = settings.table.rpartition(".")
        return sa.table(name, schema=schema or None)
    # A colon of the query is its own, and begins no parameter.
    text = re.sub(":", r"\\:", settings.query.strip().rstrip(";"))
    used = (settings.id, settings.version, settings.deleted, settings.title)
    names = dict.fromkeys(one for one in (*used, *settings.text, *settings.metadata) if one)
    return sa.text(text).columns(*(sa.column(name) for name in names)).subquery("source")
