"""Where a release's vectors are: in a collection of their own, or a field of shared objects.

With the vector-field strategy the releases of an index share one physical collection: the
same objects, each release with a named vector of its own on them. Such a release's
collection is named ``OBJECTS/FIELD``, so its name alone says both, at any time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from repoint.domain.errors import BadSpecError
from repoint.domain.ids import CollectionName, IndexName
from repoint.domain.release import Release, ReleaseState
from repoint.domain.spec import ChunkUnit, ReleaseSpec, as_tree

_BETWEEN: Final = "/"
#: Groups of a spec that decide which objects there are, and what stands in them.
_DECIDING: Final = ("text", "chunking", "libraries")
#: Fields of a model that decide how many tokens a text has.
_TOKENIZER: Final = ("provider", "name", "revision", "digest")


@dataclass(frozen=True, slots=True)
class Place:
    """A physical collection, and which of its vectors are a release's."""

    collection: CollectionName
    #: None: the collection is the release's own.
    vector_field: str | None = None


def place_of(name: CollectionName) -> Place:
    """Return the place that a release's collection is."""
    objects, between, field = name.rpartition(_BETWEEN)
    return Place(CollectionName(objects), field) if between else Place(name)


def among_objects(index: IndexName, own: CollectionName) -> CollectionName:
    """Return the name of a release's vectors among the objects that its index shares.

    No two indexes share objects, whatever characters of their names a database cannot take.
    """
    stem = re.sub(r"[^A-Za-z0-9]", "_", index)
    if stem != index:
        stem += "_" + blake2b(index.encode(), digest_size=4).hexdigest()
    return CollectionName(f"{stem}_objects{_BETWEEN}{own}")


def require_same_objects(release: Release, others: Iterable[Release]) -> None:
    """Refuse a release that would make other objects than those it is to share.

    Raises:
        BadSpecError: it names the field that differs, and from which release's.
    """
    place = place_of(release.collection)
    for other in others:
        if other.state is ReleaseState.DROPPED:
            continue
        there = place_of(other.collection)
        if there.vector_field is None or there.collection != place.collection:
            continue
        for field, (mine, theirs) in _differences(release.spec, other.spec).items():
            raise BadSpecError(
                source="release spec",
                field=field,
                why=f"{mine!r}, but {theirs!r} in {other.name}, whose objects it would share",
                hint="give it a collection of its own: in the spec, backend: NAME of a table "
                "[backends.NAME] without strategy = vector_field",
            )


def _differences(mine: ReleaseSpec, theirs: ReleaseSpec) -> dict[str, tuple[object, object]]:
    ours, others = as_tree(mine), as_tree(theirs)
    wanted = [(group, name) for group in _DECIDING for name in _names(ours, others, group)]
    if mine.chunking.unit is ChunkUnit.TOKENS and mine.chunking.size is not None:
        wanted += [("model", name) for name in _TOKENIZER]
    found = {}
    for group, name in wanted:
        pair = _field(ours, group, name), _field(others, group, name)
        if pair[0] != pair[1]:
            found[f"{group}.{name}"] = pair
    return found


def _names(ours: dict[str, object], others: dict[str, object], group: str) -> list[str]:
    both: dict[str, None] = {}
    for tree in (ours, others):
        part = tree[group]
        if isinstance(part, dict):
            both |= dict.fromkeys(part)
    return list(both)


def _field(tree: dict[str, object], group: str, name: str) -> object:
    part = tree[group]
    return part.get(name) if isinstance(part, dict) else None
