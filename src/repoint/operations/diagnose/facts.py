"""What can be seen without asking a question: the log, fields, scores, chunks, probes."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from repoint.domain.comparison import Difference, Kind
from repoint.domain.diagnosis import ChunkFigures, FieldCoverage, SpecChange
from repoint.domain.document import FieldType, LogRow
from repoint.domain.filters import Compare, Comparison, type_of
from repoint.domain.ids import DocumentId, Lsn
from repoint.domain.readiness import Finding, Status
from repoint.domain.release import ProbeSet
from repoint.domain.spec import Distance, ReleaseSpec
from repoint.domain.spec_diff import spec_diff
from repoint.operations import diff, probing
from repoint.operations.diagnose import pool
from repoint.operations.diagnose.pool import Vectors
from repoint.operations.diagnose.spending import Purse
from repoint.operations.query import Question
from repoint.operations.spaces import Space
from repoint.ports.backend import SpaceVector
from repoint.ports.store import Store

#: A larger corpus is compared with the log by a sample.
WHOLE_BELOW: Final = 50_000
SAMPLED: Final = 2_000
#: Documents that each field is looked for with, and fields looked at.
_PROBES: Final = 8
_FIELDS: Final = 16
#: Hits whose scores are computed again.
_SCORED: Final = 5
#: How far a score may lie from what the stored vector gives, relative to its size.
_SCORE_TOLERANCE: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFacts:
    """How a collection differs from the log at its head."""

    counts: Mapping[str, int]
    compared: int
    #: Each document of the pool that differs, and how.
    pool: Mapping[DocumentId, Difference]
    #: Of the differing documents of the pool, those that sync has not reached yet.
    behind: frozenset[DocumentId]
    head: Lsn
    watermark: Lsn

    def named(self, *kinds: Kind) -> frozenset[DocumentId]:
        """Return the pool's documents that differ in one of these ways."""
        return frozenset(name for name, one in self.pool.items() if one.kind in kinds)

    def share(self, *kinds: Kind) -> float:
        """Return which part of all that was compared differs in one of these ways."""
        return sum(self.counts.get(kind, 0) for kind in kinds) / max(self.compared, 1)


def of_the_log(
    store: Store, space: Space, rows: Mapping[DocumentId, LogRow], *, seed: int
) -> LogFacts:
    """Compare a collection with the log's head: what sync has not reached counts as well."""
    index, release = space.release.index, space.release.name
    with store.read() as view:
        head = view.log.head(index)
        watermark = view.catchup.watermark(index, release)
    if head <= WHOLE_BELOW:
        report = diff.compare(store, space, upto=head)
    else:
        report = diff.sample(store, space, upto=head, count=SAMPLED, seed=seed)
    here = {one.document: one for one in diff.examine(store, space, list(rows), upto=head)}
    return LogFacts(
        counts={kind.value: count for kind, count in report.counts.items()},
        compared=report.compared,
        pool=here,
        behind=frozenset(name for name in here if name in rows and rows[name].lsn > watermark),
        head=head,
        watermark=watermark,
    )


def coverage(
    store: Store,
    space: Space,
    rows: Mapping[DocumentId, LogRow],
    held: Vectors,
    *,
    purse: Purse,
) -> tuple[FieldCoverage, ...]:
    """Look for documents by their own vectors with a filter on each of their fields.

    A document that is stored and is not found so has lost the field.
    """
    index = space.release.index
    with store.read() as view:
        fields = [n for n, kind in view.log.fields(index).items() if kind != FieldType.OPAQUE]
    first = {name: place for place, name in reversed(list(enumerate(held.documents)))}
    found: list[FieldCoverage] = []
    for name in sorted(fields)[:_FIELDS]:
        owners = [
            (document, value)
            for document, row in rows.items()
            if document in first
            and row.document is not None
            and type_of(value := row.document.metadata.get(name)) is not FieldType.OPAQUE
        ][:_PROBES]
        hits = 0
        for document, value in owners:
            assert isinstance(value, str | int | float)  # noqa: S101 - not opaque, see above
            vector = held.matrix[first[document]]
            nearest = space.collection.search(
                SpaceVector(space.release.fingerprint, vector),
                limit=_PROBES,
                where=Compare(name, Comparison.EQUAL, value),
                exact=True,
            )
            purse.searches += 1
            hits += any(hit.document == document for hit in nearest) or _crowded(
                nearest_scores=[hit.score for hit in nearest], limit=_PROBES
            )
        found.append(FieldCoverage(field=name, probed=len(owners), found=hits))
    return tuple(found)


