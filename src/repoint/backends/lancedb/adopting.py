"""Taking over a team's own table (``ports.adoption.Adopter``)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from lancedb import AsyncConnection, AsyncTable

from repoint.backends.lancedb.adopted import AdoptedLanceCollection
from repoint.backends.lancedb.describing import (
    columns_of,
    dimensions_of,
    document_of,
    layout_of,
    left_out,
    made_of,
    state_of,
)
from repoint.backends.lancedb.engine import run
from repoint.backends.lancedb.failures import exists, translated
from repoint.backends.lancedb.filters import text_literal
from repoint.backends.lancedb.noting import BESIDE, NOTES, TEAM, added_fields, matrix_of
from repoint.backends.lancedb.schema import SPEC, spec_of, tree_of
from repoint.domain.adoption import Bypass, BypassKind, FieldKind, Layout
from repoint.domain.errors import (
    AlreadyExistsError,
    CollectionMissingError,
    FingerprintMismatchError,
    NotFoundError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, DocumentId
from repoint.ports.adoption import Foreign, ForeignPage, ForeignRow, Note, Wish
from repoint.ports.backend import CollectionSpec

BATCH: Final = 1024


class LanceAdopter:
    """Takes over tables of one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        connection: Callable[[], AsyncConnection],
        collections: Callable[[], Sequence[CollectionName]],
    ) -> None:
        self._folder = folder
        self._connection = connection
        self._collections = collections
        #: The keys of the table that is being read, in order; empty before.
        self._order: tuple[str, list[str]] = ("", [])

    def look(self, wish: Wish, *, alias: str) -> Foreign:
        """Return what stands there; tables have no second names, so any alias is free."""
        del alias
        table = self._table(wish.collection)
        schema = run(table.schema())
        layout = layout_of(_own(schema), wish)
        with translated(self._at(wish.collection)):
            rows = run(table.count_rows())
        keys = self._keys(layout)
        if len(set(keys)) != len(keys):
            raise UnsupportedError(
                driver="lancedb",
                what=f"ids in {layout.id.name!r} that occur more than once",
                hint="each row is one document: name a column with an id of the row's own",
            )
        return Foreign(
            layout=layout,
            rows=rows,
            dimensions=dimensions_of(schema, layout),
            left_out=left_out(_own(schema), layout),
        )

    def sample(self, layout: Layout, *, count: int, seed: int) -> ForeignPage:
        """Return rows with a vector, drawn by a hash of their ids."""
        keys = sorted(
            self._keys(layout, f"{layout.vector} IS NOT NULL"),
            key=lambda key: blake2b(f"{seed} {key}".encode(), digest_size=8).digest(),
        )
        return self._page(layout, keys[:count], with_vectors=True)

    def read(self, layout: Layout, *, after: str, limit: int) -> ForeignPage:
        """Return the rows that follow in the order of their ids."""
        if not after or self._order[0] != layout.collection:
            self._order = (layout.collection, sorted(self._keys(layout)))
        keys = self._order[1]
        began = (
            int(np.searchsorted(np.array(keys, dtype=object), after, side="right"))
            if after
            else 0
        )
        wanted = keys[began : began + limit]
        more = began + limit < len(keys)
        return self._page(layout, wanted, cursor=wanted[-1] if more else None)

    def begin(self, spec: CollectionSpec) -> None:
        """Make the table beside the team's, then add what is noted to the team's columns."""
        layout = spec.adopted
        if layout is None or spec.lexical:
            raise UnsupportedError(
                driver="lancedb",
                what="hybrid search in an adopted table",
                hint="leave the hybrid section out; a later release may have one",
            )
        table = self._table(layout.collection)
        at = self._at(spec.name)
        with translated(at, making=True):
            if not exists(at):
                self._require_free(layout)
                metadata = {
                    SPEC: json.dumps(tree_of(spec), sort_keys=True).encode(),
                    TEAM: json.dumps(_own(run(table.schema())).names).encode(),
                }
                schema = BESIDE.with_metadata(metadata)
                run(self._connection().create_table(spec.name, schema=schema))
            found = spec_of(
                run(run(self._connection().open_table(spec.name)).schema()), spec.name
            )
        if found is None or found.fingerprint != spec.fingerprint:
            raise FingerprintMismatchError(
                collection=spec.name,
                expected=spec.fingerprint,
                found=found.fingerprint if found else None,
            )
        with translated(self._at(layout.collection)):
            missing = [one for one in NOTES if one.name not in run(table.schema()).names]
            if missing:
                run(table.add_columns(missing))

    def note(self, name: CollectionName, notes: Sequence[Note]) -> None:
        """Note rows in one commit."""
        if notes:
            self.opened(name).note(notes)

    def bypassed(self, name: CollectionName) -> Iterator[Bypass]:
        """Yield what is not as it was noted: rows as they stand, then those that are gone."""
        collection = self.opened(name)
        layout = collection.spec.adopted
        if layout is None:
            return
        positions = collection.positions()
        seen: set[DocumentId] = set()
        for row in self._rows(layout):
            document = document_of(layout, row)
            seen.add(document.id)
            if row.get("repoint_state") == state_of(layout, row):
                continue
            if row.get("repoint_digest") is None and not document.text.strip():
                continue
            lsn, emptied = positions.get(document.id, (None, False))
            yield Bypass.of(document, noted=lsn, emptied=emptied)
        for gone, (noted, deleted) in positions.items():
            if not deleted and gone not in seen:
                yield Bypass(document=gone, kind=BypassKind.DELETED, noted=noted, content=None)

    def destroy(self, name: CollectionName) -> None:
        """Delete the team's table, then what stands beside it."""
        at = self._at(name)
        if not exists(at):
            return
        spec = self._spec(name)
        with translated(at, making=True):
            if spec.adopted is not None and exists(self._at(spec.adopted.collection)):
                run(self._connection().drop_table(spec.adopted.collection))
            run(self._connection().drop_table(name))

    def let_go(self, spec: CollectionSpec) -> None:
        """Take the columns that were added away again; the team's own stay."""
        layout = spec.adopted
        if layout is None or not exists(self._at(layout.collection)):
            return
        table = self._table(layout.collection)
        schema = run(table.schema())
        with translated(self._at(spec.name)):
            beside = run(run(self._connection().open_table(spec.name)).schema())
        team = json.loads((beside.metadata or {})[TEAM])
        added = [one for one in NOTES.names if one in schema.names]
        added += added_fields(schema.names, team)
        with translated(self._at(layout.collection)):
            if added:
                run(table.drop_columns(added))

    def opened(self, name: CollectionName) -> AdoptedLanceCollection:
        """Return an adopted collection."""
        spec = self._spec(name)
        if spec.adopted is None:
            raise CollectionMissingError(collection=name)
        try:
            table = self._table(spec.adopted.collection)
        except NotFoundError as error:
            raise CollectionMissingError(collection=name) from error
        with translated(self._at(name)):
            beside = run(self._connection().open_table(name))
        return AdoptedLanceCollection(
            spec=spec,
            layout=spec.adopted,
            table=table,
            beside=beside,
            connection=self._connection(),
            at=self._at(spec.adopted.collection),
        )

    def _spec(self, name: CollectionName) -> CollectionSpec:
        if not exists(self._at(name)):
            raise CollectionMissingError(collection=name)
        with translated(self._at(name)):
            spec = spec_of(run(run(self._connection().open_table(name)).schema()), name)
        if spec is None:
            raise CollectionMissingError(collection=name)
        return spec

    def _require_free(self, layout: Layout) -> None:
        for name in self._collections():
            adopted = self._spec(name).adopted
            if adopted is not None and adopted.collection == layout.collection:
                raise AlreadyExistsError(
                    what="adoption of", name=f"{layout.collection} as {name}"
                )

    def _at(self, name: str) -> Path:
        return self._folder / f"{name}.lance"

    def _table(self, name: str) -> AsyncTable:
        if not exists(self._at(name)):
            known = sorted(path.stem for path in self._folder.glob("*.lance") if exists(path))
            raise NotFoundError(what="table", name=name, known=known)
        with translated(self._at(name)):
            return run(self._connection().open_table(name))

    def _keys(self, layout: Layout, where: str = "") -> list[str]:
        query = self._table(layout.collection).query().select([layout.id.name])
        with translated(self._at(layout.collection)):
            found = run((query.where(where) if where else query).to_arrow())
        return [str(key) for key in found[layout.id.name].to_pylist() if key is not None]

    def _rows(self, layout: Layout) -> Iterator[dict[str, object]]:
        wanted = [*columns_of(layout), *NOTES.names]
        for name in _chunks(sorted(self._keys(layout))):
            found = self._found(layout, name, wanted)
            yield from found.to_pylist()

    def _found(self, layout: Layout, keys: Sequence[str], columns: list[str]) -> pa.Table:
        whole = layout.id.kind is FieldKind.INTEGER
        values = ", ".join(key if whole else text_literal(key) for key in keys)
        query = self._table(layout.collection).query().where(f"{layout.id.name} IN ({values})")
        with translated(self._at(layout.collection)):
            found: pa.Table = run(query.select(columns).to_arrow())
        return found

    def _page(
        self,
        layout: Layout,
        keys: Sequence[str],
        *,
        cursor: str | None = None,
        with_vectors: bool = False,
    ) -> ForeignPage:
        if not keys:
            return ForeignPage(rows=(), cursor=None)
        columns = [*columns_of(layout), layout.vector]
        table = self._found(layout, keys, columns)
        schema = run(self._table(layout.collection).schema())
        vectors = matrix_of(table[layout.vector], dimensions_of(schema, layout))
        rows = table.select(columns_of(layout)).to_pylist()
        places = {key: place for place, key in enumerate(keys)}
        order = sorted(range(len(rows)), key=lambda n: places[str(rows[n][layout.id.name])])
        documents = {place: document_of(layout, rows[place]) for place in order}
        kept = [p for p in order if documents[p].text.strip() and documents[p].id]
        return ForeignPage(
            rows=[_foreign(layout, rows[p], vectors[p]) for p in kept],
            vectors=vectors[kept] if with_vectors else None,
            without_text=len(rows) - len(kept),
            cursor=cursor,
        )


def _foreign(
    layout: Layout, row: dict[str, object], vector: np.ndarray[tuple[int], np.dtype[np.float32]]
) -> ForeignRow:
    bare = bool(np.isnan(vector).all())
    made = made_of(vector)
    return ForeignRow(
        document=document_of(layout, row), state=f"{state_of(layout, row)} {made}", bare=bare
    )


def _own(schema: pa.Schema) -> pa.Schema:
    """Return the columns that are the team's own, also of a table that is adopted already."""
    if NOTES.names[0] not in schema.names:
        return schema
    added = {*NOTES.names, *added_fields(schema.names, ())}
    return pa.schema([one for one in schema if one.name not in added])


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), BATCH):
        yield keys[start : start + BATCH]
