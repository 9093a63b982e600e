"""How a collection's class is made, and what it carries of its spec: in its description."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from weaviate import WeaviateClient
from weaviate.classes.config import (
    Configure,
    DataType,
    Property,
    StopwordsPreset,
    Tokenization,
    VectorDistances,
)
from weaviate.collections.classes.config import CollectionConfig
from weaviate.collections.classes.config_vector_index import VectorIndexConfigCreate
from weaviate.exceptions import UnexpectedStatusCodeError

from repoint.backends.weaviate.filters import PART
from repoint.backends.weaviate.names import class_name, kind_of, vector_name
from repoint.domain.adoption import layout_of, layout_tree
from repoint.domain.document import FieldType, Json
from repoint.domain.errors import CollectionMissingError, UnsupportedError
from repoint.domain.ids import CollectionName, Fingerprint
from repoint.domain.spec import AnnKind, AnnSpec, Distance
from repoint.ports.backend import CollectionSpec

#: The LSN of an emptied slot; no chunk has it.
GUARD: Final = "guard"
#: Whose an object is, in a class that releases share.
RELEASE: Final = "release"
#: What repoint knows of an object of a team's.
NOTE: Final = "note"
#: With a condition that lets fewer chunks pass than this, the graph's vectors are compared
#: one by one: the server's own way, and the one in which a search is exact.
FLAT_BELOW: Final = 40_000

_DISTANCES: Final = {
    Distance.COSINE: VectorDistances.COSINE,
    Distance.DOT: VectorDistances.DOT,
    Distance.L2: VectorDistances.L2_SQUARED,
}
_BUILD: Final = frozenset({"m", "ef_construction"})
_SEARCH: Final = frozenset({"ef"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A class as it stands in the database."""

    #: What its description carries; None if that is none of ours.
    spec: CollectionSpec | None
    #: The properties of metadata fields that it has.
    fields: frozenset[str]
    #: It keeps each tenant's objects apart.
    has_tenants: bool


def check(spec: CollectionSpec) -> None:
    """Refuse a spec that asks for what the database does not have.

    Raises:
        UnsupportedError: it names what.
    """
    if spec.ann.kind is AnnKind.IVF_FLAT:
        raise UnsupportedError(
            driver="weaviate", what="ann.kind ivf_flat", hint="known: auto, flat, hnsw"
        )
    for what, given, known in (
        ("build", spec.ann.build, _BUILD),
        ("search", spec.ann.search, _SEARCH),
    ):
        unknown = sorted(given.keys() - known)
        if unknown:
            raise UnsupportedError(
                driver="weaviate",
                what=f"ann.{what}.{unknown[0]}",
                hint=f"known: {', '.join(sorted(known))}",
            )


def make(
    client: WeaviateClient, spec: CollectionSpec, *, has_tenants: bool, replicas: int
) -> None:
    """Make the class of a collection."""
    tenancy = Configure.multi_tenancy(
        enabled=True, auto_tenant_creation=False, auto_tenant_activation=True
    )
    client.collections.create(
        class_name(spec.name),
        description=json.dumps({"repoint": tree_of(spec)}, separators=(",", ":")),
        vector_config=[
            Configure.Vectors.self_provided(
                name=vector_name(spec.fingerprint), vector_index_config=index_of(spec)
            )
        ],
        # Without a list of its own words, none is left out of what may be looked for.
        inverted_index_config=Configure.inverted_index(stopwords_preset=StopwordsPreset.NONE),
        multi_tenancy_config=tenancy if has_tenants else None,
        replication_config=Configure.replication(factor=replicas) if replicas else None,
        properties=properties_of(spec),
    )


def look(client: WeaviateClient, name: CollectionName) -> Seen:
    """Return what stands in the database under a collection's name.

    Raises:
        CollectionMissingError: nothing has that name, or only an alias.
    """
    wanted = class_name(name)
    try:
        config = client.collections.use(wanted).config.get()
    except UnexpectedStatusCodeError as error:
        if error.status_code != _NOT_FOUND:
            raise
        raise CollectionMissingError(collection=name) from error
    if config.name != wanted:  # the server follows an alias to the class behind it
        raise CollectionMissingError(collection=name)
    return Seen(
        spec=_read(config, name),
        fields=frozenset(
            property_.name
            for property_ in config.properties
            if kind_of(property_.name) is not None
        ),
        has_tenants=config.multi_tenancy_config.enabled,
    )


def require_tenant(client: WeaviateClient, name: CollectionName, tenant: str) -> None:
    """Refuse to go on where the class does not have the tenant.

    Raises:
        CollectionMissingError: it does not.
    """
    if not tenant:
        return
    if not client.collections.use(class_name(name)).tenants.exists(tenant):
        raise CollectionMissingError(collection=name)


def name_of(description: str | None) -> CollectionName | None:
    """Return which collection a class says it is, None if it is none of ours."""
    try:
        return CollectionName(str(json.loads(description or "")["repoint"]["name"]))
    except (KeyError, ValueError, TypeError):
        return None


def adopted_by(description: str | None) -> str:
    """Return which class of a team's a class of ours stands beside; empty if none."""
    try:
        return str(json.loads(description or "")["repoint"]["adopted"]["collection"])
    except (KeyError, ValueError, TypeError):
        return ""


