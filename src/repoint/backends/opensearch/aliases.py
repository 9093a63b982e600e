"""The database's aliases: where they point, and what of them a move would take away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from opensearchpy import OpenSearch

from repoint.backends.opensearch.engine import Engine
from repoint.domain.ids import CollectionName
from repoint.ports.naming import NameObstacle

#: What an alias may have beside its index, and what it does, for people.
_PROPERTIES: Final = {
    "filter": "a filter",
    "is_write_index": "a write index",
    "index_routing": "a routing",
    "search_routing": "a routing",
    "is_hidden": "the mark of a hidden one",
}


def targets(client: OpenSearch, alias: str) -> dict[str, Mapping[str, object]]:
    """Return the indices that an alias points at, each with what the alias has there."""
    known = client.indices.get_alias(name=alias, params={"ignore": 404})
    return {
        index: found["aliases"][alias]
        for index, found in known.items()
        if isinstance(found, dict) and alias in found.get("aliases", {})
    }


def of_index(client: OpenSearch, index: str) -> list[str]:
    """Return the aliases that point at an index, sorted."""
    found = client.indices.get_alias(index=index, params={"ignore": 404})
    return sorted(found[index]["aliases"]) if index in found else []


def properties(there: Mapping[str, object]) -> list[str]:
    """Return in words what an alias has beside its index."""
    return sorted({told for name, told in _PROPERTIES.items() if there.get(name)})


class OpenSearchNamekeeper:
    """Says what is in the way of an alias (``ports.naming.Namekeeper``)."""

    def __init__(
        self, engine: Engine, *, owner_of: Callable[[str], CollectionName | None]
    ) -> None:
        self._engine = engine
        self._owner_of = owner_of

    def obstacle(self, alias: str, *, ours: AbstractSet[CollectionName]) -> NameObstacle | None:
        """Return what has the name, or what a move would take from the alias."""

        def read(client: OpenSearch) -> NameObstacle | None:
            found = in_the_way(client, alias)
            if found is not None:
                return found
            for index in targets(client, alias):
                if self._owner_of(index) not in ours:
                    return NameObstacle(
                        name=alias,
                        taken_by=f"alias of {index}",
                        why=f"an alias of that name points at {index}",
                        movable=True,
                    )
            return None

        return self._engine.run(read, about=alias)


def in_the_way(client: OpenSearch, alias: str) -> NameObstacle | None:
    """Return why a move would not have the alias, or take something from it."""
    found = targets(client, alias)
    if not found:
        if not client.indices.exists(index=alias):
            return None
        return NameObstacle(
            name=alias, taken_by=f"index {alias}", why=f"the index {alias} has that name"
        )
    if len(found) > 1:
        named = ", ".join(sorted(found))
        return NameObstacle(
            name=alias,
            taken_by=f"alias of {len(found)} indices",
            why=f"an alias of that name points at {len(found)} indices ({named}), of which a "
            "move would leave one",
            remedy="let it point at one index, by POST _aliases, or set alias_prefix",
        )
    for index, there in found.items():
        if lost := properties(there):
            return NameObstacle(
                name=alias,
                taken_by=f"alias of {index}",
                why=f"an alias of that name has {' and '.join(lost)} on {index}, which a "
                "move would not carry along",
                remedy="make it a plain alias, by POST _aliases, or set alias_prefix",
            )
    return None
