"""Where a release's vectors are: in a collection of their own, or a field of shared objects.

With the vector-field strategy the releases of an index share one physical collection, each
release with a named vector of its own: on the same objects, or where a database cannot keep
what one of them writes apart from another's, on objects of its own. Such a release's
collection is named ``OBJECTS/FIELD``, so its name alone says both, at any time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from repoint.domain.adoption import Layout
from repoint.domain.errors import BadSpecError
from repoint.domain.ids import CollectionName, IndexName
from repoint.domain.release import Release, ReleaseState
from repoint.domain.spec import ChunkUnit, ReleaseSpec
from repoint.domain.spec_diff import spec_diff

_BETWEEN: Final = "/"
#: Groups of a spec that decide which objects there are, and what stands in them.
_DECIDING: Final = ("text", "chunking", "libraries")
#: Fields of a model that decide how many tokens a text has.
_TOKENIZER: Final = ("provider", "name", "revision", "digest")


@dataclass(frozen=True, slots=True)
class Place:
    """A physical collection, and which of its vectors are a release's."""

    collection: CollectionName
    #: None: the collection is the release's own, or its only vectors have no name.
    vector_field: str | None = None


def asked_at(name: CollectionName, adopted: Layout | None) -> Place:
    """Return where a client asks by itself; an adopted release's vectors are the team's own."""
    if adopted is None:
        return place_of(name)
    return Place(CollectionName(adopted.collection), adopted.vector or None)


def place_of(name: CollectionName) -> Place:
    """Return the place that a release's collection is."""
    objects, between, field = name.rpartition(_BETWEEN)
    return Place(CollectionName(objects), field) if between else Place(name)


def among_objects(index: IndexName, own: CollectionName) -> CollectionName:
    """Return the name of a release's vectors among the objects that its index shares.

    No two indexes share objects, whatever characters of their names a database cannot take.
    """
    return CollectionName(f"{_plain(index)}_objects{_BETWEEN}{_plain(own)}")


def _plain(name: str) -> str:
    """Return a name that every database takes, and no two names have."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return (
        plain
        if plain == name
        else f"{plain}_{blake2b(name.encode(), digest_size=4).hexdigest()}"
    )


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
        for one in spec_diff(release.spec, other.spec):
            if _decides(one.field, release.spec):
                raise BadSpecError(
                    source="release spec",
                    field=one.field,
                    why=f"{one.a!r}, but {one.b!r} in {other.name}, whose objects it "
                    "would share",
                    hint="give it a collection of its own: in the spec, backend: NAME of a "
                    "table [backends.NAME] without strategy = vector_field",
                )


def _decides(field: str, spec: ReleaseSpec) -> bool:
    """Return whether a field decides which objects there are, or what stands in them."""
    group, _, name = field.partition(".")
    counts_tokens = spec.chunking.unit is ChunkUnit.TOKENS and spec.chunking.size is not None
    return group in _DECIDING or (counts_tokens and group == "model" and name in _TOKENIZER)
