"""The name of an alias: what has it, and what stands behind it.

Classes and aliases share their names. One alias that differs from another in case alone is
the same to the server, which then makes neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

from weaviate import WeaviateClient

from repoint.backends.weaviate import entries
from repoint.backends.weaviate.classes import adopted_by, look, name_of
from repoint.backends.weaviate.engine import Engine
from repoint.backends.weaviate.names import class_name
from repoint.domain import placing
from repoint.domain.ids import CollectionName
from repoint.ports.naming import NameObstacle

NAME: Final = re.compile("[A-Z][A-Za-z0-9_]{0,254}")
#: What may be done about a name that is taken.
PREFIX_HINT: Final = "set alias_prefix in the backend's table of repoint.toml"


class WeaviateNamekeeper:
    """Says what has the name that an alias would take (``ports.naming.Namekeeper``)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def obstacle(self, alias: str, *, ours: AbstractSet[CollectionName]) -> NameObstacle | None:
        """Return what has the name, None where it is free or points at a collection of ours."""
        spelled = class_name(alias)
        if NAME.fullmatch(spelled) is None:
            return NameObstacle(
                name=spelled,
                taken_by="",
                why="Weaviate takes no such name: it begins with a letter, and is not too long",
            )

        def read(client: WeaviateClient) -> NameObstacle | None:
            return _obstacle(client, spelled, lambda found: behind(client, found) in ours)

        return self._engine.run(read, about=spelled)


def taken_by(client: WeaviateClient, alias: str, *, theirs: str) -> str:
    """Return what has an alias's name; empty where it is free, or points at a class already."""
    if NAME.fullmatch(class_name(alias)) is None:
        return "no class or alias that Weaviate takes"
    found = _obstacle(client, class_name(alias), lambda target: target == theirs)
    return "" if found is None else found.taken_by


def behind(client: WeaviateClient, found: str) -> CollectionName | None:
    """Return which collection stands in a class; None if it is gone or none of ours."""
    classes = client.collections.list_all(simple=False)
    if found not in classes:
        return None
    name = name_of(classes[found].description)
    if name is not None and class_name(name) == found:
        return name
    return next(
        (
            owner
            for one in classes.values()
            if adopted_by(one.description) == found
            if (owner := name_of(one.description)) is not None
        ),
        None,
    )


def place_of(client: WeaviateClient, name: CollectionName) -> str:
    """Return the class that holds a collection's vectors: an adopted one has its own name.

    Raises:
        CollectionMissingError: there is no such collection.
    """
    place = placing.place_of(name)
    if place.vector_field is not None:
        entries.require(client, place, name)
        return class_name(place.collection)
    spec = look(client, name).spec
    adopted = spec.adopted if spec is not None else None
    return class_name(name) if adopted is None else adopted.collection


def _obstacle(
    client: WeaviateClient, spelled: str, is_ours: Callable[[str], bool]
) -> NameObstacle | None:
    if client.collections.exists(spelled) and spelled in client.collections.list_all():
        return NameObstacle(
            name=spelled,
            taken_by=f"class {spelled}",
            why=f"the class {spelled} has that name",
        )
    for alias, found in client.alias.list_all().items():
        if alias.lower() != spelled.lower():
            continue
        if alias != spelled:
            return NameObstacle(
                name=spelled,
                taken_by=f"alias {alias}",
                why=f"the alias {alias} has that name but for its case",
            )
        if not is_ours(found.collection):
            return NameObstacle(
                name=spelled,
                taken_by=f"alias {alias} of {found.collection}",
                why=f"the alias {alias} is there already, and points at {found.collection}",
                movable=True,
            )
    return None
