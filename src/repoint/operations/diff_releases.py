"""Diff of two releases of one index: which documents one has and the other has not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from repoint.domain.ids import DocumentId, IndexName, Lsn, ReleaseName
from repoint.operations.fingerprints import Corpus, Wanted, stored_corpus
from repoint.operations.spaces import Space
from repoint.ports.backend import StoredBatch
from repoint.ports.store import Store

#: Documents read again at once.
_BATCH = 256
#: Differing documents that a report names, of each kind.
EXAMPLES = 20


class Side(StrEnum):
    """Where a document stands."""

    ONLY_A = "only-a"
    ONLY_B = "only-b"
    #: In both, at two versions.
    OTHER_VERSION = "other-version"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasesReport:
    """Which documents two releases hold differently."""

    index: IndexName
    a: ReleaseName
    b: ReleaseName
    #: The lower of both watermarks: documents changed above it are left out.
    upto: Lsn
    documents_a: int
    documents_b: int
    counts: dict[Side, int]
    #: The first of each side that were found.
    examples: dict[Side, tuple[DocumentId, ...]]
    #: Dead letters of either: why one release may rightly lack a document.
    refused_a: int
    refused_b: int

    @property
    def clean(self) -> bool:
        """Whether both hold the same documents at the same versions."""
        return not any(self.counts.values())


def compare_releases(store: Store, a: Space, b: Space) -> ReleasesReport:
    """Compare the documents of two collections at the lower of both watermarks.

    Raises:
        UnavailableError: the database or the store did not answer.
    """
    index = a.release.index
    with store.read() as view:
        upto = min(view.catchup.watermark(index, s.release.name) for s in (a, b))
        refused = [len(view.dead_letters.all(index, s.release.name)) for s in (a, b)]
    left = stored_corpus(a.collection.scan(), _nothing)
    right = stored_corpus(b.collection.scan(), _nothing)
    counts = dict.fromkeys(Side, 0)
    examples: dict[Side, list[DocumentId]] = {side: [] for side in Side}
    for document, side in _differences(store, a, b, wanted=_suspects(left, right), upto=upto):
        counts[side] += 1
        if counts[side] <= EXAMPLES:
            examples[side].append(document)
    return ReleasesReport(
        index=index,
        a=a.release.name,
        b=b.release.name,
        upto=upto,
        documents_a=len(left.ids),
        documents_b=len(right.ids),
        counts=counts,
        examples={side: tuple(found) for side, found in examples.items()},
        refused_a=refused[0],
        refused_b=refused[1],
    )


def _nothing(batch: StoredBatch) -> npt.NDArray[np.bool_]:
    return np.zeros(len(batch.documents), dtype=np.bool_)


def _suspects(left: Corpus, right: Corpus) -> Wanted:
    """Return what only one has, or both have at two versions."""
    places, both = right.at(left.ids)
    agrees = both.copy()
    if len(right.ids):
        agrees &= right.lsns[places] == left.lsns
    _, known = left.at(right.ids)
    return Wanted(np.union1d(left.ids[~agrees], right.ids[~known]))


def _differences(
    store: Store, a: Space, b: Space, *, wanted: Wanted, upto: Lsn
) -> Iterator[tuple[DocumentId, Side]]:
    for space in (a, b):
        if wanted.done():
            return
        for batch in space.collection.scan():
            names = [batch.documents[place] for place in wanted.among(batch.documents)]
            for start in range(0, len(names), _BATCH):
                yield from _judged(store, a, b, names=names[start : start + _BATCH], upto=upto)


def _judged(
    store: Store, a: Space, b: Space, *, names: Sequence[DocumentId], upto: Lsn
) -> Iterator[tuple[DocumentId, Side]]:
    left, right = _versions(a, names), _versions(b, names)
    with store.read() as view:
        rows = view.log.get(a.release.index, names)
    for name in names:
        in_a, in_b = left.get(name), right.get(name)
        if in_a == in_b or (name in rows and rows[name].lsn > upto):
            continue
        if in_b is None:
            yield name, Side.ONLY_A
        else:
            yield name, Side.ONLY_B if in_a is None else Side.OTHER_VERSION


def _versions(space: Space, names: Sequence[DocumentId]) -> dict[DocumentId, int]:
    batch = space.collection.stored(names)
    found: dict[DocumentId, int] = {}
    for name, lsn in zip(batch.documents, batch.lsns.tolist(), strict=True):
        found[name] = max(lsn, found.get(name, 0))
    return found
