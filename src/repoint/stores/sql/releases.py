"""Releases and what was measured of them."""

from __future__ import annotations

import json
from collections.abc import Mapping

import sqlalchemy as sa

from repoint.domain.bridge import BridgeMap
from repoint.domain.errors import AlreadyExistsError, HeldError, NotFoundError
from repoint.domain.ids import BridgeId, CollectionName, Fingerprint, IndexName, ReleaseName
from repoint.domain.operation import Baseline
from repoint.domain.release import ProbeSet, Release, ReleaseState
from repoint.stores.sql import codec
from repoint.stores.sql.bridge_tables import bridges
from repoint.stores.sql.dialect import insert
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.tables import baselines, holds, moves, releases, watermarks


def require_release(connection: sa.Connection, index: str, name: str) -> None:
    """Return if the index has such a release.

    Raises:
        NotFoundError: no such index or release; the error lists those there are.
    """
    found = sa.select(releases.c.name).where(_is(index, name))
    if connection.scalar(found) is None:
        require_index(connection, index)
        known = connection.scalars(
            sa.select(releases.c.name)
            .where(releases.c.index_name == index)
            .order_by(releases.c.ordinal)
        )
        raise NotFoundError(what="release", name=name, known=list(known))


def uses(connection: sa.Connection, index: str, name: str) -> list[str]:
    """Return what still needs a release: the pointer and holds (INV-8)."""
    newest = connection.execute(
        sa.select(moves.c.after_active, moves.c.after_fallback)
        .where(moves.c.index_name == index)
        .order_by(moves.c.epoch.desc())
        .limit(1)
    ).one_or_none()
    found = []
    if newest is not None and newest.after_active == name:
        found.append("it is active")
    if newest is not None and newest.after_fallback == name:
        found.append("it is the fallback")
    held = connection.scalars(
        sa.select(holds.c.reason).where(holds.c.index_name == index, holds.c.release == name)
    )
    return found + [f"held: {reason}" for reason in held]


