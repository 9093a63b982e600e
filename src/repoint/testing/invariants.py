"""The invariants of DESIGN section 6 as questions to a store and its collections.

Each function is named after its invariant and returns in words what breaks it; nothing is
the right answer. They look past every operation, at what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from repoint.domain import audit
from repoint.domain.document import Document, LogRow
from repoint.domain.errors import BrokenAuditError, CollectionMissingError
from repoint.domain.ids import DocumentId, IndexName, Lsn, ReleaseName
from repoint.domain.pointer import MoveKind, Pointer
from repoint.domain.release import Release, ReleaseState
from repoint.domain.rollout import Phase
from repoint.operations.spaces import Space, Spaces
from repoint.ports.backend import SpaceVector
from repoint.ports.store import Store

#: What a stored chunk is compared by: its LSN, its digest, its vector's bytes.
_Chunk = tuple[int, str, bytes]
_QUESTION: Final = "two words"


def broken(
    store: Store, spaces: Spaces, index: IndexName, *, written: Mapping[str, Document | None]
) -> list[str]:
    """Return everything that breaks an invariant, given what writers were told is durable."""
    found = [
        *inv_1(store, spaces, index),
        *inv_2(store, spaces, index),
        *inv_3(store, index),
        *inv_4(store, index),
        *inv_6(store, spaces, index, written=written),
        *inv_7(store, index),
        *inv_8(store, spaces, index),
        *inv_9(store, index, written=written),
    ]
    return [*found, *phase_agrees(store, index)]


def inv_1(store: Store, spaces: Spaces, index: IndexName) -> Iterator[str]:
    """Whoever answers, all or a share, answers from its own model and its own vectors."""
    with store.read() as view:
        answering = [
            view.releases.get(index, name) for name in _answering(view.pointers.pointer(index))
        ]
    for release in answering:
        space = spaces.open(release)
        if space.collection.spec.fingerprint != release.fingerprint:
            yield f"INV-1: {release.name} answers from {space.collection.spec.fingerprint}"
        question = space.embedding.query(_QUESTION, cached=False)
        if question.space != release.fingerprint:
            yield f"INV-1: {release.name} is asked in the space {question.space}"
        yield from _own_scores(space, question)


def _answering(pointer: Pointer) -> list[ReleaseName]:
    """Return who answers all, and who answers a share."""
    tried = pointer.canary.release if pointer.canary is not None else None
    return [name for name in (pointer.active, tried) if name is not None]


def _own_scores(space: Space, question: SpaceVector) -> Iterator[str]:
    wanted = np.asarray(question.values, dtype=np.float64)
    for hit in space.collection.search(question, limit=5):
        vector = _vector(space, hit.text)
        score = float(vector @ wanted / np.linalg.norm(vector) / np.linalg.norm(wanted))
        if abs(score - hit.score) > 1e-5:
            yield (
                f"INV-1: {space.release.name} gives {hit.document!r} {hit.score}, its own "
                f"model gives {score}"
            )


def inv_2(store: Store, spaces: Spaces, index: IndexName) -> Iterator[str]:
    """Every live collection equals the log folded to its watermark.

    A document whose newest row lies above the watermark may stand at any version: the log
    keeps only the newest one.
    """
    with store.read() as view:
        releases = view.releases.all(index)
    for release in releases:
        if release.state is ReleaseState.LIVE:
            space = spaces.open(release)
            for what in _differences(store, space):
                yield f"INV-2: {release.name} {what}"


def _differences(store: Store, space: Space) -> Iterator[str]:
    release = space.release
    with store.read() as view:
        watermark = view.catchup.watermark(release.index, release.name)
        head = view.log.head(release.index)
        rows = {r.id: r for r in view.log.rows(release.index, above=Lsn(0), upto=head)}
        letters = {one.document for one in view.dead_letters.all(release.index, release.name)}
    wanted: dict[tuple[str, int], _Chunk] = {}
    for row in rows.values():
        if row.lsn <= watermark and row.id not in letters:
            wanted |= _wanted(space, row)
    found = {
        key: value
        for key, value in _stored(space).items()
        if (known := rows.get(DocumentId(key[0]))) is None or known.lsn <= watermark
    }
    for key in sorted(wanted.keys() | found.keys()):
        if wanted.get(key) != found.get(key):
            log, stored = wanted.get(key, ("nothing",)), found.get(key, ("nothing",))
            yield f"at {watermark} {key}: log {log[:2]}, collection {stored[:2]}"


def _wanted(space: Space, row: LogRow) -> dict[tuple[str, int], _Chunk]:
    if row.document is None:
        return {}
    return {
        (row.id, slot): (row.lsn, chunk.digest, _vector(space, chunk.text).tobytes())
        for slot, chunk in enumerate(space.preparer.prepare(row.document))
    }


def _stored(space: Space) -> dict[tuple[str, int], _Chunk]:
    found: dict[tuple[str, int], _Chunk] = {}
    for batch in space.collection.scan(with_vectors=True):
        assert batch.vectors is not None
        for place, document in enumerate(batch.documents):
            key = (document, int(batch.slots[place]))
            assert key not in found, f"{key} stands twice"
            vector = np.asarray(batch.vectors[place], dtype=np.float32)
            found[key] = (int(batch.lsns[place]), batch.digests[place], vector.tobytes())
    return found


def _vector(space: Space, text: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return what the release's own model makes of a chunk."""
    return np.asarray(space.embedding.documents([text]).values[0], dtype=np.float32)


def inv_3(store: Store, index: IndexName) -> Iterator[str]:
    """No watermark lies above the head; that none falls is for whoever looked before."""
    with store.read() as view:
        head = view.log.head(index)
        for release in view.releases.all(index):
            mark = view.catchup.watermark(index, release.name)
            if not 0 <= mark <= head:
                yield f"INV-3: {release.name} is at {mark}, the head at {head}"


