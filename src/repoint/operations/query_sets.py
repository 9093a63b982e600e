"""Query sets: stored, judged, and made from the corpus."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from typing import Final

from repoint.domain.access import Action
from repoint.domain.errors import BadInputError, NotFoundError
from repoint.domain.ids import DocumentId, IndexName, QueryId, QuerySetName
from repoint.domain.queries import (
    Qrels,
    Query,
    QuerySet,
    QuerySetKind,
    QuerySetSummary,
    Questions,
    judged,
)
from repoint.operations import golden
from repoint.operations.session import Session, authorise

#: Rows read at a time while the corpus is sampled.
_BATCH: Final = 1_000


def add(
    session: Session, index: IndexName, name: QuerySetName, questions: Questions
) -> tuple[QuerySet, bool]:
    """Store questions as the next version of a set; the same ones again store nothing.

    Returns the version that stands, and whether it is new.
    """
    authorise(session, Action.JUDGE, index)
    if not questions.queries:
        raise BadInputError(f"query set {name!r} would hold no query")
    return _store(session, index, name, questions, what="add")


def known_items(
    session: Session, index: IndexName, name: QuerySetName, *, count: int, seed: int
) -> tuple[QuerySet, bool]:
    """Store a set made from the corpus: a document's first sentence asks for the document.

    The same corpus, count and seed give the same set. Texts that two documents share make
    no query, because either would be an answer.

    Raises:
        BadInputError: the index holds no text to ask for.
    """
    authorise(session, Action.JUDGE, index)
    with session.store.read() as view:
        head = view.log.head(index)
    found = _sampled(session, index, count=count, seed=seed)
    if not found:
        raise BadInputError(
            f"index {index!r} holds no document to ask for",
            hint=f"write some: repoint ingest {index} corpus.jsonl",
        )
    queries = [
        Query(id=QueryId(f"item-{document}"), text=text) for text, document in found.items()
    ]
    questions = Questions(
        queries=tuple(queries),
        qrels={query.id: {found[query.text]: 1} for query in queries},
        kind=QuerySetKind.KNOWN_ITEM,
        source=f"known items, count {count}, seed {seed}, head {head}",
    )
    return _store(session, index, name, questions, what="known-items")


def judge(
    session: Session, index: IndexName, name: QuerySetName, judgements: Qrels
) -> tuple[QuerySet, bool]:
    """Store a version with more judgements; a newer one of the same document stands.

    Raises:
        NotFoundError: no such set, or a judged query is not in it; nothing was stored.
    """
    authorise(session, Action.JUDGE, index)
    with session.store.read() as view:
        now = view.query_sets.get(index, name)
    known = {query.id for query in now.questions.queries}
    for query in judgements:
        if query not in known:
            raise NotFoundError(
                what="query",
                name=query,
                hint=f"see: repoint queries show {index} {name}",
            )
    count = sum(len(grades) for grades in judgements.values())
    source = f"{count} judged by {session.actor} on version {now.version}"
    more = judged(now.questions, judgements, source=source)
    return _store(session, index, name, more, what="judge", after=now.version)


def get(
    session: Session, index: IndexName, name: QuerySetName, *, version: int | None = None
) -> QuerySet:
    """Return one version of a set, by default the newest."""
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        return view.query_sets.get(index, name, version=version)


def unknown_documents(session: Session, index: IndexName, questions: Questions) -> int:
    """Return how many judged or cited documents the log does not hold, or has deleted."""
    authorise(session, Action.READ, index)
    judged_ = {document for grades in questions.qrels.values() for document in grades}
    cited = {document for one in questions.expected.values() for document in one.citations}
    named = sorted(judged_ | cited)
    standing = 0
    for start in range(0, len(named), _BATCH):
        with session.store.read() as view:
            rows = view.log.get(index, named[start : start + _BATCH]).values()
        standing += sum(row.document is not None for row in rows)
    return len(named) - standing


def all_(session: Session, index: IndexName) -> list[QuerySetSummary]:
    """Return every version of every set."""
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        return view.query_sets.all(index)


def _store(
    session: Session,
    index: IndexName,
    name: QuerySetName,
    questions: Questions,
    *,
    what: str,
    after: int | None = None,
) -> tuple[QuerySet, bool]:
    with session.store.begin() as tx:
        newest = tx.query_sets.newest(index, name) if after is None else after
        if newest:
            standing = tx.query_sets.get(index, name, version=newest)
            same = standing.questions
            if (same.digest(), same.kind) == (questions.digest(), questions.kind):
                return standing, False
        made = QuerySet(
            index=index,
            name=name,
            version=newest + 1,
            questions=questions,
            actor=session.actor,
            at=session.clock.now(),
        )
        tx.query_sets.add(made)
        tx.audit.append(
            at=made.at,
            actor=session.actor,
            action=Action.JUDGE,
            index=index,
            details={
                "what": what,
                "query_set": name,
                "version": made.version,
                "digest": questions.digest(),
            },
        )
        return made, True


def _sampled(
    session: Session, index: IndexName, *, count: int, seed: int
) -> dict[str, DocumentId]:
    """Return first sentences and their documents, each sentence one that begins no other.

    Reads the whole log once; of any two orders of writing the same corpus, the same sample.
    """
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    times: Counter[str] = Counter()
    kept: list[tuple[float, str, DocumentId]] = []
    after: DocumentId | None = None
    while True:
        with session.store.read() as view:
            rows = view.log.scan(index, after=after, limit=_BATCH)
        if not rows:
            break
        after = rows[-1].id
        for row in rows:
            if row.document is None:
                continue
            sentence = golden.first_sentence(row.document.text)
            times[sentence] += 1
            kept.append((chance.random(), sentence, row.id))
        # Twice as many as asked for: some of them will turn out to stand twice.
        kept = heapq.nsmallest(2 * count, kept)
    single = [(text, name) for _, text, name in kept if times[text] == 1 and text.strip()]
    return dict(single[:count])
