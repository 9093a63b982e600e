"""Golden queries: what a release answers while it is known to be good.

They are known-item queries made from the corpus itself: a document's first sentence asks
for the document. A rollback compares the fallback's answers with its stored baseline.
"""

from __future__ import annotations

import random
import re
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from repoint.domain.document import Document
from repoint.domain.ids import DocumentId, IndexName, Lsn
from repoint.domain.operation import Baseline
from repoint.operations.originals import required
from repoint.operations.query import ask
from repoint.operations.spaces import Space
from repoint.ports.clock import Clock
from repoint.ports.store import Store

#: Enough to see a broken path, few enough to ask within a rollback.
QUERIES: Final = 12
#: Depth at which answers are compared.
DEPTH: Final = 10
#: Asked at the same time, when the baseline is taken as when it is compared with.
AT_ONCE: Final = 2

#: Begins a query that stands for the first sentence of the document named after it.
_REFERRED: Final = "\x01"

_SENTENCE: Final = re.compile(r"(.{20,200}?)[.!?](?:\s|$)", re.DOTALL)


def known_items(
    store: Store, index: IndexName, *, upto: Lsn, count: int = QUERIES, seed: int = 0
) -> dict[str, DocumentId]:
    """Return queries and the documents that they were made from, spread over the log.

    Takes time with their number, not with the size of the corpus.
    """
    queries: dict[str, DocumentId] = {}
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    with store.read() as view:
        for _ in range(count * 4):
            if upto <= 0 or len(queries) == count:
                break
            above = Lsn(chance.randrange(upto))
            for row in view.log.rows(index, above=above, upto=upto, limit=1):
                if row.document is not None:
                    queries.setdefault(_question(row.document), row.id)
    queries.pop("", None)
    return queries


def is_referred(query: str) -> bool:
    """Return whether a query is the first sentence of a text that only a source keeps.

    It stands for that sentence, which is read when it is asked and never written down.
    """
    return query.startswith(_REFERRED)


def _question(document: Document) -> str:
    if document.reference is not None:
        return _REFERRED + document.id
    return first_sentence(document.text)


def _said(space: Space, queries: Mapping[str, DocumentId]) -> dict[str, str]:
    """Return what each query asks in words, without those whose text is not there now."""
    referred = {query.removeprefix(_REFERRED): query for query in queries if is_referred(query)}
    said = {query: query for query in queries if not is_referred(query)}
    if referred:
        ids = [DocumentId(name) for name in referred]
        found = required(space.originals).newest(space.release.index, ids)
        said |= {referred[one.id]: first_sentence(one.text) for one in found}
    return said


def first_sentence(text: str) -> str:
    """Return the text's first sentence, at most 200 characters."""
    flat = " ".join(text.split())
    match = _SENTENCE.match(flat)
    return match.group(1) if match else flat[:200]


def measure(
    space: Space, queries: Mapping[str, DocumentId], *, clock: Clock, depth: int = DEPTH
) -> Baseline:
    """Return what a release answers to the queries now, and how fast.

    Raises:
        SourceUnavailableError: the texts of some are with a source that does not answer.
    """
    said = _said(space, queries)

    def answered(query: str) -> tuple[tuple[str, ...], float]:
        began = clock.monotonic()
        hits, _ = ask(space, said[query], limit=depth, clock=clock)
        return tuple(hit.document for hit in hits), (clock.monotonic() - began) * 1000

    # This release's steps may leave nothing of a query to ask.
    asked = [query for query in said if space.preparer.prepare_query(said[query]).strip()]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="repoint-golden") as pool:
        found = list(pool.map(answered, asked))
    answers = {query: documents for query, (documents, _) in zip(asked, found, strict=True)}
    latencies = [taken for _, taken in found]
    return Baseline(
        index=space.release.index,
        release=space.release.name,
        answers=answers,
        expected=dict(queries),
        latency_p50_ms=_percentile(latencies, 0.5),
        latency_p95_ms=_percentile(latencies, 0.95),
        at=clock.now(),
    )


def overlap(then: Baseline, now: Baseline, *, changed: frozenset[str] = frozenset()) -> float:
    """Return the mean share of the baseline's documents that are found again, 0 to 1.

    Documents that changed or went since then are not counted against the release.
    """
    shares: list[float] = []
    for query, before in then.answers.items():
        stable = [document for document in before if document not in changed]
        if stable and query in now.answers:
            found = set(now.answers[query])
            shares.append(sum(document in found for document in stable) / len(stable))
    return statistics.fmean(shares) if shares else 1.0


def _percentile(values: Sequence[float], share: float) -> float:
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
