"""How a team's own index lies: which of its fields hold what, and whether it can be adopted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from opensearchpy import OpenSearch

from repoint.backends.opensearch import aliases
from repoint.backends.opensearch.documents import SPACES, spec_of
from repoint.backends.opensearch.layouts import NOTES, OWN_ID, Row, Tree, row_of
from repoint.backends.opensearch.noting import is_ours
from repoint.backends.opensearch.rows import VERSIONED
from repoint.domain.adoption import Field, FieldKind, Layout
from repoint.domain.document import Json
from repoint.domain.errors import NotFoundError, UnsupportedError
from repoint.domain.spec import Distance
from repoint.ports.adoption import Wish

#: Rows that are looked at for values which a mapping does not tell of.
_LOOKED_AT: Final = 256
_TEXTS: Final = frozenset(
    {"keyword", "text", "match_only_text", "search_as_you_type", "wildcard"}
)
_INTEGERS: Final = {"byte": 1, "short": 2, "integer": 4, "long": 8}
_NUMBERS: Final = frozenset({"double", "float", "half_float", "scaled_float"})
#: Types that hold nothing that a document has.
_NO_VALUES: Final = {
    "alias": "another name of a field",
    "join": "the relation of a join",
    "knn_vector": "other vectors",
    "percolator": "queries",
    "rank_feature": "a feature for ranking",
    "rank_features": "features for ranking",
    "token_count": "a count of words",
}
#: Characters that always fit into an id of the database, and into a keyword.
LONGEST_OWN: Final = 512
LONGEST_KEYWORD: Final = 8_191
_BLOCKS: Final = ("read_only", "read_only_allow_delete", "write", "metadata")
#: What is said of an engine whose graph cannot be searched among some rows only.
NO_FILTER: Final = "nmslib"
_SPACES: Final = {space: distance for distance, space in SPACES.items()}


def resolved(client: OpenSearch, name: str) -> str:
    """Return the index that is meant, which may be named by its alias.

    Raises:
        NotFoundError: there is none of that name; it lists those there are.
        UnsupportedError: the alias has several, or shows a part of one only.
    """
    known = sorted(one for one in client.indices.get_alias(index="*") if one[0] != ".")
    if name in known:
        return name
    found = aliases.targets(client, name)
    if not found:
        if client.indices.exists(index=name):
            raise UnsupportedError(
                driver="opensearch",
                what=f"adopting {name}, which is no index",
                hint="a data stream takes no changes; name an index",
            )
        raise NotFoundError(what="index", name=name, known=known)
    if len(found) > 1:
        raise UnsupportedError(
            driver="opensearch",
            what=f"adopting the alias {name}, which points at {', '.join(sorted(found))}",
            hint="name one index; each is adopted into an index of repoint's of its own",
        )
    (index,) = found
    if hidden := [one for one in aliases.properties(found[index]) if "write" not in one]:
        raise UnsupportedError(
            driver="opensearch",
            what=f"adopting by the alias {name}, which has {' and '.join(hidden)} on {index}",
            hint=f"name the index itself: --collection {index}",
        )
    return index


def layout_of(client: OpenSearch, wish: Wish, index: str) -> tuple[Layout, dict[str, str]]:
    """Return the layout that is wished, and the fields that are left as they are, with why.

    Raises:
        NotFoundError: the mapping has no such field; it lists those there are.
        UnsupportedError: the index cannot be adopted; it says why and what to do.
    """
    mapping = client.indices.get_mapping(index=index)[index]["mappings"]
    _require_free(index, mapping)
    properties: dict[str, Tree] = dict(mapping.get("properties", {}))
    if NOTES in properties and not is_ours(properties[NOTES]):
        raise UnsupportedError(
            driver="opensearch",
            what=f"{index}, which has a field {NOTES!r} of its own",
            hint="repoint's notes have that name: copy the index without it",
        )
    properties.pop(NOTES, None)
    rows = _rows(client, index)
    vector = _vector(properties, wish, index)
    named = [wish.text_field, wish.title_field, wish.object_field, *(wish.metadata or ())]
    for name in (name for name in named if name):
        if name not in properties:
            raise NotFoundError(what="field", name=name, known=sorted(properties))
    _require_read(index, mapping, named, vector)
    used = {wish.id_field, wish.text_field, wish.title_field, vector, wish.object_field}
    left_out = {name: "left out" for name in wish.left_out if name in properties}
    chosen = wish.metadata
    if chosen is None:
        others = sorted(set(properties) - used - set(left_out))
        left_out |= {n: why for n in others if (why := _unheld(properties[n]))}
        chosen = tuple(name for name in others if name not in left_out)
    elif unheld := [name for name in chosen if _unheld(properties[name])]:
        raise UnsupportedError(
            driver="opensearch",
            what=f"the field {unheld[0]!r} as metadata, which holds "
            f"{_unheld(properties[unheld[0]])}",
        )
    layout = Layout(
        collection=index,
        id=_id(properties, wish, index),
        text=Field(name=wish.text_field, kind=FieldKind.TEXT),
        title=Field(name=wish.title_field, kind=FieldKind.TEXT) if wish.title_field else None,
        vector=vector,
        metadata=tuple(_field(name, properties[name], rows) for name in chosen),
        object=wish.object_field,
        left_out=wish.left_out,
    )
    return layout, left_out


def require_open(client: OpenSearch, index: str) -> None:
    """Refuse an index that cannot be read and written now.

    Raises:
        UnsupportedError: it is closed, blocked, or changes what is written to it.
    """
    (state,) = client.cat.indices(index=index, params={"format": "json", "h": "status"})
    if state["status"] != "open":
        raise UnsupportedError(
            driver="opensearch", what=f"{index}, which is closed", hint=f"POST {index}/_open"
        )
    settings = client.indices.get_settings(index=index, params={"flat_settings": "true"})
    flat = settings[index]["settings"]
    for block in _BLOCKS:
        if flat.get(f"index.blocks.{block}") == "true":
            raise UnsupportedError(
                driver="opensearch",
                what=f"{index}, which is blocked (index.blocks.{block})",
                hint=f'PUT {index}/_settings {{"index.blocks.{block}": null}}; writes through '
                "repoint must reach it",
            )
    pipeline = flat.get("index.final_pipeline", "_none")
    if pipeline != "_none":
        raise UnsupportedError(
            driver="opensearch",
            what=f"{index}, whose final pipeline {pipeline!r} changes what is written to it",
            hint="repoint must find what it wrote: take the pipeline away",
        )


def vectors_of(mapping: Tree, layout: Layout) -> tuple[int, Distance | None, str]:
    """Return dimensions, distance and engine of the vectors; the distance may be unknown."""
    properties = mapping["properties"]
    found = properties[layout.vector] if isinstance(properties, dict) else {}
    method = found.get("method", {})
    space = str(found.get("space_type") or method.get("space_type") or "l2")
    distance = _SPACES.get(space)
    return int(found["dimension"]), distance, str(method.get("engine", ""))


def ranks_words(mapping: Tree, layout: Layout) -> bool:
    """Return whether the documents' text has an index for words, of the team's own."""
    properties = mapping["properties"]
    found = properties.get(layout.text.name, {}) if isinstance(properties, dict) else {}
    return found.get("type") == "text" and found.get("index", True) is not False


def searches_graph(client: OpenSearch, layout: Layout, mapping: Tree) -> bool:
    """Return whether the index has a graph, and one that takes a filter."""
    settings = client.indices.get_settings(
        index=layout.collection, params={"flat_settings": "true"}
    )
    flat = settings[layout.collection]["settings"]
    return flat.get("index.knn") == "true" and vectors_of(mapping, layout)[2] != NO_FILTER


def _rows(client: OpenSearch, index: str) -> list[Row]:
    client.indices.refresh(index=index)
    body = {"size": _LOOKED_AT, "sort": ["_doc"], **VERSIONED}
    found = [row_of(one) for one in client.search(index=index, body=body)["hits"]["hits"]]
    if not found:
        raise UnsupportedError(driver="opensearch", what=f"adopting {index}, which is empty")
    return found


def _require_free(index: str, mapping: Tree) -> None:
    spec = spec_of(mapping)
    if spec is not None:
        raise UnsupportedError(
            driver="opensearch",
            what=f"adopting {index}, which is repoint's own: {spec.name}",
            hint="name an index that your own code made",
        )


def _require_read(index: str, mapping: Tree, named: Iterable[str], vector: str) -> None:
    """Refuse an index that does not give back what was written to it."""
    source, routing = mapping.get("_source", {}), mapping.get("_routing", {})
    if isinstance(source, dict) and (
        source.get("enabled") is False or source.get("excludes") or source.get("includes")
    ):
        raise UnsupportedError(
            driver="opensearch",
            what=f"{index}, whose _source does not hold all that was written (its mapping "
            "disables it, or excludes fields)",
            hint=f"repoint reads {', '.join([*(n for n in named if n), vector])} there and "
            "writes documents whole: copy the index with all of _source, or ingest anew",
        )
    if isinstance(routing, dict) and routing.get("required"):
        raise UnsupportedError(
            driver="opensearch",
            what=f"{index}, which requires a routing for each document",
            hint="repoint has none for a new document: copy the index without it",
        )


def _vector(properties: Mapping[str, Tree], wish: Wish, index: str) -> str:
    names = sorted(n for n, one in properties.items() if one.get("type") == "knn_vector")
    if wish.vector_field and wish.vector_field not in names:
        raise NotFoundError(what="knn_vector field", name=wish.vector_field, known=names)
    if not names:
        raise UnsupportedError(
            driver="opensearch",
            what=f"{index}, which has no field of the type knn_vector",
            hint="ingest its documents into an index of repoint's instead: repoint ingest",
        )
    if not wish.vector_field and len(names) != 1:
        raise UnsupportedError(
            driver="opensearch",
            what=f"an index with {len(names)} vectors a document",
            hint=f"name one: --vector-field {names[0]}",
        )
    name = wish.vector_field or names[0]
    found = properties[name]
    if "dimension" not in found or found.get("data_type", "float") != "float":
        raise UnsupportedError(
            driver="opensearch",
            what=f"vectors of {name!r} that are no list of floats of a stated length",
            hint="a model_id, and vectors of bytes or bits, are not adopted",
        )
    return name


def _id(properties: Mapping[str, Tree], wish: Wish, index: str) -> Field:
    if wish.id_field == OWN_ID:
        return Field(name=OWN_ID, kind=FieldKind.TEXT, required=True, size=LONGEST_OWN)
    if wish.id_field not in properties:
        known = [OWN_ID, *sorted(properties)]
        raise NotFoundError(what="field", name=wish.id_field, known=known)
    found = properties[wish.id_field]
    kind = str(found.get("type", ""))
    if kind in _INTEGERS:
        size = _INTEGERS[kind]
        return Field(name=wish.id_field, kind=FieldKind.INTEGER, required=True, size=size)
    inner = found.get("fields", {})
    inside = list(inner.values()) if isinstance(inner, dict) and kind == "text" else []
    keywords = [one for one in [found, *inside] if one.get("type") == "keyword"]
    if keywords:
        limits = [int(str(one.get("ignore_above", LONGEST_KEYWORD))) for one in keywords]
        size = min(LONGEST_KEYWORD, *limits)
        return Field(name=wish.id_field, kind=FieldKind.TEXT, required=True, size=size)
    raise UnsupportedError(
        driver="opensearch",
        what=f"{index}'s field {wish.id_field!r} of the type {kind or 'object'} as an id",
        hint="an id is a keyword, a text with one inside, or a whole number; the documents' "
        f"own ids are: --id-field {OWN_ID}",
    )


def _field(name: str, described: Tree, rows: Sequence[Row]) -> Field:
    kind = str(described.get("type", "object"))
    made = Field(name=name, kind=FieldKind.JSON)
    if kind in _TEXTS:
        made = Field(name=name, kind=FieldKind.TEXT)
    elif kind in _INTEGERS:
        made = Field(name=name, kind=FieldKind.INTEGER, size=_INTEGERS[kind])
    elif kind in _NUMBERS:
        made = Field(name=name, kind=FieldKind.NUMBER)
    elif kind == "boolean":
        made = Field(name=name, kind=FieldKind.BOOLEAN)
    elif kind == "date" and "format" not in described:
        made = Field(name=name, kind=FieldKind.MOMENT)
    # Any field may hold a list, or a number as text: then it is taken as it comes.
    values = (row.source.get(name) for row in rows)
    if any(made.refuses(_json(value)) for value in values):
        return Field(name=name, kind=FieldKind.JSON)
    return made


def _json(value: object) -> Json:
    return value if isinstance(value, str | int | float | bool | list | dict) else None


def _unheld(described: Tree) -> str:
    """Return what a field holds that is no metadata; empty where it can be one."""
    return _NO_VALUES.get(str(described.get("type", "object")), "")
