"""``sync`` and ``search`` on each database beside its own bulk loader and its own query.

The bare loop embeds a batch and gives it to the fastest writer of the database's own client:
COPY for PostgreSQL, upsert for Qdrant, the faster of two ways for Weaviate, and those of
``bench.engine_servers``. It keeps no log, no order and no LSN, and is not safe to break off.
The bare search embeds the question and asks the same collection by hand. The server of
PostgreSQL flushes every commit; Qdrant is the client library's own engine, and Weaviate the
server that ``REPOINT_WEAVIATE_URL`` and ``REPOINT_WEAVIATE_GRPC`` name.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from bench import weaviate_server
from bench.engine_servers import SERVERS
from bench.models import HASHING, MINILM, STATIC
from bench.texts import documents, passages
from bench.workspaces import fill, in_step
from psycopg import sql

from repoint import Repoint
from repoint.backends.pgvector.connections import Connections, Link, Packed
from repoint.domain.document import Document
from repoint.domain.spec import ReleaseSpec
from repoint.embedders.onnx import OnnxEmbedder
from repoint.embedders.static import StaticEmbedder
from repoint.operations.promote import PromoteOptions
from repoint.ports.backend import FloatMatrix, FloatVector
from repoint.ports.embedder import Embedder, Purpose
from repoint.testing.postgres import NoServerError, PostgresServer
from repoint.testing.programs import NoProgramError
from repoint.wiring.clock import SystemClock
from repoint.wiring.config import CONFIG_FILE

Load = Callable[[Sequence[Document], FloatMatrix], None]
Ask = Callable[[FloatVector], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What both sides do: the same model on the same texts."""

    spec: ReleaseSpec
    embedder: Embedder
    corpus: Sequence[Document]
    asked: list[str]


