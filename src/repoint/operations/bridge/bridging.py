"""Fit a bridge, and let queries go over it or stop that.

For emergencies: the way back is a release whose query model no longer exists. Off unless the
policy has a floor for it. The order is fit, look at what is lost, enable, roll back.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from repoint.domain.access import Action
from repoint.domain.bridge import Bridge, BridgeMap, BridgeRule, Retention
from repoint.domain.document import Json
from repoint.domain.errors import BadInputError, RefusedError
from repoint.domain.ids import (
    BridgeId,
    DocumentId,
    IndexName,
    Lsn,
    ReleaseName,
    query_set_name,
)
from repoint.domain.measures import Measure
from repoint.domain.release import Release, ReleaseState
from repoint.operations.bridge import fitting, measuring
from repoint.operations.session import Session, authorise, require_reason
from repoint.ports.backend import Collection, FloatMatrix, FloatVector
from repoint.ports.store import Transaction

#: Pairs beyond which a map of a few hundred dimensions gets no better.
PAIRS: Final = 20_000
#: Fewer pairs than this many times the larger space's dimensions fit noise.
_PAIRS_A_DIMENSION: Final = 2
_LEAST_PAIRS: Final = 100
#: Rows looked up together.
_BLOCK: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How a bridge is fitted."""

    #: The query set that it is measured with; empty: the release's golden queries.
    queries: str = ""
    #: At most so many pairs of vectors.
    pairs: int = PAIRS
    #: Of the sample and of what is held out: the same seed gives the same bridge.
    seed: int = 0


def fit(
    session: Session,
    index: IndexName,
    release: ReleaseName,
    source: ReleaseName,
    *,
    options: FitOptions,
) -> Bridge:
    """Fit a map from a living release's space into an old one's, measure it, and store both.

    Nothing is embedded but the queries that it is measured with: the pairs are vectors that
    both collections hold of the same text. No query goes over it until it is enabled.

    Raises:
        NotFoundError: no such release or query set.
        RefusedError: a collection is gone, too few texts are in both, or nothing tells what
            the old model answered.
        UnavailableError: the living model or a database did not answer; nothing was stored.
    """
    authorise(session, Action.FIT_BRIDGE, index)
    if release == source:
        raise BadInputError(
            f"a bridge joins two releases, not {release!r} with itself",
            hint="name the release whose model still answers with --from",
        )
    if options.pairs < _LEAST_PAIRS:
        raise BadInputError(
            f"{options.pairs} pairs are too few to fit a map",
            hint=f"at least {_LEAST_PAIRS}, or leave it out",
        )
    with session.store.read() as view:
        old, living = (_with_collection(view, index, name) for name in (release, source))
    if living.bridge is not None:
        raise RefusedError(
            f"{source!r} has no query model of its own now: its queries go over a bridge",
            hint="name a release whose model answers",
        )
    made = fitting.fit(*_pairs(session, living, old, options), seed=options.seed)
    crossing = BridgeMap(
        id=BridgeId(f"b-{session.ids.new()[-10:]}"),
        index=index,
        release=release,
        source=source,
        source_fingerprint=living.fingerprint,
        source_model=living.spec.model,
        weights=made.weights.astype("<f4").tobytes(),
    )
    bridge = Bridge(
        map=crossing,
        method=made.method,
        fitted=made.fitted,
        held_out=made.held_out,
        cosine=made.cosine,
        retention=_retention(session, replace(old, bridge=crossing), options),
        actor=session.actor,
        at=session.clock.now(),
    )
    with session.store.begin() as tx:
        tx.bridges.add(bridge)
        tx.audit.append(
            at=bridge.at,
            actor=session.actor,
            action=Action.FIT_BRIDGE,
            index=index,
            details={"fitted": bridge.id, **told(bridge)},
        )
    return bridge


def enable(session: Session, index: IndexName, bridge: BridgeId, *, reason: str) -> Bridge:
    """Let the old release's queries go over a bridge, from when it next begins to answer.

    Raises:
        NotFoundError: no such bridge.
        RefusedError: the policy allows no bridge, it keeps less than the policy's floor, or
            the release answers now, with routes that other processes hold.
    """
    require_reason(reason, of="a bridge")
    authorise(session, Action.ENABLE_BRIDGE, index, reason=reason)
    with session.store.begin() as tx:
        one = tx.bridges.get(index, bridge)
        rule = tx.policies.newest(index).policy.bridge
        _require_allowed(one, rule)
        _require_at_rest(tx, one, "over a bridge")
        tx.bridges.enable(index, one.release, one.id)
        tx.audit.append(
            at=session.clock.now(),
            actor=session.actor,
            action=Action.ENABLE_BRIDGE,
            index=index,
            reason=reason,
            details={"enabled": one.id, **told(one)},
        )
        return tx.bridges.get(index, bridge)


def disable(session: Session, index: IndexName, release: ReleaseName, *, reason: str) -> Bridge:
    """Let a release's queries go to its own model again.

    Raises:
        RefusedError: none of its bridges is enabled, or the release answers now.
    """
    authorise(session, Action.ENABLE_BRIDGE, index, reason=reason)
    with session.store.begin() as tx:
        one = tx.releases.get(index, release).bridge
        if one is None:
            raise RefusedError(f"queries of {release!r} go to its own model already")
        _require_at_rest(tx, one, "to its own model")
        tx.bridges.enable(index, release, None)
        tx.audit.append(
            at=session.clock.now(),
            actor=session.actor,
            action=Action.ENABLE_BRIDGE,
            index=index,
            reason=reason,
            details={"disabled": one.id, "release": release},
        )
        return tx.bridges.get(index, one.id)


