"""Points that several releases share are read, changed, and replaced if nobody came between."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from threading import Event
from typing import Final

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from repoint.backends.qdrant.cells import CELLS, STAMP, Change, cells_of, operation
from repoint.domain.errors import BackendUnavailableError
from repoint.domain.placing import Place

#: Points that are read and replaced together.
BATCH: Final = 256
#: How often others may come between before the caller is asked to try again, and seconds
#: to the next attempt.
ATTEMPTS: Final = 30
PAUSE_S: Final = 0.02


def rewrite(client: QdrantClient, place: Place, changes: Sequence[Change]) -> None:
    """Make every change, each in one step that no other writer's step is lost by.

    Raises:
        UnavailableError: others were in the way every time; some changes are made.
    """
    for begin in range(0, len(changes), BATCH):
        _rewrite(client, place, changes[begin : begin + BATCH])


def _rewrite(client: QdrantClient, place: Place, changes: Sequence[Change]) -> None:
    field = str(place.vector_field)
    pending = {change.id: change for change in changes}
    for attempt in range(ATTEMPTS):
        found = _read(client, place, list(pending), with_vectors=True)
        pending = _left(pending, found, field)
        if not pending:
            return
        if attempt > 1:
            Event().wait(PAUSE_S * attempt)
        kept = _vectors(client, place)
        stamp = secrets.token_hex(8)
        operations = [
            operation(found.get(one.id), one, field=field, stamp=stamp, kept=kept)
            for one in pending.values()
        ]
        try:
            client.batch_update_points(
                place.collection,
                operations,
                wait=True,
                ordering=models.WriteOrdering.STRONG,  # replicas decide in the same order
            )
        except UnexpectedResponse as error:
            # Another release's vector may have been dropped since it was read.
            if error.status_code != HTTPStatus.BAD_REQUEST:
                raise
            if _vectors(client, place) >= kept:
                raise
        light = _read(client, place, list(pending), with_vectors=False)
        pending = _left(pending, light, field)
        if not pending:
            return
    raise BackendUnavailableError(
        f"{place.collection}: others wrote the same objects each of {ATTEMPTS} times",
        hint="write them again",
    )


def _read(
    client: QdrantClient, place: Place, ids: list[str], *, with_vectors: bool
) -> Mapping[str, models.Record]:
    found = client.retrieve(
        place.collection,
        ids,
        with_payload=True if with_vectors else [CELLS, STAMP],
        with_vectors=with_vectors,
    )
    return {str(one.id): one for one in found}


def _left(
    pending: Mapping[str, Change], found: Mapping[str, models.Record], field: str
) -> dict[str, Change]:
    cells = {name: cells_of(one.payload) for name, one in found.items()}
    return {
        name: change
        for name, change in pending.items()
        if not change.is_done(cells.get(name, {}), field)
    }


def _vectors(client: QdrantClient, place: Place) -> frozenset[str]:
    return frozenset(client.get_collection(place.collection).config.params.vectors or {})
