"""Requests to erase, and the rewriting of what was otherwise only ever appended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final, cast

import sqlalchemy as sa

from repoint.domain.document import Json
from repoint.domain.erasure import Erasure, Secret, Stage
from repoint.domain.errors import ConflictError
from repoint.domain.evaluation import Run
from repoint.domain.ids import Actor, DocumentId, IndexName, Lsn, ProcessId
from repoint.domain.queries import QuerySet
from repoint.domain.readiness import Finding, Status
from repoint.stores.sql import codec
from repoint.stores.sql.dialect import FORGOTTEN, POSTGRES
from repoint.stores.sql.erasing_tables import erasures
from repoint.stores.sql.every_table import metadata
from repoint.stores.sql.indexes import require_index
from repoint.stores.sql.judging_tables import query_sets, runs
from repoint.stores.sql.query_sets import encoded as encoded_questions
from repoint.stores.sql.runs import encoded as encoded_run
from repoint.stores.sql.tables import documents, slots

#: Not looked through for what betrays a document: the log is asked by id, slots and
#: tombstones need the id, and an erasure's own record is emptied last.
_SPARED: Final = frozenset({documents.name, slots.name, erasures.name})
_BATCH: Final = 500
_ORDER: Final = tuple(Stage)


class SqlErasures:
    """``ports.store.Erasures`` on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def begin(self, erasure: Erasure) -> None:
        """Record a request."""
        require_index(self._connection, erasure.index)
        newest = self._connection.scalar(sa.select(sa.func.max(erasures.c.ordinal)))
        self._connection.execute(
            sa.insert(erasures).values(
                id=erasure.id,
                ordinal=(newest or 0) + 1,
                index_name=erasure.index,
                actor=erasure.actor,
                reason=erasure.reason,
                owner=erasure.owner,
                at=erasure.at,
                stage=erasure.stage.value,
                documents=erasure.documents,
                unknown=erasure.unknown,
                upto=erasure.upto,
                secret=_encoded(erasure.secret),
                findings=_encoded_findings(erasure.findings),
            )
        )

    def all(self, index: IndexName) -> list[Erasure]:
        """Return the requests of an index, oldest first."""
        require_index(self._connection, index)
        ordered = (
            sa.select(erasures)
            .where(erasures.c.index_name == index)
            .order_by(erasures.c.ordinal)
        )
        return [_erasure(row) for row in self._connection.execute(ordered)]

    def count(self) -> int:
        """Return how many there ever were."""
        return self._connection.scalar(sa.select(sa.func.max(erasures.c.ordinal))) or 0

    def advance(self, erasure: Erasure) -> None:
        """Store the stage and the findings."""
        self._connection.info[FORGOTTEN] = True
        earlier = [one.value for one in _ORDER[: _ORDER.index(erasure.stage) + 1]]
        is_open = erasure.stage is Stage.OPEN
        done = self._connection.execute(
            sa.update(erasures)
            .where(
                erasures.c.id == erasure.id,
                erasures.c.stage.in_(earlier),
                erasures.c.stage != Stage.DONE.value,
            )
            .values(
                stage=erasure.stage.value,
                secret=_encoded(erasure.secret) if is_open else "",
                findings=_encoded_findings(erasure.findings),
            )
        )
        if done.rowcount == 0:
            raise ConflictError(
                f"erasure {erasure.id} was finished by another process",
                hint=f"see: repoint erase {erasure.index}",
            )

    def rewrite_query_set(self, queries: QuerySet) -> None:
        """Put a version in its own place."""
        self._connection.info[FORGOTTEN] = True
        questions = queries.questions
        self._connection.execute(
            sa.update(query_sets)
            .where(
                query_sets.c.index_name == queries.index,
                query_sets.c.name == queries.name,
                query_sets.c.version == queries.version,
            )
            .values(
                queries=len(questions.queries),
                judgements=questions.judgements,
                digest=questions.digest(),
                content=encoded_questions(questions),
            )
        )

    def rewrite_run(self, run: Run) -> None:
        """Put a run's answers in their own place."""
        self._connection.info[FORGOTTEN] = True
        self._connection.execute(
            sa.update(runs).where(runs.c.id == run.id).values(content=encoded_run(run))
        )

    def records(self) -> Iterator[tuple[str, str]]:
        """Yield every text of every record."""
        streaming = {"stream_results": True, "yield_per": _BATCH}
        for table in metadata.sorted_tables:
            if table.name in _SPARED:
                continue
            columns = [one for one in table.c if isinstance(one.type, sa.Text)]
            if not columns:
                continue
            found = self._connection.execute(sa.select(*columns), execution_options=streaming)
            for row in found:
                for column, value in zip(columns, row, strict=True):
                    if isinstance(value, str):
                        yield f"{table.name}.{column.name}", value

    def shared(self, traces: Sequence[str]) -> frozenset[str]:
        """Return those of the texts that stand in a document now."""
        return frozenset(trace for trace in traces if self._stands(trace))

    def _stands(self, trace: str) -> bool:
        find = sa.func.strpos if self._connection.dialect.name == POSTGRES else sa.func.instr
        held = sa.or_(
            *(find(column, trace) > 0 for column in (documents.c.text, documents.c.title)),
            find(documents.c.metadata, trace) > 0,
        )
        one = sa.select(documents.c.lsn).where(documents.c.deleted == 0, held).limit(1)
        return self._connection.scalar(one) is not None


def _encoded(secret: Secret) -> str:
    return codec.encode(
        {
            "stand_ins": dict(secret.stand_ins),
            "traces": list(secret.traces),
            "questions": sorted(secret.questions),
        }
    )


def _secret(text: str) -> Secret:
    if not text:
        return Secret(stand_ins={})
    tree = json.loads(text)
    return Secret(
        stand_ins={
            DocumentId(document): name
            for document, name in cast("dict[str, str]", tree["stand_ins"]).items()
        },
        traces=tuple(cast("list[str]", tree["traces"])),
        questions=frozenset(cast("list[str]", tree["questions"])),
    )


def _encoded_findings(findings: Sequence[Finding]) -> str:
    return json.dumps(
        [
            {
                "check": one.check,
                "status": one.status.value,
                "summary": one.summary,
                "figures": dict(one.figures),
                "remedy": one.remedy,
            }
            for one in findings
        ],
        ensure_ascii=False,
    )


def _erasure(row: sa.Row[tuple[object, ...]]) -> Erasure:
    return Erasure(
        id=row.id,
        index=IndexName(row.index_name),
        actor=Actor(row.actor),
        reason=row.reason,
        owner=ProcessId(row.owner),
        at=row.at,
        stage=Stage(row.stage),
        documents=row.documents,
        unknown=row.unknown,
        upto=Lsn(row.upto),
        secret=_secret(row.secret),
        findings=tuple(
            Finding(
                check=cast("str", one["check"]),
                status=Status(cast("str", one["status"])),
                summary=cast("str", one["summary"]),
                figures=cast("dict[str, Json]", one["figures"]),
                remedy=cast("str", one["remedy"]),
            )
            for one in cast("list[dict[str, object]]", json.loads(row.findings))
        ),
    )
