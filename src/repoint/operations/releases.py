"""Releases: make one from a spec, and start keeping it in step."""

from __future__ import annotations

from dataclasses import replace

from repoint.domain.access import Action
from repoint.domain.adoption import AdoptionState
from repoint.domain.errors import BadSpecError, ConflictError, RetiredError, UnsupportedError
from repoint.domain.ids import IndexName, ReleaseName, collection_name, release_name
from repoint.domain.placing import among_objects, require_same_objects
from repoint.domain.release import Release, ReleaseState
from repoint.domain.rollout import FINAL
from repoint.domain.spec import ReleaseSpec
from repoint.operations import probing
from repoint.operations.embedding import Embedding, pinned
from repoint.operations.freeze import require_thawed
from repoint.operations.session import Session, authorise
from repoint.operations.spaces import Space
from repoint.ports.drivers import Drivers


def complete(spec: ReleaseSpec, drivers: Drivers) -> ReleaseSpec:
    """Return the spec with what only the drivers know: dimensions, digest, libraries."""
    embedder = drivers.embedder(spec.model)
    model = spec.model
    if model.dimensions == 0:  # left out of the file: the model's own
        model = replace(model, dimensions=embedder.dimensions)
        if model.dimensions == 0:
            raise BadSpecError(
                source="release spec",
                field="model.dimensions",
                why=f"provider {model.provider!r} does not know them by itself",
                hint="write the length of its vectors, for instance: dimensions: 384",
            )
    filled = replace(spec, model=pinned(model, embedder))
    return replace(filled, libraries=dict(drivers.preparer(filled).libraries))


def create(
    session: Session, index: IndexName, name: ReleaseName, spec: ReleaseSpec, drivers: Drivers
) -> Release:
    """Store an immutable release, its model opened once and its probes measured.

    Raises:
        AlreadyExistsError: the name is taken in this index.
        MissingModelError: the model cannot be opened here; nothing was stored.
        BadSpecError: the model or reranker cannot take an option; nothing was stored.
        UnsupportedError: the backend lacks what the spec asks for; nothing was stored.
        BadSpecError: it would share objects, and make others; nothing was stored.
    """
    authorise(session, Action.CREATE_RELEASE, index)
    with session.store.read() as view:
        view.indexes.require(index)
    whole = complete(spec, drivers)
    fingerprint = whole.fingerprint()
    release = Release(
        index=index,
        name=release_name(name),
        spec=whole,
        fingerprint=fingerprint,
        collection=collection_name(index, name, fingerprint),
        state=ReleaseState.CREATED,
        created_at=session.clock.now(),
    )
    capabilities = drivers.backend(whole.backend).capabilities
    if capabilities.shares_objects:
        release = replace(release, collection=among_objects(index, release.collection))
    shares = capabilities.shares_objects and not capabilities.own_objects
    _require_supported(release, drivers)
    if whole.rerank is not None:
        drivers.reranker(whole.rerank)  # what it cannot take is said now, not at the first sync
    if shares:
        with session.store.read() as view:
            require_same_objects(release, view.releases.all(index))
    embedding = Embedding(whole.model, drivers.embedder(whole.model), fingerprint)
    probes = probing.measure(embedding)
    with session.store.begin() as tx:
        if shares:
            require_same_objects(release, tx.releases.all(index))
        tx.releases.add(release)
        tx.releases.put_probes(index, release.name, probes)
        tx.audit.append(
            at=release.created_at,
            actor=session.actor,
            action=Action.CREATE_RELEASE,
            index=index,
            details={"release": release.name, "fingerprint": fingerprint},
        )
    return release


def bring_to_life(session: Session, index: IndexName, name: ReleaseName) -> Space:
    """Make a release live, its collection with it, and open its rollout if none is open.

    Raises:
        FrozenError: the index is frozen and the release is not live yet.
        RetiredError: the release is retired or dropped.
    """
    with session.store.read() as view:
        release = view.releases.get(index, name)
    if release.state in {ReleaseState.RETIRED, ReleaseState.DROPPED}:
        raise RetiredError(index=index, release=name, state=release.state)
    if release.state is ReleaseState.LIVE:
        return session.spaces.open(release)
    with session.store.read() as view:
        adoption = view.adoptions.get(index, name)
        if adoption is not None and adoption.state is AdoptionState.SCANNING:
            raise ConflictError(
                f"{adoption.layout.collection} is being adopted as {name}, which is not over",
                hint="go on with it: the same `repoint adopt` again",
            )
        require_thawed(view, index, action=f"start the backfill of {name}")
    space = session.spaces.create(release)
    with session.store.begin() as tx:
        require_thawed(tx, index, action=f"start the backfill of {name}")
        tx.releases.set_state(index, name, ReleaseState.LIVE)
        rollout = tx.pointers.rollout(index)
        if rollout is None or rollout.phase in FINAL:
            tx.pointers.open_rollout(index, name, at=session.clock.now())
    return replace(space, release=replace(release, state=ReleaseState.LIVE))


def set_pace(
    session: Session,
    index: IndexName,
    name: ReleaseName,
    *,
    paused: bool | None = None,
    throttle: float | None = None,
) -> None:
    """Pause or resume a release's backfill, or limit its rows a second.

    Raises:
        ConflictError: the release answers or is the fallback, so it cannot be paused.
    """
    authorise(session, Action.SYNC, index)
    with session.store.begin() as tx:
        release = tx.releases.get(index, name)
        pointer = tx.pointers.pointer(index)
        if paused and name in {pointer.active, pointer.fallback}:
            raise ConflictError(
                f"{name} is the {'active' if name == pointer.active else 'fallback'} release "
                f"of {index!r} and must stay in step",
                hint="throttle it instead: repoint sync … --throttle N/s",
            )
        tx.releases.set_pace(
            index,
            name,
            paused=release.paused if paused is None else paused,
            throttle=throttle if throttle is not None else release.throttle,
        )
        tx.audit.append(
            at=session.clock.now(),
            actor=session.actor,
            action=Action.SYNC,
            index=index,
            details={"release": name, "paused": paused, "throttle": throttle},
        )


def _require_supported(release: Release, drivers: Drivers) -> None:
    capabilities = drivers.backend(release.spec.backend).capabilities
    if release.spec.hybrid is not None and not capabilities.lexical:
        what = "a class" if capabilities.own_objects else "objects"
        shared = f" of {what} that releases share" if capabilities.shares_objects else ""
        raise UnsupportedError(driver=capabilities.name, what=f"hybrid search{shared}")
    if release.spec.distance not in capabilities.distances:
        raise UnsupportedError(
            driver=capabilities.name, what=f"distance {release.spec.distance}"
        )