def inv_4(store: Store, index: IndexName) -> Iterator[str]:
    """Epochs rise by one, and each move begins where the one before ended."""
    with store.read() as view:
        moves = view.pointers.moves(index)[::-1]
        pointer = view.pointers.pointer(index)
    for number, move in enumerate(moves, start=1):
        if move.after.epoch != number or move.before.epoch != number - 1:
            yield f"INV-4: move {number} leads from {move.before} to {move.after}"
        if number > 1 and moves[number - 2].after != move.before:
            yield f"INV-4: move {number} does not begin where {number - 1} ended"
    if moves and moves[-1].after != pointer:
        yield f"INV-4: the pointer {pointer} is not the newest move"


def inv_6(
    store: Store, spaces: Spaces, index: IndexName, *, written: Mapping[str, Document | None]
) -> Iterator[str]:
    """Whoever answers, all or a share, returns no document whose delete it has applied."""
    with store.read() as view:
        rows = view.log.get(index, [DocumentId(one) for one in written])
        answering = [
            (view.releases.get(index, name), view.catchup.watermark(index, name))
            for name in _answering(view.pointers.pointer(index))
        ]
    for release, mark in answering:
        gone = [
            DocumentId(one)
            for one, content in written.items()
            if content is None
            and ((row := rows.get(DocumentId(one))) is None or row.lsn <= mark)
        ]
        for document in sorted(set(spaces.open(release).collection.stored(gone).documents)):
            yield (
                f"INV-6: {release.name} answers and still has {document!r}, which was deleted"
            )


def inv_7(store: Store, index: IndexName) -> Iterator[str]:
    """The chain verifies, and each move has one record that says all of it."""
    with store.read() as view:
        records = view.audit.records()
        moves = view.pointers.moves(index)
    try:
        audit.verify(records)
    except BrokenAuditError as error:
        yield f"INV-7: {error.message}"
    kinds = {str(kind) for kind in MoveKind}
    for move in moves:
        told = [
            (one.action, one.actor, one.reason, one.details["from"], one.details["to"])
            for one in records
            if one.index == index
            and one.outcome is audit.Outcome.DONE
            and one.action in kinds
            and one.details.get("epoch") == move.after.epoch
            and "checked" in one.details
        ]
        made = (move.kind, move.actor, move.reason, move.before.active, move.after.active)
        if told != [made]:
            yield f"INV-7: move {move.after.epoch} {made} is told as {told}"


def inv_8(store: Store, spaces: Spaces, index: IndexName) -> Iterator[str]:
    """What answers, may answer again, is held or aliased still has its collection."""
    with store.read() as view:
        pointer = view.pointers.pointer(index)
        releases = {one.name: one for one in view.releases.all(index)}
        held = {one.release for one in view.access.holds(index)}
    needed = {*_answering(pointer), pointer.fallback, *held} - {None}
    needed |= {one.name for one in releases.values() if one.state is ReleaseState.LIVE}
    for name in needed:
        release = releases[name] if name else None
        if release is None:
            continue
        if release.state is ReleaseState.DROPPED:
            yield f"INV-8: {name} is needed and was dropped"
        elif release.state is not ReleaseState.CREATED and not _is_there(spaces, release):
            yield f"INV-8: the collection of {name} is needed and gone"
    yield from _alias(spaces, index, list(releases.values()))


def _is_there(spaces: Spaces, release: Release) -> bool:
    try:
        spaces.backend(release).open(release.collection, fingerprint=release.fingerprint)
    except CollectionMissingError:
        return False
    return True


def _alias(spaces: Spaces, index: IndexName, releases: list[Release]) -> Iterator[str]:
    for backend in {id(b): b for b in map(spaces.backend, releases)}.values():
        if backend.capabilities.aliases:
            target = backend.alias_target(index)
            if target is not None and target not in backend.collections():
                yield f"INV-8: the alias points at {target}, which is gone"


def inv_9(
    store: Store, index: IndexName, *, written: Mapping[str, Document | None]
) -> Iterator[str]:
    """Whatever a writer was told is durable is the newest in the log."""
    with store.read() as view:
        rows = view.log.get(index, [DocumentId(one) for one in written])
    for name, content in written.items():
        row = rows.get(DocumentId(name))
        found = row.document if row is not None else None
        if found != content:
            yield f"INV-9: {name!r} was acknowledged as {content}, the log has {found}"


def phase_agrees(store: Store, index: IndexName) -> Iterator[str]:
    """A rollout soaks exactly while its release answers with a fallback behind it."""
    with store.read() as view:
        pointer, rollout = view.pointers.pointer(index), view.pointers.rollout(index)
    soaking = rollout is not None and rollout.phase is Phase.SOAKING
    if soaking != (pointer.fallback is not None):
        yield f"the rollout {rollout} does not fit the pointer {pointer}"
    if soaking and rollout is not None and rollout.release != pointer.active:
        yield f"{rollout.release} soaks while {pointer.active} answers"


def settled(store: Store, spaces: Spaces, index: IndexName) -> Iterator[str]:
    """Nothing is half done, and the database's own name points where the pointer does."""
    with store.read() as view:
        operation = view.operations.unfinished(index)
        pointer = view.pointers.pointer(index)
        release = view.releases.get(index, pointer.active) if pointer.active else None
    if operation is not None:
        yield f"{operation.kind} of {operation.release} is still {operation.step}"
    if release is None:
        return
    backend = spaces.backend(release)
    if backend.capabilities.aliases:
        target = backend.alias_target(index)
        if target != release.collection:
            yield f"the alias points at {target}, not at {release.collection}"
