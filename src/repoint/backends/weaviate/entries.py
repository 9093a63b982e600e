"""The class that releases share: a vector's name for each, and objects that say whose they are.

No object is of two releases: Weaviate changes one vector of an object by reading all of them
and writing all of them, without a condition. An entry for each release stands among the
objects, with its spec. It is written after its vector's name is there and goes after its
objects are gone, so whatever was interrupted is seen and finished. The name of a vector stays
in the class for good: Weaviate takes none away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid5

from weaviate import WeaviateClient
from weaviate.classes.config import (
    Configure,
    ConsistencyLevel,
    DataType,
    Property,
    StopwordsPreset,
    Tokenization,
)
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter as Where
from weaviate.collections import Collection as Handle
from weaviate.collections.classes.config import CollectionConfig
from weaviate.collections.classes.config_vectors import VectorConfigCreate
from weaviate.exceptions import (
    UnexpectedStatusCodeError,
    WeaviateBatchError,
    WeaviateInvalidInputError,
)

from repoint.backends.weaviate.classes import (
    RELEASE,
    index_of,
    properties_of,
    spec_of,
    tree_of,
)
from repoint.backends.weaviate.names import class_name, field_name, kind_of
from repoint.domain.errors import (
    AlreadyExistsError,
    BackendUnavailableError,
    CollectionMissingError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName
from repoint.domain.placing import Place
from repoint.ports.backend import CollectionSpec

#: Where releases share a class whose names do not say which.
OBJECTS: Final = CollectionName("repoint_objects")
#: Whose the entries are: no release has that name.
_ENTRIES: Final = "*"
_SPACE: Final = UUID("0d0c3f5e-5c0f-5b53-8f3e-0f4f7a1f6a57")
#: How often a name is added while others add theirs.
_ATTEMPTS: Final = 20
#: More releases than these never share a class.
_MOST: Final = 10_000
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What stands of a release."""

    #: The class, as it is configured; None: it is not there, or none of ours.
    config: CollectionConfig | None = None
    #: What its entry says; None: there is no such release.
    spec: CollectionSpec | None = None
    #: Somebody began to take it away.
    is_going: bool = False
    #: The properties of metadata fields that the class has.
    fields: frozenset[str] = field(default=frozenset())

    @property
    def stands(self) -> bool:
        """Return whether it may be read and written."""
        return self.spec is not None and not self.is_going


def look(client: WeaviateClient, place: Place) -> Seen:
    """Return what stands of a release."""
    config = _config(client, place)
    if config is None or objects_of(config.description) != place.collection:
        return Seen()
    own = str(place.vector_field)
    fields = frozenset(one.name for one in config.properties if kind_of(one.name) is not None)
    found = (
        _handle(client, place)
        .query.fetch_objects_by_ids([_id(own)], limit=1, return_properties=["text"])
        .objects
    )
    if not found or field_name(own) not in (config.vector_config or {}):
        return Seen(config=config, fields=fields)
    written = str(found[0].properties["text"])
    return Seen(
        config=config,
        spec=spec_of(written),
        is_going=bool(json.loads(written).get("dropping")),
        fields=fields,
    )


def require(client: WeaviateClient, place: Place, name: CollectionName) -> Seen:
    """Return what stands of a release, which may be read and written.

    Raises:
        CollectionMissingError: it is not there, or is being dropped.
    """
    seen = look(client, place)
    if not seen.stands:
        raise CollectionMissingError(collection=name)
    return seen


def objects_of(description: str | None) -> CollectionName | None:
    """Return which objects a class says that releases share; None if it is none of ours."""
    try:
        return CollectionName(str(json.loads(description or "")["repoint"]["objects"]))
    except (KeyError, ValueError, TypeError):
        return None


def make(client: WeaviateClient, place: Place, spec: CollectionSpec, *, replicas: int) -> None:
    """Add a release to a class that stands, or as the first of a new one; there is fine.

    Several processes may do so at once, and one may end in the middle of it.

    Raises:
        AlreadyExistsError: the class's name is taken.
        UnsupportedError: the vector's name is of a release that was made otherwise.
    """
    seen = look(client, place)
    if seen.is_going:
        drop(client, place)
        seen = look(client, place)
    if seen.spec is not None:
        return  # opening it says so where it is another
    own = str(place.vector_field)
    vector = Configure.Vectors.self_provided(
        name=field_name(own), vector_index_config=index_of(spec)
    )
    if seen.config is None:
        _make_class(client, place, spec, vector, replicas=replicas)
    _add(client, place, vector)
    _require_same(client, place, spec)
    _write(client, place, spec)


def drop(client: WeaviateClient, place: Place) -> None:
    """Take a release's objects away, and with the last one the class; gone is no error.

    Raises:
        UnsupportedError: it is the last one, and an alias points at the class.
    """
    seen = look(client, place)
    if seen.spec is None:
        return
    kind, own = class_name(place.collection), str(place.vector_field)
    aliases = sorted(client.alias.list_all(collection=kind))
    if aliases and len(_entries(client, place)) == 1:
        raise UnsupportedError(
            driver="weaviate",
            what=f"dropping {kind}, whose last release goes, while the alias {aliases[0]} "
            "points at it",
            hint="move the alias or delete it first",
        )
    _write(client, place, seen.spec, is_going=True)
    # From here on nobody opens it or begins to write into it.
    handle = _handle(client, place)
    while (
        done := handle.data.delete_many(where=Where.by_property(RELEASE).equal(own))
    ).matches:
        if done.failed:
            raise WeaviateBatchError(f"{done.failed} objects were not deleted")
    if len(_entries(client, place)) == 1 and not aliases:
        client.collections.delete(kind)
        return
    handle.data.delete_many(where=Where.by_id().equal(_id(own)))


