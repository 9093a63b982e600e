"""What releases answered to query sets, and what was compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypedDict, cast

import sqlalchemy as sa

from repoint.domain.errors import AlreadyExistsError, NotFoundError
from repoint.domain.evaluation import (
    Evaluation,
    Rankings,
    Run,
    RunCost,
    RunSummary,
    Stages,
)
from repoint.domain.grounding import Grounding, Support
from repoint.domain.ids import (
    Actor,
    DocumentId,
    EvaluationId,
    Fingerprint,
    IndexName,
    Lsn,
    QueryId,
    QuerySetName,
    ReleaseName,
    RunId,
)
from repoint.stores.sql import codec
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.judging_tables import evaluations, query_sets, runs
from repoint.stores.sql.releases import require_release


class _Grounded(TypedDict):
    judge: str
    identity: str
    answered_by: str
    passages: int
    verdicts: dict[str, tuple[int, list[int]]]
    failed: dict[str, str]
    tokens: int


class SqlRuns:
    """``ports.store.Runs`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, run: Run) -> None:
        """Store a run."""
        require_release(self._connection, run.index, run.release)
        self._require_version(run)
        if run.name and self._find(run.index, runs.c.name == run.name) is not None:
            raise AlreadyExistsError(what="run", name=run.name)
        self._connection.execute(
            sa.insert(runs).values(
                id=run.id,
                ordinal=self._next(runs, run.index),
                index_name=run.index,
                release=run.release,
                fingerprint=run.fingerprint,
                query_set=run.query_set,
                version=run.version,
                depth=run.depth,
                lsn=run.lsn,
                actor=run.actor,
                at=run.at,
                name=run.name or None,
                content=encoded(run),
            )
        )

    def get(self, index: IndexName, run: RunId) -> Run:
        """Return one run."""
        found = self._find(index, runs.c.id == run)
        if found is None:
            require_index(self._connection, index)
            raise NotFoundError(what="run", name=run, hint=f"see: repoint runs list {index}")
        return found

    def named(self, index: IndexName, name: str) -> Run | None:
        """Return the run that was given this name."""
        return self._find(index, runs.c.name == name)

    def all(self, index: IndexName) -> list[RunSummary]:
        """Return all runs, newest first."""
        require_index(self._connection, index)
        columns = [column for column in runs.c if column.name != "content"]
        ordered = (
            sa.select(*columns)
            .where(runs.c.index_name == index)
            .order_by(runs.c.ordinal.desc())
        )
        return [
            RunSummary(
                id=RunId(row.id),
                release=ReleaseName(row.release),
                fingerprint=Fingerprint(row.fingerprint),
                query_set=QuerySetName(row.query_set),
                version=row.version,
                lsn=Lsn(row.lsn),
                at=row.at,
                actor=Actor(row.actor),
                name=row.name or "",
            )
            for row in self._connection.execute(ordered)
        ]

    def add_evaluation(self, evaluation: Evaluation) -> None:
        """Store which runs were compared."""
        for run in (evaluation.candidate_run, evaluation.baseline_run):
            self.get(evaluation.index, run)
        self._connection.execute(
            sa.insert(evaluations).values(
                id=evaluation.id,
                ordinal=self._next(evaluations, evaluation.index),
                index_name=evaluation.index,
                candidate=evaluation.candidate,
                baseline=evaluation.baseline,
                candidate_fingerprint=evaluation.candidate_fingerprint,
                baseline_fingerprint=evaluation.baseline_fingerprint,
                query_set=evaluation.query_set,
                version=evaluation.version,
                candidate_run=evaluation.candidate_run,
                baseline_run=evaluation.baseline_run,
                k=evaluation.k,
                actor=evaluation.actor,
                at=evaluation.at,
            )
        )

    def evaluation(self, index: IndexName, name: EvaluationId) -> Evaluation:
        """Return one evaluation."""
        row = self._connection.execute(
            sa.select(evaluations).where(
                evaluations.c.index_name == index, evaluations.c.id == name
            )
        ).one_or_none()
        if row is None:
            require_index(self._connection, index)
            hint = f"see: repoint runs list {index}"
            raise NotFoundError(what="evaluation", name=name, hint=hint)
        return _evaluation(row)

    def evaluations(self, index: IndexName) -> list[Evaluation]:
        """Return all evaluations, newest first."""
        require_index(self._connection, index)
        ordered = (
            sa.select(evaluations)
            .where(evaluations.c.index_name == index)
            .order_by(evaluations.c.ordinal.desc())
        )
        return [_evaluation(row) for row in self._connection.execute(ordered)]

    def newest_evaluation(
        self,
        index: IndexName,
        *,
        candidate: ReleaseName,
        baseline: ReleaseName,
        query_set: str = "",
    ) -> Evaluation | None:
        """Return the newest of exactly these two."""
        newest = (
            sa.select(evaluations)
            .where(
                evaluations.c.index_name == index,
                evaluations.c.candidate == candidate,
                evaluations.c.baseline == baseline,
            )
            .order_by(evaluations.c.ordinal.desc())
            .limit(1)
        )
        if query_set:
            newest = newest.where(evaluations.c.query_set == query_set)
        row = self._connection.execute(newest).one_or_none()
        return None if row is None else _evaluation(row)

    def _next(self, table: sa.Table, index: str) -> int:  # type: ignore[explicit-any]  # its default
        newest = sa.select(sa.func.max(table.c.ordinal)).where(table.c.index_name == index)
        highest: int | None = self._connection.scalar(newest)
        return (highest or 0) + 1

    def _find(self, index: IndexName, which: sa.ColumnElement[bool]) -> Run | None:
        row = self._connection.execute(
            sa.select(runs).where(runs.c.index_name == index, which)
        ).one_or_none()
        return None if row is None else _run(row)

    def _require_version(self, run: Run) -> None:
        found = sa.select(query_sets.c.version).where(
            query_sets.c.index_name == run.index,
            query_sets.c.name == run.query_set,
            query_sets.c.version == run.version,
        )
        if self._connection.scalar(found) is None:
            raise NotFoundError(what="query set", name=f"{run.query_set}@{run.version}")


def encoded(run: Run) -> str:
    """Return a run's answers, times and cost as they are stored."""
    # Exact answers are mostly the run's own; only those that differ are written out.
    exact = {
        query: None if ranking == run.ranked.get(query) else list(ranking)
        for query, ranking in run.exact.items()
    }
    content: dict[str, object] = {
        "ranked": {query: list(ranking) for query, ranking in run.ranked.items()},
        "exact": exact,
        "stages": {
            query: [
                round(one.embed_ms, 4),
                round(one.search_ms, 4),
                round(one.rerank_ms, 4),
            ]
            for query, one in run.stages.items()
        },
        "refused": dict(run.refused),
        "cost": {
            "tokens": run.cost.tokens,
            "price": run.cost.price_per_million_tokens,
            "chunks": run.cost.chunks,
            "vector_bytes": run.cost.vector_bytes,
            "bytes_on_disk": run.cost.bytes_on_disk,
        },
    }
    if run.passages:
        content["passages"] = run.passages
    if run.astray:
        content["astray"] = {query: sorted(found) for query, found in run.astray.items()}
    if run.grounding is not None:
        content["grounding"] = _grounded(run.grounding)
    return codec.encode(content)


def _grounded(one: Grounding) -> dict[str, object]:
    return {
        "judge": one.judge,
        "identity": one.identity,
        "answered_by": one.answered_by,
        "passages": one.passages,
        "verdicts": {
            query: [support.sentences, list(support.unsupported)]
            for query, support in one.verdicts.items()
        },
        "failed": dict(one.failed),
        "tokens": one.tokens,
    }


def _grounding(tree: _Grounded | None) -> Grounding | None:
    if tree is None:
        return None
    return Grounding(
        judge=tree["judge"],
        identity=tree["identity"],
        answered_by=tree["answered_by"],
        passages=tree["passages"],
        verdicts={
            QueryId(query): Support(sentences=sentences, unsupported=tuple(unsupported))
            for query, (sentences, unsupported) in tree["verdicts"].items()
        },
        failed={QueryId(query): why for query, why in tree["failed"].items()},
        tokens=tree["tokens"],
    )


def _run(row: sa.Row[tuple[object, ...]]) -> Run:
    tree = json.loads(row.content)
    ranked = _rankings(tree["ranked"])
    exact = cast("dict[str, list[str] | None]", tree["exact"])
    cost = tree["cost"]
    return Run(
        id=RunId(row.id),
        index=IndexName(row.index_name),
        release=ReleaseName(row.release),
        fingerprint=Fingerprint(row.fingerprint),
        query_set=QuerySetName(row.query_set),
        version=row.version,
        depth=row.depth,
        lsn=Lsn(row.lsn),
        at=row.at,
        actor=Actor(row.actor),
        name=row.name or "",
        ranked=ranked,
        exact={
            QueryId(query): ranked[QueryId(query)]
            if found is None
            else tuple(DocumentId(document) for document in found)
            for query, found in exact.items()
        },
        stages={
            QueryId(query): Stages(embed_ms=embed, search_ms=search, rerank_ms=rerank)
            for query, (embed, search, rerank) in cast(
                "dict[str, tuple[float, float, float]]", tree["stages"]
            ).items()
        },
        refused={
            QueryId(query): why
            for query, why in cast("dict[str, str]", tree["refused"]).items()
        },
        cost=RunCost(
            tokens=cost["tokens"],
            price_per_million_tokens=cost["price"],
            chunks=cost["chunks"],
            vector_bytes=cost["vector_bytes"],
            bytes_on_disk=cost["bytes_on_disk"],
        ),
        passages=tree.get("passages", 0),
        astray={
            QueryId(query): frozenset(map(DocumentId, found))
            for query, found in cast("dict[str, list[str]]", tree.get("astray", {})).items()
        },
        grounding=_grounding(cast("_Grounded | None", tree.get("grounding"))),
    )


def _rankings(tree: Mapping[str, list[str]]) -> Rankings:
    return {
        QueryId(query): tuple(DocumentId(document) for document in found)
        for query, found in tree.items()
    }


def _evaluation(row: sa.Row[tuple[object, ...]]) -> Evaluation:
    return Evaluation(
        id=EvaluationId(row.id),
        index=IndexName(row.index_name),
        candidate=ReleaseName(row.candidate),
        baseline=ReleaseName(row.baseline),
        candidate_fingerprint=Fingerprint(row.candidate_fingerprint),
        baseline_fingerprint=Fingerprint(row.baseline_fingerprint),
        query_set=QuerySetName(row.query_set),
        version=row.version,
        candidate_run=RunId(row.candidate_run),
        baseline_run=RunId(row.baseline_run),
        k=row.k,
        at=row.at,
        actor=Actor(row.actor),
    )
