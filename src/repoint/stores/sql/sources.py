"""Sources, how far each was read, and what each gave."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, cast

import sqlalchemy as sa

from repoint.domain.document import Json
from repoint.domain.errors import AlreadyExistsError, ConflictError, NotFoundError
from repoint.domain.ids import Actor, DocumentId, IndexName, SourceName
from repoint.domain.source import FileSettings, Source, SourceState, SqlSettings
from repoint.stores.sql import codec
from repoint.stores.sql.dialect import insert
from repoint.stores.sql.feeding_tables import source_documents, sources
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.older_code import shut_out_older_code
from repoint.stores.sql.tables import documents

#: Ids in one statement; SQLite takes some thousand parameters.
_BATCH: Final = 500


class SqlSources:
    """``ports.store.Sources`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, source: Source) -> None:
        """Store a source that nothing was read of yet."""
        require_index(self._connection, source.index)
        if self._row(source.index, source.name) is not None:
            raise AlreadyExistsError(what="source", name=source.name)
        if source.by_reference:
            shut_out_older_code(self._connection)
        self._connection.execute(
            sa.insert(sources).values(
                index_name=source.index,
                name=source.name,
                settings=_encoded(source.settings),
                actor=source.actor,
                at=source.at,
                revision=0,
                position=_position(SourceState()),
                outcome="",
            )
        )

    def get(self, index: IndexName, name: SourceName) -> tuple[Source, SourceState]:
        """Return one source, and how far it was read."""
        row = self._row(index, name)
        if row is None:
            require_index(self._connection, index)
            known = [source.name for source, _ in self.all(index)]
            raise NotFoundError(
                what="source",
                name=name,
                known=known,
                hint="" if known else f"there is none yet: repoint source add {index} NAME …",
            )
        return _read(row)

    def all(self, index: IndexName) -> list[tuple[Source, SourceState]]:
        """Return all sources by name."""
        require_index(self._connection, index)
        found = sa.select(sources).where(sources.c.index_name == index).order_by(sources.c.name)
        return [_read(row) for row in self._connection.execute(found)]

    def remove(self, index: IndexName, name: SourceName) -> None:
        """Forget a source and what it gave; the documents stay in the log."""
        self.get(index, name)
        for table, column in (
            (source_documents, source_documents.c.source),
            (sources, sources.c.name),
        ):
            self._connection.execute(
                sa.delete(table).where(table.c.index_name == index, column == name)
            )

    def advance(self, index: IndexName, name: SourceName, state: SourceState) -> SourceState:
        """Store how far a source was read; return it with its new revision."""
        done = self._connection.execute(
            sa.update(sources)
            .where(
                sources.c.index_name == index,
                sources.c.name == name,
                sources.c.revision == state.revision,
            )
            .values(revision=state.revision + 1, position=_position(state))
        )
        if done.rowcount != 1:
            raise ConflictError(
                f"source {name!r} of index {index!r} is being read by another process",
                hint="let that one go on, or end it and ask again",
            )
        return dataclasses.replace(state, revision=state.revision + 1)

    def note(
        self, index: IndexName, name: SourceName, ids: Iterable[DocumentId], *, sweep: int
    ) -> None:
        """Record that the source has these documents, seen in this sweep."""
        for part in _parts(ids):
            rows = [
                {"index_name": index, "source": name, "id": one, "sweep": sweep} for one in part
            ]
            self._connection.execute(
                insert(self._connection, source_documents)
                .values(rows)
                .on_conflict_do_update(
                    index_elements=["index_name", "source", "id"], set_={"sweep": sweep}
                )
            )

    def unnote(self, index: IndexName, name: SourceName, ids: Sequence[DocumentId]) -> None:
        """Record that the source has these documents no longer."""
        for part in _parts(ids):
            self._connection.execute(
                sa.delete(source_documents).where(
                    *self._of(index, name), source_documents.c.id.in_(part)
                )
            )

    def given(
        self, index: IndexName, name: SourceName, ids: Sequence[DocumentId]
    ) -> set[DocumentId]:
        """Return those of these documents that the source gave."""
        found: set[DocumentId] = set()
        for part in _parts(ids):
            known = sa.select(source_documents.c.id).where(
                *self._of(index, name), source_documents.c.id.in_(part)
            )
            found.update(DocumentId(one) for one in self._connection.scalars(known))
        return found

    def unseen(
        self, index: IndexName, name: SourceName, *, sweep: int, limit: int
    ) -> list[DocumentId]:
        """Return documents that the source gave and that no sweep since has seen."""
        found = (
            sa.select(source_documents.c.id)
            .where(*self._of(index, name), source_documents.c.sweep < sweep)
            .order_by(source_documents.c.id)
            .limit(limit)
        )
        return [DocumentId(one) for one in self._connection.scalars(found)]

    def count(self, index: IndexName, name: SourceName, *, unseen_in: int | None = None) -> int:
        """Return how many documents the source gave, or how many a sweep has not seen."""
        counted = (
            sa.select(sa.func.count())
            .select_from(source_documents)
            .where(*self._of(index, name))
        )
        if unseen_in is not None:
            counted = counted.where(source_documents.c.sweep < unseen_in)
        return self._connection.scalar(counted) or 0

    def kept(self, index: IndexName, name: SourceName) -> int:
        """Return how many documents of the log have their content in this source alone."""
        counted = (
            sa.select(sa.func.count())
            .select_from(source_documents)
            .join(
                documents,
                sa.and_(
                    documents.c.index_name == source_documents.c.index_name,
                    documents.c.id == source_documents.c.id,
                ),
            )
            .where(*self._of(index, name), documents.c.source == name)
        )
        return self._connection.scalar(counted) or 0

    def polled(self, index: IndexName, name: SourceName, *, at: datetime, outcome: str) -> None:
        """Record how the newest poll ended; its position stays."""
        self._connection.execute(
            sa.update(sources)
            .where(sources.c.index_name == index, sources.c.name == name)
            .values(polled_at=at, outcome=outcome)
        )

    def _of(self, index: str, name: str) -> tuple[sa.ColumnElement[bool], ...]:
        return source_documents.c.index_name == index, source_documents.c.source == name

    def _row(self, index: str, name: str) -> sa.Row[tuple[object, ...]] | None:
        one = sa.select(sources).where(sources.c.index_name == index, sources.c.name == name)
        return cast("sa.Row[tuple[object, ...]] | None", self._connection.execute(one).first())


def _parts(ids: Iterable[DocumentId]) -> Iterable[list[DocumentId]]:
    # Once each: a statement may not touch a row twice.
    stream = iter(dict.fromkeys(ids))
    while part := list(islice(stream, _BATCH)):
        yield part


def _encoded(settings: SqlSettings | FileSettings) -> str:
    kind = "sql" if isinstance(settings, SqlSettings) else "files"
    tree = {"kind": kind, **dataclasses.asdict(settings)}
    if tree.get("by_reference") is False:
        del tree["by_reference"]  # older code on a shared store reads the others
    return codec.encode(tree)


def _position(state: SourceState) -> str:
    return json.dumps(
        {
            "position": dict(state.position),
            "sweep": state.sweep,
            "sweep_position": None
            if state.sweep_position is None
            else dict(state.sweep_position),
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _read(row: sa.Row[tuple[object, ...]]) -> tuple[Source, SourceState]:
    fields = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    tree = codec.decode(str(fields["settings"]))
    kind = tree.pop("kind")
    lists = {name: tuple(value) for name, value in tree.items() if isinstance(value, list)}
    given = {**tree, **lists}
    settings: SqlSettings | FileSettings = (
        SqlSettings(**given) if kind == "sql" else FileSettings(**given)  # type: ignore[arg-type]  # as it was stored
    )
    where = codec.decode(str(fields["position"]))
    return (
        Source(
            index=IndexName(str(fields["index_name"])),
            name=SourceName(str(fields["name"])),
            settings=settings,
            actor=Actor(str(fields["actor"])),
            at=cast("datetime", fields["at"]),
        ),
        SourceState(
            revision=cast("int", fields["revision"]),
            position=cast("dict[str, Json]", where["position"]),
            sweep=cast("int", where["sweep"]),
            sweep_position=cast("dict[str, Json] | None", where["sweep_position"]),
            polled_at=cast("datetime | None", fields["polled_at"]),
            outcome=str(fields["outcome"]),
        ),
    )