def names(client: WeaviateClient, description: str | None) -> Sequence[CollectionName]:
    """Return the names of the releases whose objects a class has."""
    objects = objects_of(description)
    if objects is None:
        return []
    return [
        spec.name
        for written in _entries(client, Place(objects, _ENTRIES)).values()
        if (spec := spec_of(written)) is not None
    ]


def _entries(client: WeaviateClient, place: Place) -> Mapping[str, str]:
    """Return what stands of each release, by its field."""
    found = _handle(client, place).query.fetch_objects(
        filters=Where.by_property(RELEASE).equal(_ENTRIES),
        limit=_MOST,
        return_properties=["document", "text"],
    )
    return {
        str(one.properties["document"]): str(one.properties["text"]) for one in found.objects
    }


def _config(client: WeaviateClient, place: Place) -> CollectionConfig | None:
    wanted = class_name(place.collection)
    try:
        config = client.collections.use(wanted).config.get()
    except UnexpectedStatusCodeError as error:
        if error.status_code != _NOT_FOUND:
            raise
        return None
    return config if config.name == wanted else None  # the server follows an alias


def _handle(client: WeaviateClient, place: Place) -> Handle:
    used = client.collections.use(class_name(place.collection))
    return used.with_consistency_level(ConsistencyLevel.QUORUM)


def _id(own: str) -> UUID:
    return uuid5(_SPACE, own)


def _make_class(
    client: WeaviateClient,
    place: Place,
    spec: CollectionSpec,
    vector: VectorConfigCreate,
    *,
    replicas: int,
) -> None:
    kind = class_name(place.collection)
    whose = Property(
        name=RELEASE,
        data_type=DataType.TEXT,
        tokenization=Tokenization.FIELD,
        index_filterable=True,
        index_searchable=False,
    )
    try:
        client.collections.create(
            kind,
            description=json.dumps({"repoint": {"objects": place.collection}}),
            vector_config=[vector],
            inverted_index_config=Configure.inverted_index(
                stopwords_preset=StopwordsPreset.NONE
            ),
            replication_config=Configure.replication(factor=replicas) if replicas else None,
            properties=[*properties_of(spec), whose],
        )
    except UnexpectedStatusCodeError:
        config = _config(client, place)
        if config is not None and objects_of(config.description) == place.collection:
            return  # another process was faster
        every = [*client.collections.list_all(), *client.alias.list_all()]
        others = [one for one in every if one.lower() == kind.lower()]
        if others:
            raise AlreadyExistsError(
                what="class or alias of the database",
                name=others[0],
                hint="releases of this index would share a class of that name: use a table "
                "[backends.NAME] without strategy = vector_field",
            ) from None
        raise


def _add(client: WeaviateClient, place: Place, vector: VectorConfigCreate) -> None:
    """Give the class a vector's name; the server refuses a change that misses another's."""
    kind = client.collections.use(class_name(place.collection)).config
    for attempt in range(_ATTEMPTS):
        if vector.name in (kind.get().vector_config or {}):
            return
        try:
            kind.add_vector(vector_config=vector)
        except (UnexpectedStatusCodeError, WeaviateInvalidInputError):
            if attempt == _ATTEMPTS - 1:
                raise
    raise BackendUnavailableError(
        f"{place.collection}: the server does not say that it has the vector {vector.name}",
        hint="ask again",
    )


def _require_same(client: WeaviateClient, place: Place, spec: CollectionSpec) -> None:
    """Refuse a name under which vectors are indexed otherwise: that cannot be changed."""
    config = client.collections.use(class_name(place.collection)).config.get()
    own = field_name(str(place.vector_field))
    index = (config.vector_config or {})[own].vector_index_config
    metric = getattr(index, "distance_metric", None)
    made = index_of(spec)
    if (metric, index.vector_index_type()) != (made.distance, made.vector_index_type()):
        raise UnsupportedError(
            driver="weaviate",
            what=f"making {spec.name}, as vectors of the name {own} in "
            f"{class_name(place.collection)} have another index or distance, which stays",
            hint="give the release another name",
        )


def _write(
    client: WeaviateClient, place: Place, spec: CollectionSpec, *, is_going: bool = False
) -> None:
    own = str(place.vector_field)
    tree = {"repoint": tree_of(spec), **({"dropping": True} if is_going else {})}
    entry = DataObject(
        uuid=_id(own),
        properties={RELEASE: _ENTRIES, "document": own, "text": json.dumps(tree)},
    )
    done = _handle(client, place).data.insert_many([entry])
    if done.has_errors:
        raise WeaviateBatchError(next(iter(done.errors.values())).message)
