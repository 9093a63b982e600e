"""Query sets: the questions that releases are measured with, and what is known of the answers.

A set never changes: adding under the same name, or judging, makes its next version, so what
a run was measured with stays readable.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from repoint.domain.document import Json
from repoint.domain.expected import Expected
from repoint.domain.ids import Actor, DocumentId, IndexName, QueryId, QuerySetName
from repoint.domain.measures import Measure

#: How relevant each judged document is to each query; 0 is judged and not relevant.
Qrels = Mapping[QueryId, Mapping[DocumentId, int]]


class QuerySetKind(StrEnum):
    """What is known of a set's answers."""

    #: People judged documents.
    JUDGED = "judged"
    #: Each query was made from one document, which is its answer.
    KNOWN_ITEM = "known-item"
    #: Queries alone, for instance from a log: releases can be compared, not scored.
    LOG = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question."""

    id: QueryId
    text: str
    #: What it is counted with; empty where the set has no groups.
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What a file, a log or the corpus gives: queries in order, and judgements."""

    queries: Sequence[Query]
    qrels: Qrels
    kind: QuerySetKind
    #: Where they come from, for people.
    source: str
    #: Which sources the answers should cite, and the answers, where they are known.
    expected: Mapping[QueryId, Expected] = field(default_factory=dict)

    def digest(self) -> str:
        """Return SHA-256 over queries, groups, judgements and what is expected.

        Whatever their order; where nothing is expected, as it was before sets had that.
        """
        content: list[list[list[Json]]] = [
            sorted([query.id, query.text, query.group] for query in self.queries),
            sorted(
                [query, document, grade]
                for query, judged in self.qrels.items()
                for document, grade in judged.items()
            ),
        ]
        if self.expected:
            content.append(sorted(_told(query, one) for query, one in self.expected.items()))
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def judgements(self) -> int:
        """How many documents were judged, over all queries."""
        return sum(len(judged) for judged in self.qrels.values())

    def scored(self) -> list[Query]:
        """Return the queries that have a relevant document: only those can be scored."""
        return [query for query in self.queries if relevant(self.qrels, query.id)]

    def cited(self) -> list[Query]:
        """Return the queries with expected citations: only those have citation measures."""
        none = Expected()
        return [one for one in self.queries if self.expected.get(one.id, none).citations]

    def scored_by(self, measure: Measure) -> list[Query]:
        """Return the queries that have a value of a measure."""
        return self.cited() if measure.is_of_citations else self.scored()

    def answered(self) -> list[Query]:
        """Return the queries whose answer is known."""
        none = Expected()
        return [one for one in self.queries if self.expected.get(one.id, none).answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySet:
    """One version of a named set."""

    index: IndexName
    name: QuerySetName
    version: int
    questions: Questions
    actor: Actor
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySetSummary:
    """What a list says of one version, without reading its queries."""

    name: QuerySetName
    version: int
    kind: QuerySetKind
    queries: int
    judgements: int
    groups: int
    source: str
    digest: str
    actor: Actor
    at: datetime


def relevant(qrels: Qrels, query: QueryId) -> frozenset[DocumentId]:
    """Return the documents judged relevant to a query."""
    return frozenset(doc for doc, grade in qrels.get(query, {}).items() if grade > 0)


def groups(queries: Sequence[Query]) -> dict[str, list[Query]]:
    """Return the queries by their group, groups in order of their names; none has no entry."""
    found: dict[str, list[Query]] = {}
    for query in queries:
        if query.group:
            found.setdefault(query.group, []).append(query)
    return dict(sorted(found.items()))


def judged(questions: Questions, judgements: Qrels, *, source: str) -> Questions:
    """Return the questions with more judgements; the newer one of a document stands."""
    merged = {query: dict(known) for query, known in questions.qrels.items()}
    for query, grades in judgements.items():
        merged.setdefault(query, {}).update(grades)
    kind = questions.kind
    return replace(
        questions,
        qrels=merged,
        kind=QuerySetKind.JUDGED if kind is QuerySetKind.LOG else kind,
        source=source,
    )


def _told(query: QueryId, expected: Expected) -> list[Json]:
    citations: list[Json] = [
        [document, [[span.start, span.end] for span in sorted(spans)]]
        for document, spans in sorted(expected.citations.items())
    ]
    return [query, expected.answer, citations]
