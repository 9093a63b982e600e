"""What every store promises of bridges."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repoint.domain.bridge import Against, Bridge, BridgeMap, MapMethod, Retention
from repoint.domain.errors import NotFoundError
from repoint.domain.ids import BridgeId, ReleaseName
from repoint.ports.store import Store
from repoint.testing.conformance import Suite
from repoint.testing.store_samples import ANNA, DOCS, NOW, V1, V2, release, with_index


def bridge(name: str = "b-1") -> Bridge:
    """Return a bridge from v2's model into v1's space."""
    source = release(V2)
    return Bridge(
        map=BridgeMap(
            id=BridgeId(name),
            index=DOCS,
            release=V1,
            source=V2,
            source_fingerprint=source.fingerprint,
            source_model=source.spec.model,
            weights=bytes(range(256)),
        ),
        method=MapMethod.RIDGE,
        fitted=900,
        held_out=100,
        cosine=0.8125,
        retention=Retention(
            against=Against.JUDGEMENTS,
            measure="nDCG@10",
            queries="clinic@2",
            count=50,
            old=0.5,
            bridged=0.4375,
            low=-0.1,
            high=-0.01,
        ),
        actor=ANNA,
        at=NOW,
    )


class BridgeSuite(Suite):
    """Bridges, and which of them queries go over."""

    def test_a_bridge_comes_back_as_it_was_given(self, store: Store) -> None:
        """[bridges-are-immutable], the newest first, and none is enabled by being stored."""
        _with_releases(store)
        one, two = bridge(), bridge("b-2")
        with store.begin() as tx:
            tx.bridges.add(one)
            tx.bridges.add(two)
        with store.read() as view:
            assert view.bridges.get(DOCS, one.id) == one
            assert view.bridges.all(DOCS) == [two, one]
            assert view.releases.get(DOCS, V1).bridge is None
            with pytest.raises(NotFoundError, match="b-9"):
                view.bridges.get(DOCS, BridgeId("b-9"))

    def test_a_release_has_at_most_one_bridge_at_a_time(self, store: Store) -> None:
        """[one-bridge-a-release]: the newest that was enabled stands, or none."""
        _with_releases(store)
        one, two = bridge(), bridge("b-2")
        with store.begin() as tx:
            tx.bridges.add(one)
            tx.bridges.add(two)
            tx.bridges.enable(DOCS, V1, one.id)
            tx.bridges.enable(DOCS, V1, two.id)
        with store.read() as view:
            assert view.releases.get(DOCS, V1).bridge == two.map
            assert [each.bridge for each in view.releases.all(DOCS)] == [two.map, None]
            assert view.bridges.all(DOCS) == [replace(two, enabled=True), one]
        with store.begin() as tx:
            tx.bridges.enable(DOCS, V1, None)
        with store.read() as view:
            assert view.releases.get(DOCS, V1).bridge is None

    def test_a_bridge_of_another_release_is_not_enabled(self, store: Store) -> None:
        """Nothing changes."""
        _with_releases(store)
        one = bridge()
        with store.begin() as tx:
            tx.bridges.add(one)
            tx.bridges.enable(DOCS, V1, one.id)
        for release_, name in ((V2, one.id), (V1, BridgeId("b-9"))):
            with pytest.raises(NotFoundError), store.begin() as tx:
                tx.bridges.enable(DOCS, release_, name)
        with store.read() as view:
            assert view.releases.get(DOCS, V1).bridge == one.map

    def test_a_bridge_joins_releases_that_there_are(self, store: Store) -> None:
        """Otherwise nothing is stored."""
        _with_releases(store)
        lost = replace(bridge(), map=replace(bridge().map, source=ReleaseName("v9")))
        with pytest.raises(NotFoundError, match="v9"), store.begin() as tx:
            tx.bridges.add(lost)
        with store.read() as view:
            assert view.bridges.all(DOCS) == []


def _with_releases(store: Store) -> None:
    with_index(store)
    with store.begin() as tx:
        known = {one.name for one in tx.releases.all(DOCS)}
        for name in (V1, V2):
            if name not in known:
                tx.releases.add(release(name))