class SqlReleases:
    """``ports.store.Releases`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, release: Release) -> None:
        """Store a new release, with its watermark at 0."""
        index, name = release.index, release.name
        require_index(self._connection, index)
        taken = sa.select(releases.c.name).where(_is(index, name))
        if self._connection.scalar(taken) is not None:
            raise AlreadyExistsError(what="release", name=name)
        newest = self._connection.scalar(
            sa.select(sa.func.max(releases.c.ordinal)).where(releases.c.index_name == index)
        )
        self._connection.execute(
            sa.insert(releases).values(
                index_name=index,
                name=name,
                ordinal=(newest or 0) + 1,
                spec=codec.encode_spec(release.spec),
                fingerprint=release.fingerprint,
                collection=release.collection,
                state=release.state.value,
                created_at=release.created_at,
                paused=int(release.paused),
                throttle=release.throttle,
            )
        )
        self._connection.execute(
            sa.insert(watermarks).values(
                index_name=index, release=name, watermark=0, generation=0, windows=0
            )
        )

    def get(self, index: IndexName, name: ReleaseName) -> Release:
        """Return one release."""
        row = self._connection.execute(
            sa.select(releases).where(_is(index, name))
        ).one_or_none()
        if row is None:
            require_release(self._connection, index, name)
        assert row is not None  # noqa: S101 - required just above
        return _release(row, enabled_bridges(self._connection, index))

    def all(self, index: IndexName) -> list[Release]:
        """Return all releases of an index, oldest first."""
        ordered = (
            sa.select(releases)
            .where(releases.c.index_name == index)
            .order_by(releases.c.ordinal)
        )
        rows = self._connection.execute(ordered).all()
        bridged = enabled_bridges(self._connection, index)
        return [_release(row, bridged) for row in rows]

    def set_state(self, index: IndexName, name: ReleaseName, state: ReleaseState) -> None:
        """Change how far a release is in its life.

        Raises:
            HeldError: it would be dropped while the pointer or a hold needs it (INV-8).
        """
        require_release(self._connection, index, name)
        if state is ReleaseState.DROPPED and (holders := uses(self._connection, index, name)):
            raise HeldError(index=index, release=name, holders=holders)
        self._connection.execute(
            sa.update(releases).where(_is(index, name)).values(state=state.value)
        )

    def set_pace(
        self, index: IndexName, name: ReleaseName, *, paused: bool, throttle: float | None
    ) -> None:
        """Pause or resume a release's sync, or limit its rows a second."""
        require_release(self._connection, index, name)
        self._connection.execute(
            sa.update(releases)
            .where(_is(index, name))
            .values(paused=int(paused), throttle=throttle)
        )

    def put_probes(self, index: IndexName, name: ReleaseName, probes: ProbeSet) -> None:
        """Store the sentinels measured when the release was made."""
        require_release(self._connection, index, name)
        self._connection.execute(
            sa.update(releases)
            .where(_is(index, name))
            .values(probes=codec.encode_probes(probes))
        )

    def probes(self, index: IndexName, name: ReleaseName) -> ProbeSet | None:
        """Return the sentinels, None before they were measured."""
        text = self._connection.scalar(sa.select(releases.c.probes).where(_is(index, name)))
        return None if text is None else codec.decode_probes(text)

    def put_baseline(self, baseline: Baseline) -> None:
        """Store what a release answers while it is known to be good; the newest stands."""
        require_release(self._connection, baseline.index, baseline.release)
        statement = insert(self._connection, baselines).values(
            index_name=baseline.index,
            release=baseline.release,
            at=baseline.at,
            content=codec.encode_baseline(baseline),
        )
        new = statement.excluded
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["index_name", "release"],
                set_={"at": new.at, "content": new.content},
                where=new.at >= baselines.c.at,
            )
        )

    def baseline(self, index: IndexName, name: ReleaseName) -> Baseline | None:
        """Return the newest baseline."""
        row = self._connection.execute(
            sa.select(baselines.c.at, baselines.c.content).where(
                baselines.c.index_name == index, baselines.c.release == name
            )
        ).one_or_none()
        if row is None:
            return None
        tree = json.loads(row.content)
        return Baseline(
            index=index,
            release=name,
            answers=codec.answers(tree["answers"]),
            expected=tree["expected"],
            latency_p50_ms=tree["latency_p50_ms"],
            latency_p95_ms=tree["latency_p95_ms"],
            at=row.at,
        )


def _is(index: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(releases.c.index_name == index, releases.c.name == name)


def enabled_bridges(connection: sa.Connection, index: str) -> dict[str, BridgeMap]:
    """Return by release what its queries go over."""
    found = connection.execute(
        sa.select(bridges, releases.c.spec.label("source_spec"))
        .join(
            releases,
            sa.and_(
                releases.c.index_name == bridges.c.index_name,
                releases.c.name == bridges.c.source,
            ),
        )
        .where(bridges.c.index_name == index, bridges.c.enabled == 1)
    )
    return {row.release: bridge_map(row) for row in found}


def bridge_map(row: sa.Row[tuple[object, ...]]) -> BridgeMap:
    """Return the map of a row that has its source's spec beside it."""
    return BridgeMap(
        id=BridgeId(row.id),
        index=IndexName(row.index_name),
        release=ReleaseName(row.release),
        source=ReleaseName(row.source),
        source_fingerprint=Fingerprint(row.source_fingerprint),
        source_model=codec.decode_spec(row.source_spec).model,
        weights=row.weights,
    )


def _release(row: sa.Row[tuple[object, ...]], bridged: Mapping[str, BridgeMap]) -> Release:
    return Release(
        index=IndexName(row.index_name),
        name=ReleaseName(row.name),
        spec=codec.decode_spec(row.spec),
        fingerprint=Fingerprint(row.fingerprint),
        collection=CollectionName(row.collection),
        state=ReleaseState(row.state),
        created_at=row.created_at,
        paused=bool(row.paused),
        throttle=row.throttle,
        bridge=bridged.get(row.name),
    )