def _crowded(*, nearest_scores: Sequence[float], limit: int) -> bool:
    """Return whether equal vectors filled every place: then its own need not be among them."""
    return len(nearest_scores) == limit and len(set(nearest_scores)) == 1


def distances_in_use(
    space: Space, questions: Sequence[Question], *, purse: Purse
) -> frozenset[Distance]:
    """Return the distances that explain the scores that the database gives.

    All of them where it gave nothing to compute again.
    """
    fitting = set(Distance)
    for question in questions[:_SCORED]:
        hits = space.collection.search(question.vector, limit=_SCORED, exact=True)
        purse.searches += 1
        held = pool.stored(space, [hit.document for hit in hits])
        rows = {
            (document, slot): place
            for place, (document, slot) in enumerate(
                zip(held.documents, held.slots, strict=True)
            )
        }
        wide = held.matrix.astype(np.float64)
        for distance in tuple(fitting):
            again = pool.scores(question.vector.values, wide, distance)
            if any(
                (hit.document, hit.slot) in rows
                and np.isfinite(again[rows[hit.document, hit.slot]])
                and not _close(hit.score, float(again[rows[hit.document, hit.slot]]))
                for hit in hits
            ):
                fitting.discard(distance)
    return frozenset(fitting)


def _close(given: float, computed: float) -> bool:
    return abs(given - computed) <= _SCORE_TOLERANCE * max(1.0, abs(given), abs(computed))


def probed(store: Store, space: Space) -> Finding:
    """Return whether a release's query model answers its probes as it did when it was made."""
    probes = probe_set(store, space)
    if probes is None:
        return Finding(
            check=probing.CHECK, status=Status.SKIPPED, summary="no probes were measured"
        )
    return probing.probe(space.embedding, probes)


def probe_set(store: Store, space: Space) -> ProbeSet | None:
    """Return what was measured of a release's model when it was made."""
    with store.read() as view:
        return view.releases.probes(space.release.index, space.release.name)


def chunked(space: Space, rows: Mapping[DocumentId, LogRow]) -> ChunkFigures:
    """Return how a release cuts these documents."""
    made = pool.prepared(space, rows)
    texts = [chunk.text for chunks in made.values() for chunk in chunks]
    prefix = space.release.spec.model.document_prefix
    tokens = space.embedding.embedder.count_tokens([prefix + text for text in texts])
    limit = space.release.spec.model.max_tokens
    return ChunkFigures(
        release=space.release.name,
        documents=len(made),
        chunks_per_document=len(texts) / max(len(made), 1),
        median_characters=_median(len(text) for text in texts),
        median_tokens=_median(tokens),
        longest_tokens=max(tokens, default=0),
        truncated=sum(count > limit for count in tokens) / max(len(tokens), 1)
        if limit is not None
        else 0.0,
    )


def spec_changes(baseline: ReleaseSpec, release: ReleaseSpec) -> tuple[SpecChange, ...]:
    """Return the fields that can change an answer and that the two specs hold differently."""
    return tuple(
        SpecChange(field=one.field, baseline=_text(one.a), release=_text(one.b))
        for one in spec_diff(baseline, release)
        if one.matters
    )


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return float(statistics.median(found)) if found else 0.0
