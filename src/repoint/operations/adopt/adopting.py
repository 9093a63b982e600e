"""Adopt: a collection that a team has in production becomes a release, where it stands.

1. Its layout is described and a sample is embedded again: a spec that did not make these
   vectors is refused, before anything is written.
2. A release is stored with the record of its adoption, and a place for what is noted.
3. The rows are read page by page. Each page goes into the log, then what the log made of it
   is noted beside the rows, then the watermark moves over the page, with the place where the
   scan goes on. So the collection equals the log up to the watermark at every moment (INV-2),
   and a scan that was killed anywhere is continued by the same call.
4. What changed behind the scan is taken in; then the release is live, as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from repoint.domain.access import Action
from repoint.domain.adoption import Adoption, AdoptionState, Layout
from repoint.domain.document import Json
from repoint.domain.errors import AlreadyExistsError, CollectionMissingError, ConflictError
from repoint.domain.ids import IndexName, Lsn, ReleaseName, collection_name
from repoint.domain.release import Release, ReleaseState
from repoint.domain.rollout import FINAL
from repoint.operations import probing
from repoint.operations.adopt import absorbing, planning
from repoint.operations.adopt.models import ProvingDrivers
from repoint.operations.adopt.planning import Declaration
from repoint.operations.adopt.scanning import AdoptionProgress, Scan, in_step
from repoint.operations.embedding import Embedding
from repoint.operations.freeze import require_thawed
from repoint.operations.session import Session, authorise
from repoint.operations.spaces import Space, collection_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionReport:
    """What adopting did."""

    index: IndexName
    release: ReleaseName
    collection: str
    rows: int
    without_text: int
    #: Chunks that were embedded to bring it into step: rows that changed meanwhile.
    embedded: int
    #: False when it was stopped; the same call goes on.
    complete: bool
    seconds: float
    head: Lsn
    proof: Mapping[str, Json]
    #: Documents on which log and collection disagree; decide with ``absorb``.
    conflicts: int


def adopt(  # noqa: PLR0913 - what is adopted as what, and how the caller watches
    session: Session,
    index: IndexName,
    name: ReleaseName,
    declared: Declaration,
    drivers: ProvingDrivers,
    *,
    progress: Callable[[AdoptionProgress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> AdoptionReport:
    """Make a team's collection a live release, or go on where an earlier call ended.

    Raises:
        WrongDeclarationError: the spec did not make these vectors; nothing was written.
        ConflictError: the index has documents or releases of its own.
        UnavailableError: a database or the model did not answer; call it again.
    """
    began = session.clock.monotonic()
    authorise(session, Action.ADOPT, index)
    spec = planning.completed(declared.spec, drivers)
    before = planning.record_of(session, index, name)
    if before is not None and before.state is not AdoptionState.SCANNING:
        raise AlreadyExistsError(
            what="adopted release", name=name, hint=f"see: repoint status {index}"
        )
    if before is None:
        _begin(session, index, name, replace(declared, spec=spec), drivers)
    else:
        _begin_again(session, before, declared)
    scan = Scan(session, index, name, spec)
    complete = scan.run(progress=progress, stop=stop or (lambda: False))
    conflicts, embedded = 0, scan.embedded
    if complete:
        left, more = _finish(session, scan.space)
        conflicts, embedded = left, embedded + more
    with session.store.read() as view:
        done = view.adoptions.get(index, name)
        head = view.log.head(index)
    assert done is not None  # noqa: S101 - begun above
    return AdoptionReport(
        index=index,
        release=name,
        collection=done.layout.collection,
        rows=done.rows,
        without_text=done.without_text,
        embedded=embedded,
        complete=complete,
        seconds=session.clock.monotonic() - began,
        head=head,
        proof=done.proof,
        conflicts=conflicts,
    )


def _begin(
    session: Session,
    index: IndexName,
    name: ReleaseName,
    declared: Declaration,
    drivers: ProvingDrivers,
) -> None:
    spec = declared.spec
    adopter = session.spaces.adopter(spec.backend)
    alias = session.spaces.alias_of(spec.backend, index)
    foreign = adopter.look(declared.wish, alias=alias)
    planning.require_dimensions(foreign, spec)
    for why in planning.in_the_way(session, index, None):
        raise ConflictError(why)
    proof = planning.proof_of(session, adopter, foreign, declared, drivers)
    planning.refuse_wrong(session, index, foreign, declared, proof)
    fingerprint = spec.fingerprint()
    release = Release(
        index=index,
        name=name,
        spec=spec,
        fingerprint=fingerprint,
        collection=collection_name(index, name, fingerprint),
        state=ReleaseState.CREATED,
        created_at=session.clock.now(),
    )
    embedding = Embedding(spec.model, drivers.embedder(spec.model), fingerprint)
    probes = probing.measure(embedding)
    # The place first: a record without one would have nothing to go on with.
    _make_place(session, release, foreign.layout)
    with session.store.begin() as tx:
        if index not in tx.indexes.names():
            tx.indexes.create(index, at=release.created_at)
        require_thawed(tx, index, action=f"adopt {foreign.layout.collection}")
        for why in planning.of_index(tx, index):
            raise ConflictError(why)
        tx.releases.add(release)
        tx.releases.put_probes(index, name, probes)
        tx.adoptions.begin(
            Adoption(
                index=index,
                release=name,
                backend=spec.backend,
                layout=foreign.layout,
                state=AdoptionState.SCANNING,
                cursor="",
                rows=0,
                without_text=0,
                total=foreign.rows,
                actor=session.actor,
                started_at=release.created_at,
                finished_at=None,
                proof=proof.as_tree(),
            )
        )
        tx.audit.append(
            at=release.created_at,
            actor=session.actor,
            action=Action.ADOPT,
            index=index,
            details={
                "release": name,
                "collection": foreign.layout.collection,
                "fingerprint": fingerprint,
                **proof.as_tree(),
            },
        )


def _begin_again(session: Session, before: Adoption, declared: Declaration) -> None:
    """Read from the start if the collection is described in another way than before.

    What the log has of it stays: what is equal is not written again.
    """
    alias = session.spaces.alias_of(before.backend, before.index)
    layout = session.spaces.adopter(before.backend).look(declared.wish, alias=alias).layout
    with session.store.read() as view:
        release = view.releases.get(before.index, before.release)
    if layout == before.layout == _place(session, release):
        return
    with session.store.begin() as tx:
        tx.catchup.restart(before.index, before.release)
        again = replace(before, layout=layout, cursor="", rows=0, without_text=0)
        tx.adoptions.advance(again)
    session.spaces.forget(release)
    _make_place(session, release, layout)


def _place(session: Session, release: Release) -> Layout | None:
    """Return the layout that the place for notes was made for; None where there is none."""
    backend = session.spaces.backend(release)
    try:
        opened = backend.open(release.collection, fingerprint=release.fingerprint)
    except CollectionMissingError:
        return None
    return opened.spec.adopted


def _make_place(session: Session, release: Release, layout: Layout) -> None:
    """Make the place for notes, without what an earlier call may have left there."""
    session.spaces.backend(release).drop(release.collection)
    adopter = session.spaces.adopter(release.spec.backend)
    adopter.begin(replace(collection_spec(release), adopted=layout))


def _finish(session: Session, space: Space) -> tuple[int, int]:
    """Take in what changed behind the scan, and let the release live.

    Return how many documents are in conflict, and how many chunks had to be embedded.
    """
    index, name = space.release.index, space.release.name
    taken = absorbing.take(session, space)
    now = session.clock.now()
    with session.store.begin() as tx:
        require_thawed(tx, index, action=f"adopt {name}")
        tx.releases.set_state(index, name, ReleaseState.LIVE)
        tx.adoptions.set_state(index, name, AdoptionState.ADOPTED, at=now)
        rollout = tx.pointers.rollout(index)
        if rollout is None or rollout.phase in FINAL:
            tx.pointers.open_rollout(index, name, at=now)
        tx.audit.append(
            at=now,
            actor=session.actor,
            action=Action.ADOPT,
            index=index,
            details={"release": name, "state": AdoptionState.ADOPTED.value},
        )
    live = replace(space, release=replace(space.release, state=ReleaseState.LIVE))
    return taken.conflicts, in_step(session, live)
