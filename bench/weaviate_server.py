"""The server of Weaviate that is measured: its own bulk loader, its own query, its alias."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Final, TypeAlias
from uuid import NAMESPACE_OID, uuid5

from weaviate import WeaviateClient
from weaviate.classes.config import Configure, DataType, Property, Tokenization
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter, MetadataQuery
from weaviate.collections.batch.batch_wrapper import BatchCollectionProtocol
from weaviate.collections.classes.types import WeaviateProperties

from repoint import Repoint
from repoint.backends.weaviate.engine import Address
from repoint.backends.weaviate.objects import Written
from repoint.domain.document import Document
from repoint.domain.ids import CollectionName, Fingerprint
from repoint.ports.backend import FloatMatrix, FloatVector

Ask: TypeAlias = Callable[[FloatVector], object]

#: The class that is filled by hand.
BARE: Final = "Repoint_bench_bare"
PREFIX: Final = "Repoint_bench_"
#: As the client's documentation advises for a bulk load.
BATCH, REQUESTS = 256, 2
MOVES: Final = 40


class Bulk:
    """A class that is filled by hand, with one of the client's two ways to write many."""

    def __init__(self, client: WeaviateClient) -> None:
        self._kind = client.collections.use(BARE)
        self._open = ExitStack()
        self._batch: BatchCollectionProtocol[WeaviateProperties] | None = None

    def in_background(self, part: Sequence[Document], vectors: FloatMatrix) -> None:
        """Give documents to the client's batches, which go off beside the next embedding."""
        if self._batch is None:
            batch = self._kind.batch.fixed_size(batch_size=BATCH, concurrent_requests=REQUESTS)
            self._batch = self._open.enter_context(batch)
        for one in _objects(part, vectors):
            self._batch.add_object(properties=one.properties, uuid=one.uuid, vector=one.vector)

    def at_once(self, part: Sequence[Document], vectors: FloatMatrix) -> None:
        """Write documents in one call, and wait for it."""
        done = self._kind.data.insert_many(list(_objects(part, vectors)))
        assert not done.has_errors  # noqa: S101 - else it was no load

    def finish(self) -> None:
        """Wait until all of them are written."""
        self._open.close()
        assert not self._kind.batch.failed_objects  # noqa: S101 - as above


def _objects(part: Sequence[Document], vectors: FloatMatrix) -> Iterator[Written]:
    for document, vector in zip(part, vectors, strict=True):
        yield DataObject(
            uuid=uuid5(NAMESPACE_OID, document.id),
            properties={"text": document.text, "kind": str(document.metadata["group"])},
            vector=vector.tolist(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where it is."""

    url: str
    grpc: str

    @property
    def table(self) -> str:
        """Return the lines of its table in ``repoint.toml``."""
        options = f'[backends.main.options]\ngrpc = "{self.grpc}"' if self.grpc else ""
        return f'kind = "weaviate"\nurl = "{self.url}"\nalias_prefix = "{PREFIX}"\n{options}'

    @contextmanager
    def client(self) -> Iterator[WeaviateClient]:
        """Give a client of its own."""
        address = Address.of(self.url, grpc_url=self.grpc, backend="bench")
        with WeaviateClient(address.parameters(), skip_init_checks=True) as client:
            yield client

    @contextmanager
    def bulk(self) -> Iterator[Bulk]:
        """Give an empty class to be filled by hand; what is made meanwhile goes afterwards."""
        with self.client() as client:
            client.collections.delete(BARE)
            before = set(client.collections.list_all())
            client.collections.create(
                BARE,
                vector_config=Configure.Vectors.self_provided(
                    vector_index_config=Configure.VectorIndex.hnsw(
                        quantizer=Configure.VectorIndex.Quantizer.none()
                    )
                ),
                properties=[
                    Property(name="text", data_type=DataType.TEXT, index_searchable=False),
                    Property(
                        name="kind",
                        data_type=DataType.TEXT,
                        tokenization=Tokenization.FIELD,
                        index_searchable=False,
                    ),
                ],
            )
            try:
                yield Bulk(client)
            finally:
                for alias in client.alias.list_all():
                    if alias.startswith(PREFIX):
                        client.alias.delete(alias_name=alias)
                for name in set(client.collections.list_all()) - before:
                    client.collections.delete(name)

    def ask(self, client: WeaviateClient, repoint: Repoint) -> Ask:
        """Return how to ask repoint's own class by hand, for as exact an answer."""
        release = repoint.index("docs").release("v1")
        kind = client.collections.use(release.collection)
        everything = Filter.by_property("part").greater_or_equal(0)

        def asked(vector: FloatVector) -> object:
            found = kind.query.near_vector(
                vector.tolist(),
                limit=10,
                filters=everything,
                return_metadata=MetadataQuery(distance=True),
            )
            return found.objects

        return asked

    def switched(self, repoint: Repoint, name: str) -> dict[str, float]:
        """Return how long the alias takes to move and to answer from the other class."""
        first = repoint.index("docs").release("v1")
        backend = repoint.workspace.drivers.backend("main")
        spec = backend.open(first.collection, fingerprint=first.fingerprint).spec
        empty = replace(
            spec, name=CollectionName(f"{spec.name}_empty"), fingerprint=Fingerprint("e" * 64)
        )
        backend.create(empty)
        alias = f"{PREFIX}docs"
        targets = (empty.name, first.collection)
        seconds: list[float] = []
        with self.client() as client:
            reader = client.collections.use(alias)
            for number in range(MOVES):
                began = time.perf_counter()
                backend.set_alias(alias, targets[number % 2])
                found = bool(reader.query.fetch_objects(limit=1).objects)
                seconds.append(time.perf_counter() - began)
                assert found == bool(number % 2)  # noqa: S101 - else nothing was measured
        return {f"{name}_switch_p50_ms": statistics.median(seconds) * 1000}
