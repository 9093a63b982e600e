"""Query sets and their versions."""

from __future__ import annotations

import json
from typing import TypedDict, cast

import sqlalchemy as sa

from repoint.domain.errors import ConflictError, NotFoundError
from repoint.domain.expected import Expected, Span
from repoint.domain.ids import Actor, DocumentId, IndexName, QueryId, QuerySetName
from repoint.domain.queries import (
    Query,
    QuerySet,
    QuerySetKind,
    QuerySetSummary,
    Questions,
    groups,
)
from repoint.stores.sql import codec
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.judging_tables import query_sets


class _Expected(TypedDict):
    answer: str
    citations: dict[str, list[tuple[int, int]]]


class SqlQuerySets:
    """``ports.store.QuerySets`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, queries: QuerySet) -> None:
        """Store a version."""
        require_index(self._connection, queries.index)
        newest = self.newest(queries.index, queries.name)
        if queries.version != newest + 1:
            raise ConflictError(
                f"query set {queries.name!r} is at version {newest} by now",
                hint=f"see: repoint queries list {queries.index}",
            )
        questions = queries.questions
        self._connection.execute(
            sa.insert(query_sets).values(
                index_name=queries.index,
                name=queries.name,
                version=queries.version,
                kind=questions.kind.value,
                queries=len(questions.queries),
                judgements=questions.judgements,
                groups=len(groups(questions.queries)),
                source=questions.source,
                digest=questions.digest(),
                actor=queries.actor,
                at=queries.at,
                content=encoded(questions),
            )
        )

    def get(
        self, index: IndexName, name: QuerySetName, *, version: int | None = None
    ) -> QuerySet:
        """Return one version, by default the newest."""
        wanted = self.newest(index, name) if version is None else version
        row = self._connection.execute(
            sa.select(query_sets).where(
                query_sets.c.index_name == index,
                query_sets.c.name == name,
                query_sets.c.version == wanted,
            )
        ).one_or_none()
        if row is None:
            require_index(self._connection, index)
            known = dict.fromkeys(f"{one.name}@{one.version}" for one in self.all(index))
            raise NotFoundError(
                what="query set",
                name=name if version is None else f"{name}@{version}",
                known=list(known),
                hint=""
                if known
                else f"add one: repoint queries add {index} NAME --from FOLDER",
            )
        return QuerySet(
            index=index,
            name=name,
            version=row.version,
            questions=_questions(row.content, kind=row.kind, source=row.source),
            actor=Actor(row.actor),
            at=row.at,
        )

    def newest(self, index: IndexName, name: QuerySetName) -> int:
        """Return the newest version's number; 0 when there is no such set."""
        newest = sa.select(sa.func.max(query_sets.c.version)).where(
            query_sets.c.index_name == index, query_sets.c.name == name
        )
        return self._connection.scalar(newest) or 0

    def all(self, index: IndexName) -> list[QuerySetSummary]:
        """Return every version of every set, sets by name, the newest version first."""
        require_index(self._connection, index)
        columns = [column for column in query_sets.c if column.name != "content"]
        ordered = (
            sa.select(*columns)
            .where(query_sets.c.index_name == index)
            .order_by(query_sets.c.name, query_sets.c.version.desc())
        )
        return [
            QuerySetSummary(
                name=QuerySetName(row.name),
                version=row.version,
                kind=QuerySetKind(row.kind),
                queries=row.queries,
                judgements=row.judgements,
                groups=row.groups,
                source=row.source,
                digest=row.digest,
                actor=Actor(row.actor),
                at=row.at,
            )
            for row in self._connection.execute(ordered)
        ]


def encoded(questions: Questions) -> str:
    """Return queries and judgements as they are stored."""
    content: dict[str, object] = {
        "queries": [[q.id, q.text, q.group] for q in questions.queries],
        "qrels": {query: dict(judged) for query, judged in questions.qrels.items()},
    }
    if questions.expected:  # what no older version can read stands only where it is needed
        content["expected"] = {
            query: {
                "answer": one.answer,
                "citations": {
                    document: [[span.start, span.end] for span in spans]
                    for document, spans in one.citations.items()
                },
            }
            for query, one in questions.expected.items()
        }
    return codec.encode(content)


def _questions(content: str, *, kind: str, source: str) -> Questions:
    tree = json.loads(content)
    return Questions(
        queries=tuple(
            Query(id=QueryId(id_), text=text, group=group)
            for id_, text, group in cast("list[tuple[str, str, str]]", tree["queries"])
        ),
        qrels={
            QueryId(query): {DocumentId(document): grade for document, grade in judged.items()}
            for query, judged in cast("dict[str, dict[str, int]]", tree["qrels"]).items()
        },
        kind=QuerySetKind(kind),
        source=source,
        expected={
            QueryId(query): _expected(one) for query, one in tree.get("expected", {}).items()
        },
    )


def _expected(tree: _Expected) -> Expected:
    return Expected(
        answer=tree["answer"],
        citations={
            DocumentId(document): tuple(Span(start=a, end=b) for a, b in spans)
            for document, spans in tree["citations"].items()
        },
    )
