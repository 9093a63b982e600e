"""The objects that releases share: one collection, its fields listed in its metadata.

Each field is a named vector and an entry of the metadata with the spec of its release; both
are added to a collection that stands and taken out of it again, one release at a time. An
entry is written before its vector is made and goes after all else is gone, so whatever was
interrupted is seen and finished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from qdrant_client import QdrantClient, models

from repoint.backends.qdrant import points
from repoint.backends.qdrant.cells import CELLS, Change
from repoint.backends.qdrant.rewriting import rewrite
from repoint.domain.errors import CollectionMissingError
from repoint.domain.ids import CollectionName, DocumentId
from repoint.domain.placing import Place
from repoint.ports.backend import CollectionSpec

#: Where releases share objects whose names do not say which.
OBJECTS: Final = CollectionName("repoint_objects")
#: Before the name of each field's entry in the metadata.
_ENTRY: Final = "repoint:"
_BATCH: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What stands of a field."""

    #: The spec of its release; None: there is no such field.
    spec: CollectionSpec | None
    #: Its vector is there.
    has_vector: bool = False
    #: Somebody began to take it away.
    is_going: bool = False


def path(field: str, name: str) -> str:
    """Return where in a payload something of a field's cell stands."""
    return f"{CELLS}.{field}.{name}"


def flag(field: str, name: str, *, value: bool) -> models.FieldCondition:
    """Return the condition on a yes or no of a field's cell."""
    return models.FieldCondition(key=path(field, name), match=models.MatchValue(value=value))


def look(client: QdrantClient, place: Place) -> Seen:
    """Return what stands of a field."""
    field = str(place.vector_field)
    if not client.collection_exists(place.collection):
        return Seen(spec=None)
    config = client.get_collection(place.collection).config
    vectors = frozenset(config.params.vectors or {})
    tree = _entries(config.metadata).get(field)
    if tree is None:
        return Seen(spec=None)
    spec = points.spec_of({"repoint": tree}, CollectionName(str(tree.get("name"))))
    return Seen(spec=spec, has_vector=field in vectors, is_going=bool(tree.get("dropping")))


def require(client: QdrantClient, place: Place, name: CollectionName) -> CollectionSpec:
    """Return the spec of the release whose field this is.

    Raises:
        CollectionMissingError: there is no such field, or it is being dropped.
    """
    seen = look(client, place)
    if seen.spec is None or not seen.has_vector or seen.is_going:
        raise CollectionMissingError(collection=name)
    return seen.spec


def make(
    client: QdrantClient, place: Place, spec: CollectionSpec, params: models.VectorParams
) -> None:
    """Add a field, to objects that stand or as the first of new ones; there already is fine.

    Several processes may do so at once, and one may end in the middle of it.
    """
    field = str(place.vector_field)
    if not client.collection_exists(place.collection):
        client.create_collection(
            place.collection,
            vectors_config={field: params},
            metadata={_ENTRY + field: points.tree_of(spec)},
        )
    seen = look(client, place)
    if seen.is_going:
        drop(client, place)
        make(client, place, spec, params)
        return
    if seen.spec is None:
        client.update_collection(
            place.collection, metadata={_ENTRY + field: points.tree_of(spec)}
        )
    elif seen.spec.fingerprint != spec.fingerprint:
        return  # opening it says so
    if not seen.has_vector:
        dense = models.DenseVectorConfig(size=params.size, distance=params.distance)
        client.create_vector_name(
            place.collection, field, models.DenseVectorNameConfig(dense=dense)
        )
        if params.hnsw_config is not None:
            diff = models.VectorParamsDiff(hnsw_config=params.hnsw_config)
            client.update_collection(place.collection, vectors_config={field: diff})


def indexed(place: Place) -> tuple[tuple[str, models.PayloadSchemaType], ...]:
    """Return what of a payload the server is to find a field's points by."""
    field = str(place.vector_field)
    return (
        ("document", models.PayloadSchemaType.KEYWORD),
        (path(field, "filled"), models.PayloadSchemaType.BOOL),
        (path(field, "apart"), models.PayloadSchemaType.BOOL),
        (path(field, "lsn"), models.PayloadSchemaType.INTEGER),
    )


def drop(client: QdrantClient, place: Place) -> None:
    """Take a field away, and with the last one the objects; gone already is no error.

    What other releases have stays as it is. Nobody can write the field while it goes.
    """
    field = str(place.vector_field)
    if not client.collection_exists(place.collection):
        return
    config = client.get_collection(place.collection).config
    entries = _entries(config.metadata)
    tree = entries.pop(field, None)
    if tree is None:
        return
    if not entries:
        client.delete_collection(place.collection)
        return
    gone = {**tree, "dropping": True}
    client.update_collection(place.collection, metadata={_ENTRY + field: gone})
    # From here on the server refuses points with this vector, so a late writer is harmless.
    client.delete_vector_name(place.collection, field)
    either = [flag(field, "filled", value=value) for value in (True, False)]
    remove(client, place, models.Filter(should=either))
    client.update_collection(place.collection, metadata={_ENTRY + field: None})


def remove(client: QdrantClient, place: Place, where: models.Filter) -> None:
    """Take a field's cells out of points; a point that nobody else has goes with it."""
    while True:
        found, _ = client.scroll(
            place.collection,
            scroll_filter=where,
            limit=_BATCH,
            with_payload=["document", "slot"],
        )
        if not found:
            return
        rewrite(
            client,
            place,
            [
                Change(
                    document=DocumentId(one.payload["document"]),
                    slot=one.payload["slot"],
                    cell=None,
                )
                for one in found
            ],
        )


def names(client: QdrantClient, collection: str) -> Sequence[CollectionName]:
    """Return the names of the releases whose fields a collection has."""
    entries = _entries(client.get_collection(collection).config.metadata)
    return [CollectionName(str(tree.get("name"))) for tree in entries.values()]


def _entries(metadata: object) -> dict[str, Mapping[str, object]]:
    found = metadata if isinstance(metadata, Mapping) else {}
    return {
        str(name).removeprefix(_ENTRY): cast("Mapping[str, object]", tree)
        for name, tree in found.items()
        if str(name).startswith(_ENTRY) and isinstance(tree, Mapping)
    }