def field_property(name: str, *, prefix: str = "") -> Property:
    """Return how a field's property is made: indexed for what is asked of its type.

    A module of the server that makes vectors of a team's objects does not see it.
    """
    match kind_of(name.removeprefix(prefix)):
        case FieldType.NUMBER:
            return Property(
                name=name,
                data_type=DataType.NUMBER,
                index_filterable=False,
                index_range_filters=True,
                skip_vectorization=True,
            )
        case FieldType.BOOLEAN:
            return Property(
                name=name,
                data_type=DataType.BOOL,
                index_filterable=True,
                skip_vectorization=True,
            )
        case _:
            return Property(
                name=name,
                data_type=DataType.TEXT,
                tokenization=Tokenization.FIELD,
                index_filterable=True,
                index_searchable=False,
                skip_vectorization=True,
            )


def note_properties(prefix: str) -> list[Property]:
    """Return what a team's class gets: a note, and the whole number of known objects."""
    return [
        Property(
            name=prefix + NOTE,
            data_type=DataType.TEXT,
            index_filterable=False,
            index_searchable=False,
            skip_vectorization=True,
        ),
        Property(
            name=prefix + PART,
            data_type=DataType.INT,
            index_filterable=False,
            index_range_filters=True,
            skip_vectorization=True,
        ),
    ]


def properties_of(spec: CollectionSpec) -> list[Property]:
    """Return what every class of ours has, before any metadata field."""
    plain = [
        Property(name=name, data_type=kind, index_filterable=False, index_searchable=False)
        for name, kind in (
            ("document", DataType.TEXT),
            ("digest", DataType.TEXT),
            ("metadata", DataType.TEXT),
        )
    ]
    unindexed = [
        Property(name=name, data_type=DataType.INT, index_filterable=False)
        for name in ("lsn", "start", "end")
    ]
    return [
        *plain,
        *unindexed,
        Property(name="key", data_type=DataType.UUID, index_filterable=True),
        Property(name="slot", data_type=DataType.INT, index_filterable=True),
        *(
            Property(
                name=name,
                data_type=DataType.INT,
                index_filterable=False,
                index_range_filters=True,
            )
            for name in (PART, GUARD)
        ),
        Property(
            name="text",
            data_type=DataType.TEXT,
            tokenization=Tokenization.WORD,
            index_filterable=False,
            index_searchable=spec.lexical,
        ),
    ]


def index_of(spec: CollectionSpec) -> VectorIndexConfigCreate:
    """Return how the vectors of a release are indexed."""
    distance = _DISTANCES[spec.distance]
    # A server may be set to compress what does not say otherwise: scores would change.
    exact = Configure.VectorIndex.Quantizer.none()
    if spec.ann.kind is AnnKind.FLAT:
        return Configure.VectorIndex.flat(distance_metric=distance, quantizer=exact)
    build, ef = spec.ann.build, spec.ann.search.get("ef")
    return Configure.VectorIndex.hnsw(
        distance_metric=distance,
        quantizer=exact,
        flat_search_cutoff=FLAT_BELOW,
        ef=None if ef is None else int(ef),
        max_connections=_whole(build, "m"),
        ef_construction=_whole(build, "ef_construction"),
    )


def _whole(given: Mapping[str, float], name: str) -> int | None:
    value = given.get(name)
    return None if value is None else int(value)


def tree_of(spec: CollectionSpec) -> dict[str, Json]:
    """Return a spec as the database keeps it."""
    adopted = {"adopted": layout_tree(spec.adopted)} if spec.adopted is not None else {}
    return {
        "name": spec.name,
        "fingerprint": spec.fingerprint,
        "dimensions": spec.dimensions,
        "distance": spec.distance.value,
        "lexical": spec.lexical,
        "ann": {
            "kind": spec.ann.kind.value,
            "build": dict(spec.ann.build),
            "search": dict(spec.ann.search),
        },
        **adopted,
    }


def spec_of(written: str | None) -> CollectionSpec | None:
    """Return the spec that a description carries, None if it is none of ours."""
    try:
        tree = json.loads(written or "")["repoint"]
        return CollectionSpec(
            name=CollectionName(tree["name"]),
            fingerprint=Fingerprint(tree["fingerprint"]),
            dimensions=tree["dimensions"],
            distance=Distance(tree["distance"]),
            ann=AnnSpec(
                kind=AnnKind(tree["ann"]["kind"]),
                build=tree["ann"]["build"],
                search=tree["ann"]["search"],
            ),
            lexical=tree["lexical"],
            adopted=layout_of(tree["adopted"]) if "adopted" in tree else None,
        )
    except (KeyError, ValueError, TypeError):
        return None


def _read(config: CollectionConfig, name: CollectionName) -> CollectionSpec | None:
    spec = spec_of(config.description)
    if spec is None:
        return None
    # A description can be edited; the vectors' name cannot.
    has_vectors = vector_name(spec.fingerprint) in (config.vector_config or {})
    return spec if spec.name == name and has_vectors else None


_NOT_FOUND: Final = 404
