"""Choose what a release is compared with, and the questions, where nobody says."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from repoint.domain.errors import BadInputError, ContentElsewhereError
from repoint.domain.filters import Filter, matches
from repoint.domain.ids import IndexName, QueryId, release_name
from repoint.domain.queries import Qrels, Query, QuerySetKind, Questions
from repoint.domain.release import Release
from repoint.operations import golden
from repoint.operations.diagnose.values import Given
from repoint.operations.session import Session
from repoint.ports.store import Transaction

#: Questions made from the corpus where there is no query set.
_MADE: Final = 100


def baseline(view: Transaction, release: Release, *, named: str) -> Release:
    """Return the release named; else what answers, the fallback, or what answered before.

    Raises:
        NotFoundError: nothing has that name.
        BadInputError: there is nothing else to compare with.
    """
    index, name = release.index, release.name
    releases = {one.name: one for one in view.releases.all(index)}
    pointer = view.pointers.pointer(index)
    before = [
        move.before.active
        for move in view.pointers.moves(index)
        if move.after.active == name and move.before.active != name
    ]
    measured = [one.baseline for one in view.runs.evaluations(index) if one.candidate == name]
    if named and named != "active":
        if named == name:
            raise BadInputError(f"{name} cannot be compared with itself")
        return view.releases.get(index, release_name(named))
    wanted = (
        [pointer.active]
        if named
        else [
            pointer.active,
            pointer.fallback,
            *before,
            *measured,
        ]
    )
    for one in wanted:
        if one is not None and one != name and one in releases:
            return releases[one]
    raise BadInputError(
        f"there is no other release that {name} can be compared with",
        hint="name one: --baseline RELEASE",
    )


def questions(
    session: Session, index: IndexName, release: Release, other: Release, *, seed: int
) -> Given:
    """Return what both were measured with last, else the newest set, else known items."""
    with session.store.read() as view:
        newest = view.runs.newest_evaluation(index, candidate=release.name, baseline=other.name)
        sets = view.query_sets.all(index)
        if newest is not None:
            name = newest.query_set
        elif sets:
            name = max(sets, key=lambda one: (one.judgements > 0, one.at)).name
        else:
            name = None
        if name is not None:
            found = view.query_sets.get(index, name)
            return Given(questions=found.questions, source=f"{found.name}@{found.version}")
        head = view.log.head(index)
    drawn = golden.known_items(session.store, index, upto=head, count=_MADE, seed=seed)
    items = {text: name for text, name in drawn.items() if not golden.is_referred(text)}
    if drawn and not items:
        raise ContentElsewhereError(
            index=index,
            what="their sentences are not written down as questions",
            hint=f"give questions of your own: repoint queries add {index} NAME --from FILE",
        )
    if not items:
        raise BadInputError(
            f"index {index!r} holds no document to ask for",
            hint=f"write some: repoint ingest {index} corpus.jsonl",
        )
    made = [
        (Query(id=QueryId(f"item-{place}"), text=text), document)
        for place, (text, document) in enumerate(items.items())
    ]
    return Given(
        questions=Questions(
            queries=tuple(query for query, _ in made),
            qrels={query.id: {document: 1} for query, document in made},
            kind=QuerySetKind.KNOWN_ITEM,
            source="known items",
        ),
        source=f"{len(made)} known items of the corpus",
    )


def within(session: Session, index: IndexName, given: Given, where: Filter) -> Given:
    """Return the questions with only those judgements that the filter lets through.

    Questions alone stay as they are.
    """
    judged = {document for grades in given.questions.qrels.values() for document in grades}
    if not judged:
        return given
    with session.store.read() as view:
        rows = view.log.get(index, sorted(judged))
    passing = {
        name
        for name, row in rows.items()
        if row.document is not None and matches(where, row.document.metadata)
    }
    qrels: Qrels = {
        query: {name: grade for name, grade in grades.items() if name in passing}
        for query, grades in given.questions.qrels.items()
    }
    kept = replace(given.questions, qrels=qrels)
    if not kept.scored():
        raise BadInputError(
            "the filter lets nothing through that a question looks for",
            hint="leave it out, or judge documents that pass it",
        )
    return replace(given, questions=kept)
