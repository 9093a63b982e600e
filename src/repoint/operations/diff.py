"""Diff: does a collection equal the log folded to a watermark, document by document (INV-2).

The whole comparison reads both sides once and keeps a few numbers a document; only what then
seems to differ is read again by name and judged by ``domain.comparison``. A sample reads a
fixed number of documents, so its time does not grow with the corpus. Documents that the log
changed above the watermark are undetermined and left out.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from repoint.domain.comparison import (
    NORM_TOLERANCE,
    Difference,
    Kind,
    LogState,
    StoredChunk,
    judge,
    vector_fault,
)
from repoint.domain.document import LogRow
from repoint.domain.errors import InputRejectedError
from repoint.domain.ids import DocumentId, IndexName, Lsn, ReleaseName
from repoint.domain.readiness import Finding, Status
from repoint.operations.fingerprints import (
    Corpus,
    LogSide,
    Wanted,
    stored_corpus,
    suspects,
)
from repoint.operations.originals import filled
from repoint.operations.spaces import Space
from repoint.ports.backend import StoredBatch
from repoint.ports.store import Store

#: Log rows read at once.
_PAGE = 1_000
#: Documents read again at once.
_BATCH = 256
#: Differing documents that a report names.
EXAMPLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffReport:
    """How a collection differs from the log."""

    index: IndexName
    release: ReleaseName
    #: The watermark that was compared at.
    upto: Lsn
    #: Documents and tombstones of the log that were compared.
    compared: int
    counts: Mapping[Kind, int]
    #: The first that were found, a few of each kind.
    examples: Sequence[Difference]
    #: The collection is a team's own, which others may write to as well.
    adopted: bool = False

    @property
    def clean(self) -> bool:
        """Whether the collection equals the log, dead letters aside."""
        return not any(n for kind, n in self.counts.items() if kind is not Kind.DEAD_LETTERED)


def compare(store: Store, space: Space, *, upto: Lsn) -> DiffReport:
    """Compare a whole collection with the log at a watermark that it has reached.

    Raises:
        UnavailableError: the database or the store did not answer.
    """
    reading = _Reading(store, space, upto)
    found = reading.differences()
    return reading.report(found)


def differences(store: Store, space: Space, *, upto: Lsn) -> Iterator[Difference]:
    """Yield every document that differs, for repair; memory does not grow with their number."""
    yield from _Reading(store, space, upto).differences()


def sample(store: Store, space: Space, *, upto: Lsn, count: int, seed: int) -> DiffReport:
    """Compare documents drawn at random from the log, deleted ones among them.

    Time depends on the count alone. What is stored and unknown to the log is not found.
    """
    reading = _Reading(store, space, upto)
    return reading.report(reading.examined(reading.drawn(count, random.Random(seed))))  # noqa: S311  # a sample, no secret


def examine(
    store: Store, space: Space, documents: Sequence[DocumentId], *, upto: Lsn
) -> Iterator[Difference]:
    """Yield which of these documents differ; time depends on their number alone."""
    yield from _Reading(store, space, upto).named(documents)


def clean(store: Store, space: Space, *, upto: Lsn) -> Finding:
    """Check the whole collection against the log."""
    return _finding("diff", compare(store, space, upto=upto))


def sampled(store: Store, space: Space, *, upto: Lsn, count: int, seed: int) -> Finding:
    """Check a sample of documents against the log, in a time that does not grow."""
    return _finding("sampled-diff", sample(store, space, upto=upto, count=count, seed=seed))


class _Reading:
    """One comparison of a collection with the log."""

    def __init__(self, store: Store, space: Space, upto: Lsn) -> None:
        self._store = store
        self._space = space
        self._upto = upto
        self._index = space.release.index
        with store.read() as view:
            letters = view.dead_letters.all(self._index, space.release.name)
        self._refused = {letter.document: letter.lsn for letter in letters}
        self.compared = 0

    def report(self, found: Iterable[Difference]) -> DiffReport:
        counts: Counter[Kind] = Counter()
        examples: list[Difference] = []
        for difference in found:
            counts[difference.kind] += 1
            if counts[difference.kind] <= EXAMPLES:
                examples.append(difference)
        return DiffReport(
            index=self._index,
            release=self._space.release.name,
            upto=self._upto,
            compared=self.compared,
            counts=dict(counts),
            examples=tuple(examples),
            adopted=self._space.collection.spec.adopted is not None,
        )

    def differences(self) -> Iterator[Difference]:
        # The collection first: what the log changes meanwhile then lies above the
        # watermark, and is left out.
        batches = self._space.collection.scan(with_vectors=True)
        stored = stored_corpus(batches, self._suspicious)
        wanted = Wanted(suspects(self._log_corpus(), stored))
        if wanted.done():
            return
        for rows in self._pages():
            places = wanted.among([row.id for row in rows])
            yield from self._judged([rows[place] for place in places])
        if wanted.done():
            return
        for batch in self._space.collection.scan():
            places = wanted.among(batch.documents)
            yield from self._judged_by_name([batch.documents[place] for place in places])

    def drawn(self, count: int, chance: random.Random) -> list[LogRow]:
        """Return rows that follow positions drawn at random."""
        positions = chance.sample(range(self._upto), min(count, self._upto))
        found: dict[DocumentId, LogRow] = {}
        with self._store.read() as view:
            for position in positions:
                rows = view.log.rows(self._index, above=Lsn(position), upto=self._upto, limit=1)
                found |= {row.id: row for row in rows}
        return list(found.values())

    def examined(self, rows: Sequence[LogRow]) -> Iterator[Difference]:
        self.compared += len(rows)
        yield from self._judged(rows)

    def named(self, documents: Sequence[DocumentId]) -> Iterator[Difference]:
        self.compared += len(documents)
        yield from self._judged_by_name(documents)

    def _log_corpus(self) -> Corpus:
        side = LogSide()
        for page in self._pages():
            rows = self._whole(page)
            side.add(
                [(row.id, row.lsn, self._expected(row), self._is_above(row)) for row in rows]
            )
            self.compared += sum(1 for row in rows if not self._is_above(row))
        return side.corpus()

    def _pages(self) -> Iterator[list[LogRow]]:
        after: DocumentId | None = None
        while True:
            with self._store.read() as view:
                rows = view.log.scan(self._index, after=after, limit=_PAGE)
            if not rows:
                return
            yield rows
            after = rows[-1].id

    def _is_above(self, row: LogRow) -> bool:
        return row.lsn > self._upto

    def _whole(self, rows: Sequence[LogRow]) -> list[LogRow]:
        """Return rows with their content, as far as it is to be had."""
        below = [row for row in rows if not self._is_above(row)]
        whole = {row.id: row for row in filled(self._space.originals, self._index, below)}
        return [whole.get(row.id, row) for row in rows]

    def _expected(self, row: LogRow) -> Sequence[str]:
        if not _is_readable(row):
            return ("elsewhere",)  # no stored chunk has this digest: it is looked at
        digests = self._digests(row)
        # No stored chunk has this digest, so a text that is rejected is always looked at.
        return ("rejected",) if digests is None else digests

    def _digests(self, row: LogRow) -> list[str] | None:
        if row.document is None or self._is_above(row) or not _is_readable(row):
            return []
        try:
            return [chunk.digest for chunk in self._space.preparer.prepare(row.document)]
        except InputRejectedError:
            return None

    def _suspicious(self, batch: StoredBatch) -> npt.NDArray[np.bool_]:
        norms, length = _norms(batch)
        if length != self._space.release.spec.model.dimensions:
            return np.ones(len(norms), dtype=np.bool_)
        bad: npt.NDArray[np.bool_] = ~np.isfinite(norms) | (norms == 0)
        if self._space.release.spec.model.normalise:
            bad |= np.abs(norms - 1) > NORM_TOLERANCE
        return bad

    def _judged_by_name(self, names: Sequence[DocumentId]) -> Iterator[Difference]:
        for start in range(0, len(names), _BATCH):
            batch = names[start : start + _BATCH]
            with self._store.read() as view:
                rows = view.log.get(self._index, batch)
            yield from self._judged(list(rows.values()))
            unknown = [name for name in batch if name not in rows]
            if unknown:
                chunks = self._chunks(unknown)
                found = (judge(name, None, chunks[name]) for name in unknown)
                yield from (difference for difference in found if difference is not None)

    def _judged(self, rows: Sequence[LogRow]) -> Iterator[Difference]:
        for start in range(0, len(rows), _BATCH):
            below = [row for row in rows[start : start + _BATCH] if not self._is_above(row)]
            batch = self._whole(below)
            chunks = self._chunks([row.id for row in batch])
            for row in batch:
                state = LogState(
                    lsn=row.lsn,
                    deleted=row.document is None,
                    digests=self._digests(row) if _is_readable(row) else None,
                    readable=_is_readable(row),
                    dead_lettered=self._refused.get(row.id) == row.lsn,
                )
                difference = judge(row.id, state, chunks[row.id])
                if difference is not None:
                    yield difference

    def _chunks(self, names: Sequence[DocumentId]) -> Mapping[DocumentId, list[StoredChunk]]:
        found: defaultdict[DocumentId, list[StoredChunk]] = defaultdict(list)
        if not names:
            return found
        batch = self._space.collection.stored(names, with_vectors=True)
        norms, length = _norms(batch)
        model = self._space.release.spec.model
        for place, name in enumerate(batch.documents):
            fault = vector_fault(
                norm=float(norms[place]),
                found=length,
                dimensions=model.dimensions,
                normalised=model.normalise,
            )
            found[name].append(
                StoredChunk(
                    slot=int(batch.slots[place]),
                    lsn=Lsn(int(batch.lsns[place])),
                    digest=batch.digests[place],
                    fault=fault,
                )
            )
        return found


def _is_readable(row: LogRow) -> bool:
    return row.document is None or row.document.reference is None


def _norms(batch: StoredBatch) -> tuple[npt.NDArray[np.float64], int]:
    if batch.vectors is None:
        return np.full(len(batch.documents), np.nan), 0
    wide = batch.vectors.astype(np.float64)
    return np.sqrt(np.einsum("ij,ij->i", wide, wide)), batch.vectors.shape[1]


def _finding(check: str, report: DiffReport) -> Finding:
    counts = {str(kind): n for kind, n in report.counts.items()}
    told = ", ".join(f"{n} {kind}" for kind, n in counts.items())
    summary = f"{report.compared} documents compared with the log at {report.upto}: "
    if report.clean:
        return Finding(
            check=check,
            status=Status.OK,
            summary=summary + (told or "all agree"),
            figures={"compared": report.compared, "upto": report.upto, **counts},
        )
    first = next(d for d in report.examples if d.kind is not Kind.DEAD_LETTERED)
    return Finding(
        check=check,
        status=Status.FAILED,
        summary=f"{summary}{told}; first: {first.why}",
        figures={
            "compared": report.compared,
            "upto": report.upto,
            "first": first.document,
            **counts,
        },
        remedy=f"repoint diff {report.index} {report.release} --repair",
    )
