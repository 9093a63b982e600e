"""Routes: who answers, resolved once and used to the end; with a canary, for each key."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from repoint.domain.canary import Canary
from repoint.domain.ids import CollectionName, Epoch, IndexName, ReleaseName
from repoint.domain.placing import Place, asked_at
from repoint.domain.telemetry import Arm
from repoint.operations.spaces import Space, Spaces
from repoint.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who answers, and all that is needed to ask: one release's model *and* collection."""

    index: IndexName
    release: ReleaseName
    epoch: Epoch
    space: Space
    #: Why this release is asked.
    arm: Arm = Arm.ACTIVE
    #: Who answers which key while a canary is on; None: the route is for all.
    arms: Arms | None = None

    @property
    def collection(self) -> CollectionName:
        """Name of the physical collection in the release's backend; an adopted one's own."""
        return self._place.collection

    @property
    def vector_field(self) -> str | None:
        """Which vector of its objects to ask, where that must be said; else None."""
        return self._place.vector_field

    @property
    def _place(self) -> Place:
        return asked_at(self.space.release.collection, self.space.collection.spec.adopted)

    def for_key(self, key: str, tenant: str | None) -> Route:
        """Return the route of a key: this one, or while a canary is on that of its arm."""
        return self if self.arms is None else self.arms.route(key, tenant)

    def embed_query(self, text: str) -> list[float]:
        """Return the question's vector in this route's space, prefix and all."""
        prepared = self.space.preparer.prepare_query(text)
        return [float(value) for value in self.space.embedding.query(prepared).values]


class Arms:
    """Who answers which key while a canary is on. Safe to use from many threads.

    Each key is answered wholly by one release, with its own model and collection (INV-1).
    Made anew with every move of the pointer.
    """

    def __init__(self, store: Store, spaces: Spaces, *, active: Route, canary: Canary) -> None:
        self._store, self._spaces = store, spaces
        self._active = active
        self.canary = canary
        with store.read() as view:
            #: What ids of answers are signed with.
            self.secret = view.feedback.secret(active.index) or b""
        self._opening = threading.Lock()
        self._routes: dict[Arm, Route] = {Arm.ACTIVE: active}

    def route(self, key: str, tenant: str | None) -> Route:
        """Return the route of a key.

        Raises:
            RepointError: the candidate cannot be opened here.
        """
        arm = self.canary.arm(self._active.index, key, tenant)
        return self._routes.get(arm) or self._open(arm)

    def candidate(self) -> Route:
        """Return the candidate's route, whatever the key."""
        return self._routes.get(Arm.CANARY) or self._open(Arm.CANARY)

    def warm(self) -> None:
        """Open all of them."""
        for arm in (Arm.CANARY, Arm.BASELINE):
            self._open(arm)

    def _open(self, arm: Arm) -> Route:
        with self._opening:
            if arm not in self._routes:
                self._routes[arm] = self._opened(arm)
            return self._routes[arm]

    def _opened(self, arm: Arm) -> Route:
        if arm is Arm.INTERLEAVED:  # its first half; the other is the candidate's
            return replace(self._active, arm=arm)
        if arm is Arm.BASELINE:
            # Caches as new as the candidate's: what has answered for long has warm ones.
            space = self._spaces.fresh(self._active.space)
            return replace(self._active, arm=arm, space=space)
        with self._store.read() as view:
            release = view.releases.get(self._active.index, self.canary.release)
        space = self._spaces.fresh(self._spaces.open(release))
        return replace(self._active, arm=arm, release=release.name, space=space)