_URL = "REPOINT_BENCH_DATABASE_URL"


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return rates, latencies and the two ratios of each database that there is here."""
    figures: dict[str, float] = {}
    for model, spec, size, questions in (
        ("minilm", MINILM, 128 if smoke else 1_500, 20 if smoke else 100),
        ("static", STATIC, 500 if smoke else 5_000, 20 if smoke else 200),
    ):
        embedder = _embedder(spec)
        embedder.embed(["warm"], purpose=Purpose.DOCUMENT)
        corpus = documents(size, seed=seed)
        asked = passages(questions * 2, seed=seed + 1, length=12)
        figures |= _of_each(
            Job(spec=spec, embedder=embedder, corpus=corpus, asked=asked), model
        )
    return figures


def _embedder(spec: ReleaseSpec) -> Embedder:
    clock = SystemClock()
    if spec.model.provider == "onnx":
        return OnnxEmbedder.open(spec.model, clock=clock)
    return StaticEmbedder.open(spec.model, clock=clock)


def _of_each(job: Job, model: str) -> dict[str, float]:
    figures: dict[str, float] = {}
    try:
        with PostgresServer(durable=True) as server:
            figures |= _pgvector(server, job, f"pgvector_{model}")
    except NoServerError as problem:
        print(f"  pgvector is not measured: {problem}")
    if find_spec("qdrant_client") is None:
        print("  qdrant is not measured: make servers-test installs its client")
    else:
        figures |= _qdrant(job, f"qdrant_local_{model}")
    return figures | _of_servers(job, model) | _of_weaviate(job, model)


def _of_servers(job: Job, model: str) -> dict[str, float]:
    figures: dict[str, float] = {}
    for engine, started in SERVERS.items():
        name = f"{engine}_{model}"
        try:
            with started(job.embedder.dimensions) as beside:
                bare = _bare(job, beside.load)
                again = _bare(job, beside.repeatable) if beside.repeatable else None
                with _promoted(beside.table, job) as (docs, ours):
                    figures |= _figures(name, docs, beside.ask, job)
                    figures |= _rates(name, len(job.corpus), bare, ours)
                    if again is not None:
                        figures[f"{name}_sync_share_of_upsert"] = again / ours
                    figures |= _switched(name, docs)
        except NoProgramError as problem:
            print(f"  {engine} is not measured: {problem}")
    return figures


def _of_weaviate(job: Job, model: str) -> dict[str, float]:
    figures: dict[str, float] = {}
    url, grpc = (os.environ.get(f"REPOINT_WEAVIATE_{door}", "") for door in ("URL", "GRPC"))
    if not url:
        print("  weaviate is not measured: REPOINT_WEAVIATE_URL names no server")
        return {}
    peer = weaviate_server.Server(url=url, grpc=grpc)
    with peer.bulk() as bulk:
        bare = _bare(job, bulk.in_background, finish=bulk.finish)
    with peer.bulk() as bulk:
        bare = min(bare, _bare(job, bulk.at_once))
        with _promoted(peer.table, job) as (docs, ours):
            with peer.client() as client:
                by_hand = peer.ask(client, docs)
                figures |= _figures(f"weaviate_{model}", docs, by_hand, job)
            figures |= peer.switched(docs, f"weaviate_{model}")
    figures |= _rates(f"weaviate_{model}", len(job.corpus), bare, ours)
    return figures


def _switched(name: str, repoint: Repoint) -> dict[str, float]:
    """Return how long a rollback takes until pointer and alias have moved, and in all."""
    docs, reports = repoint.index("docs"), []
    in_step(repoint, "docs", "v2", replace(HASHING, backend="main"))
    for _ in range(3):
        docs.promote("v2", options=PromoteOptions(without_evaluation="benchmark"))
        reports.append(docs.rollback(reason="benchmark"))
    return {
        f"{name}_switch_s": statistics.median(one.switch_seconds for one in reports),
        f"{name}_rollback_s": statistics.median(one.seconds for one in reports),
    }


def _pgvector(server: PostgresServer, job: Job, name: str) -> dict[str, float]:
    database = server.database()
    server.execute("CREATE EXTENSION vector", database=database)
    os.environ[_URL] = server.url(database)
    connections = Connections(server.url(database))
    try:
        with connections.use() as link:
            bare = _bare(job, _copy(link, job.embedder.dimensions))
            with _promoted(f'kind = "pgvector"\nurl_env = "{_URL}"', job) as (docs, ours):
                collection = docs.index("docs").release("v1").collection
                query = sql.SQL(
                    'SELECT document, slot, lsn, text, "start", "end", metadata, '
                    "embedding <=> %s AS distance FROM {} ORDER BY distance LIMIT 10"
                ).format(sql.Identifier("repoint", collection))

                def ask(vector: FloatVector) -> object:
                    return link.connection.execute(query, (Packed.of(vector),)).fetchall()

                return _figures(name, docs, ask, job) | _rates(
                    name, len(job.corpus), bare, ours
                )
    finally:
        connections.close()


def _copy(link: Link, dimensions: int) -> Load:
    link.connection.execute(
        "CREATE TABLE bare (id text PRIMARY KEY, text text, kind text, "
        f"embedding vector({dimensions}))".encode()
    )

    def load(part: Sequence[Document], vectors: FloatMatrix) -> None:
        copying = "COPY bare FROM STDIN (FORMAT BINARY)"
        with link.connection.cursor() as cursor, cursor.copy(copying) as copy:
            copy.set_types(["text", "text", "text", "vector"])
            for document, vector in zip(part, vectors, strict=True):
                kind = str(document.metadata["group"])
                copy.write_row((document.id, document.text, kind, Packed.of(vector)))

    return load


def _qdrant(job: Job, name: str) -> dict[str, float]:
    from qdrant_client import QdrantClient, models  # noqa: PLC0415 - may not be installed

    with tempfile.TemporaryDirectory(prefix="repoint-bench-") as folder:
        client = QdrantClient(path=folder)
        client.create_collection(
            "bare",
            vectors_config=models.VectorParams(
                size=job.embedder.dimensions, distance=models.Distance.COSINE
            ),
        )

        def load(part: Sequence[Document], vectors: FloatMatrix) -> None:
            points = [
                models.PointStruct(
                    id=int(document.id[1:]),
                    vector=vector.tolist(),
                    payload={
                        "id": document.id,
                        "text": document.text,
                        "kind": str(document.metadata["group"]),
                    },
                )
                for document, vector in zip(part, vectors, strict=True)
            ]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # it advises a server
                client.upsert("bare", points)

        def ask(vector: FloatVector) -> object:
            return client.query_points("bare", query=vector.tolist(), limit=10).points

        bare = _bare(job, load)
        with _promoted('kind = "qdrant"', job) as (docs, ours):
            figures = _figures(name, docs, ask, job)
        client.close()
    return figures | _rates(name, len(job.corpus), bare, ours)


@contextmanager
def _promoted(table: str, job: Job) -> Iterator[tuple[Repoint, float]]:
    """Give a workspace whose index ``docs`` answers from the database, and sync's seconds."""
    with tempfile.TemporaryDirectory(prefix="repoint-bench-") as folder:
        home = Path(folder) / "home"
        Repoint.init(home).close()
        with (home / CONFIG_FILE).open("a", encoding="utf-8") as config:
            config.write(f"\n[backends.main]\n{table}\n")
        with Repoint.open(home) as repoint:
            docs = repoint.create_index("docs")
            fill(docs, job.corpus)
            spec = replace(job.spec, backend="main")
            seconds = in_step(repoint, "docs", "v1", spec)
            docs.promote("v1", options=PromoteOptions(without_evaluation="benchmark"))
            yield repoint, seconds


def _bare(job: Job, load: Load, *, finish: Callable[[], None] | None = None) -> float:
    embedder, corpus = job.embedder, job.corpus
    batch = max(embedder.traits.batch, 256)
    began = time.perf_counter()
    for start in range(0, len(corpus), batch):
        part = corpus[start : start + batch]
        load(part, embedder.embed([d.text for d in part], purpose=Purpose.DOCUMENT))
    if finish is not None:
        finish()
    return time.perf_counter() - began


def _rates(name: str, size: int, bare: float, ours: float) -> dict[str, float]:
    return {
        f"{name}_bare_docs_per_s": size / bare,
        f"{name}_sync_docs_per_s": size / ours,
        f"{name}_sync_share": bare / ours,
    }


def _figures(name: str, repoint: Repoint, by_hand: Ask, job: Job) -> dict[str, float]:
    docs = repoint.index("docs")

    def theirs(text: str) -> object:
        vector = job.embedder.embed([text], purpose=Purpose.QUERY)[0]
        return by_hand(vector / np.linalg.norm(vector))

    samples: tuple[list[float], list[float]] = ([], [])
    for number, text in enumerate(job.asked):
        for side in (number % 2, 1 - number % 2):  # in turns: neither finds the other's cache
            question = f"{text} {side}"
            began = time.perf_counter()
            (docs.search, theirs)[side](question)
            samples[side].append((time.perf_counter() - began) * 1000)
    ours_ms, theirs_ms = (statistics.median(side[10:]) for side in samples)
    return {
        f"{name}_search_p50_ms": ours_ms,
        f"{name}_by_hand_p50_ms": theirs_ms,
        f"{name}_overhead_ratio": ours_ms / theirs_ms,
    }