def bridges(session: Session, index: IndexName) -> list[Bridge]:
    """Return all bridges of an index, newest first."""
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        view.indexes.require(index)
        return view.bridges.all(index)


def told(bridge: Bridge) -> dict[str, Json]:
    """Return what records and JSON output say of a bridge's worth."""
    kept = bridge.retention
    return {
        "release": bridge.release,
        "source": bridge.source,
        "measure": kept.measure,
        "queries": kept.queries,
        "retention": round(kept.share, 4),
    }


def _with_collection(view: Transaction, index: IndexName, name: ReleaseName) -> Release:
    release = view.releases.get(index, name)
    if release.state in {ReleaseState.CREATED, ReleaseState.DROPPED}:
        raise RefusedError(
            f"release {name!r} is {release.state}: it has no vectors to learn from",
            hint=f"repoint sync {index} {name}"
            if release.state is ReleaseState.CREATED
            else "choose another release",
        )
    return release


def _pairs(
    session: Session, living: Release, old: Release, options: FitOptions
) -> tuple[FloatMatrix, FloatMatrix]:
    """Return the vectors that both collections hold of the same text, row by row."""
    ours = _collection(session, living)
    theirs = _collection(session, old)
    xs: list[FloatVector] = []
    ys: list[FloatVector] = []
    for ids in _documents(session, living.index, options):
        mine = _by_text(ours, ids)
        for key, vector in _by_text(theirs, ids).items():
            if key in mine:
                xs.append(mine[key])
                ys.append(vector)
        if len(xs) >= options.pairs:
            break
    widest = max(living.spec.model.dimensions, old.spec.model.dimensions)
    least = max(_LEAST_PAIRS, widest * _PAIRS_A_DIMENSION)
    if len(xs) < least:
        raise RefusedError(
            f"{living.name!r} and {old.name!r} hold vectors of {len(xs):,} texts in common; a "
            f"map of {widest} dimensions needs {least:,}",
            hint="bring both into step; releases that cut or prepare texts in other ways have "
            "none in common",
        )
    return np.stack(xs[: options.pairs]), np.stack(ys[: options.pairs])


def _collection(session: Session, release: Release) -> Collection:
    return session.spaces.backend(release).open(
        release.collection, fingerprint=release.fingerprint
    )


def _documents(
    session: Session, index: IndexName, options: FitOptions
) -> Iterator[list[DocumentId]]:
    """Yield blocks of documents, in an order that has nothing to do with the log's."""
    with session.store.read() as view:
        head = view.log.head(index)
    starts = list(range(0, head, _BLOCK))
    random.Random(options.seed).shuffle(starts)  # noqa: S311 - a sample, not a secret
    for start in starts:
        with session.store.read() as view:
            upto = Lsn(min(start + _BLOCK, head))
            rows = view.log.rows(index, above=Lsn(start), upto=upto)
        ids = [row.id for row in rows if row.document is not None]
        if ids:
            yield ids


def _by_text(
    collection: Collection, ids: Sequence[DocumentId]
) -> dict[tuple[DocumentId, int, str], FloatVector]:
    stored = collection.stored(ids, with_vectors=True)
    if stored.vectors is None:
        return {}
    keys = zip(stored.documents, map(int, stored.slots), stored.digests, strict=True)
    usable = [bool(np.isfinite(row).all()) for row in stored.vectors]
    return {key: stored.vectors[row] for row, key in enumerate(keys) if usable[row]}


def _retention(session: Session, crossing: Release, options: FitOptions) -> Retention:
    """Measure a bridge that is not stored yet; ``crossing`` is its release going over it."""
    index, name = crossing.index, crossing.name
    with session.store.read() as view:
        rule = view.policies.newest(index).policy.bridge
        baseline = view.releases.baseline(index, name)
    space = session.spaces.open(crossing)
    if options.queries:
        queries = measuring.query_set_of(session, crossing, query_set_name(options.queries))
        measure = Measure.parse((rule or BridgeRule(floor=1.0)).measure)
        return measuring.against_queries(session, space, queries, measure=measure)
    if baseline is None:
        raise RefusedError(
            f"nothing tells what {name!r} answered: it has no golden queries, because it never "
            "was another's fallback",
            hint="measure with a query set: --queries NAME",
        )
    return measuring.against_golden(session, space, baseline)


def _require_allowed(bridge: Bridge, rule: BridgeRule | None) -> None:
    index = bridge.map.index
    if rule is None:
        raise RefusedError(
            f"the policy of {index!r} allows no bridge",
            hint="an approver decides what may be lost: put bridge: {floor: 0.8} into it, and: "
            f"repoint policy set {index} policy.yaml",
        )
    kept = bridge.retention
    if kept.share < rule.floor:
        raise RefusedError(
            f"bridge {bridge.id} keeps {kept.share:.1%} of {kept.measure}, and the policy's "
            f"floor is {rule.floor:.1%}",
            hint="fit one from another release, or answer with a release whose model is alive",
        )


def _require_at_rest(tx: Transaction, bridge: Bridge | BridgeMap, way: str) -> None:
    release = bridge.release
    index = bridge.map.index if isinstance(bridge, Bridge) else bridge.index
    if tx.pointers.pointer(index).active == release:
        raise RefusedError(
            f"{release!r} answers now, by routes that processes hold: none of them can be sent "
            f"{way} under way",
            hint="move the pointer to another release first, or make a new release",
        )
