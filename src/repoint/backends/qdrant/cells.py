"""One point that several releases share: what stands in it for each of them.

Each release has a cell: the LSN of its version, whether that is emptied, and how long its
vector was. What the chunk says stands once, for all whose version says the same; a release
whose version says something else, because it is behind or ahead, has that in its own cell.
So what one release writes never changes what another one reads.

A point is only ever replaced as a whole, on the condition that it still carries the stamp of
the one that was read: position, vector and text of every release change in one step, or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from qdrant_client import models

from repoint.backends.qdrant import points
from repoint.backends.qdrant.points import Payload
from repoint.domain.ids import DocumentId, Lsn

#: The payload's field with the cells, by the name of each release's vector.
CELLS: Final = "cells"
#: What changes with every write of a point.
STAMP: Final = "stamp"
#: Fields of a point that are no chunk's content.
_FRAME: Final = ("document", "slot", CELLS, STAMP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What stands for one release."""

    lsn: Lsn
    #: None: the slot is emptied, and only its LSN stands guard.
    content: Payload | None
    #: What the vector is multiplied with to be the one that was given.
    length: float = 1.0
    #: The write that made it.
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one release wants of one slot."""

    document: DocumentId
    slot: int
    #: What is to stand there unless a higher LSN does; None: nothing, whatever stands there.
    cell: Cell | None
    vector: Sequence[float] | None = None

    @property
    def id(self) -> str:
        """The point's id."""
        return points.id_of(self.document, self.slot)

    def is_done(self, cells: Mapping[str, Cell], field: str) -> bool:
        """Return whether nothing is left to do: it was done, or a newer version stands."""
        there = cells.get(field)
        if self.cell is None:
            return there is None
        return there is not None and (there.mark == self.cell.mark or there.lsn > self.cell.lsn)


def cells_of(payload: Payload | None) -> dict[str, Cell]:
    """Return the cells of a point, each with its content, wherever that stands."""
    whole: Payload = payload or {}
    common = {name: value for name, value in whole.items() if name not in _FRAME}
    return {
        field: Cell(
            lsn=Lsn(int(str(cell["lsn"]))),
            content=_content(cell, common),
            length=float(str(cell["length"])),
            mark=str(cell["mark"]),
        )
        for field, cell in _trees(whole).items()
    }


def view(record: models.Record, field: str) -> models.Record:
    """Return a point as it is for one release, like a point of a collection of its own."""
    payload: Payload = record.payload
    cell = _trees(payload)[field]
    common = {name: value for name, value in payload.items() if name not in _FRAME}
    seen = {
        "document": payload["document"],
        "slot": payload["slot"],
        "lsn": cell["lsn"],
        "length": cell["length"],
        **(_content(cell, common) or {}),
    }
    return models.Record(id=record.id, payload=seen, vector=record.vector)


def operation(
    found: models.Record | None, change: Change, *, field: str, stamp: str, kept: frozenset[str]
) -> models.UpsertOperation | models.DeleteOperation:
    """Return the step that makes the change in a point as it was found.

    ``kept`` are the vectors that the collection has: one that was dropped is left behind.
    """
    cells = cells_of(found.payload if found else None)
    vectors = {} if found is None else _vectors(found)
    cells.pop(field, None)
    vectors.pop(field, None)
    if change.cell is not None:
        cells[field] = change.cell
        if change.vector is not None:
            vectors[field] = list(change.vector)
    unchanged = _unchanged(found)
    if not cells:
        same = models.Filter(must=[models.HasIdCondition(has_id=[change.id]), unchanged])
        return models.DeleteOperation(delete=models.FilterSelector(filter=same))
    struct = models.PointStruct(
        id=change.id,
        vector={name: value for name, value in vectors.items() if name in kept},
        payload=_payload(change, cells, stamp),
    )
    listed = models.PointsList(points=[struct], update_filter=models.Filter(must=[unchanged]))
    return models.UpsertOperation(upsert=listed)


def _payload(change: Change, cells: Mapping[str, Cell], stamp: str) -> dict[str, object]:
    filled = [one for one in cells.values() if one.content is not None]
    newest = max(filled, key=lambda one: one.lsn, default=None)
    common = newest.content if newest is not None else None
    trees = {}
    for field, cell in cells.items():
        apart = cell.content is not None and cell.content != common
        trees[field] = {
            "lsn": cell.lsn,
            "filled": cell.content is not None,
            "apart": apart,
            "length": cell.length,
            "mark": cell.mark,
            **({"own": dict(cell.content or {})} if apart else {}),
        }
    return {
        "document": change.document,
        "slot": change.slot,
        STAMP: stamp,
        CELLS: trees,
        **(common or {}),
    }


def _content(cell: Mapping[str, object], common: Payload) -> Payload | None:
    if not cell["filled"]:
        return None
    return cast("Payload", cell["own"]) if cell["apart"] else common


def _trees(payload: Payload) -> Mapping[str, Mapping[str, object]]:
    return cast("Mapping[str, Mapping[str, object]]", payload.get(CELLS) or {})


def _vectors(found: models.Record) -> dict[str, object]:
    return dict(found.vector) if isinstance(found.vector, dict) else {}


def _unchanged(found: models.Record | None) -> models.Condition:
    """Return what is true of a point as long as nobody writes it."""
    stamp = (found.payload or {}).get(STAMP) if found is not None else None
    if stamp is None:  # not there: so it may be made, and none that has one be replaced
        return models.IsEmptyCondition(is_empty=models.PayloadField(key=STAMP))
    return models.FieldCondition(key=STAMP, match=models.MatchValue(value=stamp))
