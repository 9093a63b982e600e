"""The database's aliases: where they point, and what of them a move would take away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from opensearchpy import OpenSearch

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


def obstacle(client: OpenSearch, alias: str) -> str:
    """Return why a move would not have the alias, or take something from it; empty: it fits."""
    found = targets(client, alias)
    if not found:
        if client.indices.exists(index=alias):
            return f"an index of the database has the name {alias!r}"
        return ""
    if len(found) > 1:
        named = ", ".join(sorted(found))
        return f"the alias {alias!r} points at {len(found)} indices ({named})"
    for index, there in found.items():
        if lost := properties(there):
            return f"the alias {alias!r} has {' and '.join(lost)} on {index}"
    return ""
