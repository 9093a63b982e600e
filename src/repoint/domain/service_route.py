"""The service route: who answers, and everything that a client needs to ask in its own way.

For clients that embed and search by themselves: collection, query model and epoch in one
object, so that nobody can take one from before a move and the other from after it (INV-1).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, cast

from repoint.domain.adoption import Layout
from repoint.domain.document import Json
from repoint.domain.errors import RefusedMoveError
from repoint.domain.ids import CollectionName, Epoch, Fingerprint, IndexName, ReleaseName
from repoint.domain.placing import asked_at
from repoint.domain.pointer import Pointer
from repoint.domain.release import Release
from repoint.domain.spec import ReleaseSpec, as_tree

#: Fields of a model that are no client's concern.
_KEPT_BACK: Final = ("api_key_env", "price_per_million_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRoute:
    """One release's collection, query model and settings, at one epoch of the pointer."""

    index: IndexName
    release: ReleaseName
    epoch: Epoch
    #: The physical collection.
    collection: CollectionName
    fingerprint: Fingerprint
    spec: ReleaseSpec
    #: Which vector of its objects to ask, where releases share them or a team made them; None:
    #: the collection is the release's own, or its only vectors have no name.
    vector_field: str | None = None
    #: The bridge that questions go over since the query model is gone; None: it is not.
    bridge: str | None = None

    @staticmethod
    def of(pointer: Pointer, release: Release, adopted: Layout | None) -> ServiceRoute:
        """Return the route of a pointer whose active release this is, and how it lies.

        ``adopted`` is the layout of a collection that a team made, None of one of repoint's.
        """
        place = asked_at(release.collection, adopted)
        return ServiceRoute(
            index=pointer.index,
            release=release.name,
            epoch=pointer.epoch,
            collection=place.collection,
            vector_field=place.vector_field,
            fingerprint=release.fingerprint,
            spec=release.spec,
            bridge=None if release.bridge is None else release.bridge.id,
        )

    @property
    def etag(self) -> str:
        """What differs whenever the route does, for HTTP."""
        return f'"{self.epoch}-{self.fingerprint[:12]}"'

    def tree(self) -> dict[str, Json]:
        """Return the one object that every door gives, as plain values for JSON and YAML."""
        spec = cast("dict[str, Json]", as_tree(self.spec))
        model = spec["model"]
        assert isinstance(model, dict)  # noqa: S101 - a spec's model is a group of fields
        text = spec["text"]
        return {
            "index": self.index,
            "release": self.release,
            "epoch": self.epoch,
            "collection": self.collection,
            "vector_field": self.vector_field,
            "backend": self.spec.backend,
            "fingerprint": self.fingerprint,
            "dimensions": self.spec.model.dimensions,
            "model": {name: value for name, value in model.items() if name not in _KEPT_BACK},
            "distance": self.spec.distance.value,
            "query_steps": text["steps"] if isinstance(text, dict) else [],
            "ann_search": dict(self.spec.ann.search),
            "hybrid": spec["hybrid"],
            "min_score": self.spec.min_score,
            "rerank": spec["rerank"],
            "prompt": spec["prompt"],
            "bridge": self.bridge,
        }

    def line(self) -> str:
        """Return the object as one line of JSON."""
        return json.dumps(self.tree(), ensure_ascii=False, separators=(",", ":"))


def nobody_answers(index: IndexName) -> RefusedMoveError:
    """Return the error for an index in which nothing was promoted yet."""
    return RefusedMoveError(
        index=index,
        why="nothing was promoted, so nobody answers",
        hint=f"bring a release into step and: repoint promote {index} RELEASE",
    )
