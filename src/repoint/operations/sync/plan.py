"""Say beforehand what a sync would read, embed, take and cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Final

from repoint.domain.document import LogRow
from repoint.domain.errors import InputRejectedError
from repoint.domain.ids import IndexName, Lsn, ReleaseName
from repoint.operations.originals import filled
from repoint.operations.spaces import Model, Space
from repoint.ports.clock import Clock
from repoint.ports.store import Store, Transaction

#: Places of the log that a sample is taken from.
_PLACES: Final = 8
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPlan:
    """What lies between a watermark and the head, and what it would take.

    Rows, tombstones and characters are counted; the rest is extrapolated from a sample.
    Vectors that would be reused are not deducted, so the figures are an upper estimate.
    """

    index: IndexName
    release: ReleaseName
    watermark: Lsn
    head: Lsn
    rows: int
    tombstones: int
    characters: int
    #: Documents prepared for the estimate, and chunks of them that were embedded for it:
    #: all that a plan embeds, and pays for.
    sampled: int
    embedded: int
    chunks: int
    tokens: int
    #: None where nothing was embedded to measure by.
    duration: timedelta | None
    #: None where the model has no price.
    cost: float | None


def plan(store: Store, space: Space | Model, *, clock: Clock, sample: int = 64) -> SyncPlan:
    """Return what a sync of this release would take; embeds the sample and nothing else.

    Raises:
        UnavailableError: the model does not answer.
    """
    index, name = space.release.index, space.release.name
    with store.read() as view:
        watermark, head = view.catchup.watermark(index, name), view.log.head(index)
        backlog = view.log.backlog(index, above=watermark, upto=head)
        rows = _sample(view, index, span=(watermark, head), rows=backlog.rows, size=sample)
    whole = filled(space.originals, index, rows)
    documents = [row.document for row in whole if row.document is not None]
    texts: list[str] = []
    for document in documents:
        try:
            texts += [chunk.text for chunk in space.preparer.prepare(document)]
        except InputRejectedError:
            continue  # it will be a dead letter; it costs nothing
    embedding, traits = space.embedding, space.embedding.embedder.traits
    share = backlog.upserts / len(documents) if documents else 0.0
    tokens = round(embedding.count_tokens(texts) * share)
    # One batch, or the sample if that is smaller: the speed of what sync will do.
    measured = texts[: max(traits.batch, 1)]
    seconds = _seconds(space, clock, measured)
    chunks = round(len(texts) * share)
    price = space.release.spec.model.price_per_million_tokens
    return SyncPlan(
        index=index,
        release=name,
        watermark=watermark,
        head=head,
        rows=backlog.rows,
        tombstones=backlog.tombstones,
        characters=backlog.characters,
        sampled=len(documents),
        embedded=len(measured),
        chunks=chunks,
        tokens=tokens,
        duration=(
            timedelta(seconds=seconds / len(measured) * chunks / max(traits.parallel, 1))
            if measured
            else None
        ),
        cost=None if price is None else price * tokens / _MILLION,
    )


def _seconds(space: Space | Model, clock: Clock, texts: list[str]) -> float:
    if not texts:
        return 0.0
    space.embedding.isolate(texts[:1])  # the first call of a model loads it
    began = clock.monotonic()
    space.embedding.isolate(texts)
    return clock.monotonic() - began


def _sample(
    view: Transaction, index: IndexName, *, span: tuple[Lsn, Lsn], rows: int, size: int
) -> list[LogRow]:
    """Return rows from evenly spread places of the stretch, the first one included."""
    if not rows or size < 1:
        return []
    low, high = span
    places = min(_PLACES, size)
    every = max(rows // places, 1)
    starts = [low, *view.log.bounds(index, above=low, upto=high, every=every)][:places]
    ends = [*starts[1:], high]
    each = -(-size // places)
    return list(
        chain.from_iterable(
            view.log.rows(index, above=start, upto=end, limit=each)
            for start, end in zip(starts, ends, strict=True)
        )
    )
