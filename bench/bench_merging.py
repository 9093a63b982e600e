"""What Weaviate does when vectors of two releases are on one object, and when they are not.

The server is the one that ``REPOINT_WEAVIATE_URL`` and ``REPOINT_WEAVIATE_GRPC`` name; without
it nothing is measured. Two processes merge a vector each into the same objects, in step, and
what is left of both is counted. Then one name is searched while vectors of another are
written: on the same objects, and on objects of their own in the same class, as the driver
keeps them with ``strategy = "vector_field"``.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from threading import Event, Thread
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

import numpy as np
from weaviate import WeaviateClient
from weaviate.classes.config import Configure, DataType, Property
from weaviate.classes.data import DataObject

from repoint.backends.weaviate.backend import WeaviateBackend
from repoint.backends.weaviate.engine import Address, Engine
from repoint.backends.weaviate.options import Options
from repoint.domain.document import Chunk, Entry
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, Lsn
from repoint.domain.spec import AnnKind, AnnSpec, Distance
from repoint.ports.backend import (
    Collection,
    CollectionSpec,
    FloatMatrix,
    SpaceMatrix,
    SpaceVector,
)

CLASS: Final = "Repoint_bench_merging"
NAMES: Final = ("a", "b")
SEARCHED: Final = 40
FIELDS: Final = ("bench_a_aaaaaaaaaaaa", "bench_b_bbbbbbbbbbbb")


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return how much was lost, and how many searches missed something."""
    if not os.environ.get("REPOINT_WEAVIATE_URL"):
        print("  weaviate is not measured: REPOINT_WEAVIATE_URL names no server")
        return {}
    random = np.random.default_rng(seed)
    objects, searches = (50, 100) if smoke else (400, 1_000)
    with _client() as client:
        figures = _merged(client, objects)
        figures |= _missed("same_objects", *_same(client, random), searches=searches)
        client.collections.delete(CLASS)
    with _own(random) as (search, write):
        figures |= _missed("own_objects", search, write, searches=searches)
    return figures


def _merged(client: WeaviateClient, number: int) -> dict[str, float]:
    """Let two processes merge a vector and a property of their own into each object at once."""
    places = _made(client, number)
    context = get_context("spawn")
    gate = context.Barrier(len(NAMES))
    workers = [context.Process(target=_merge, args=(name, places, gate)) for name in NAMES]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    kind = client.collections.use(CLASS)
    found = kind.query.fetch_objects(limit=number, include_vector=True).objects
    expected = len(NAMES) * number
    held = sum(value is not None for one in found for value in one.properties.values())
    return {
        "merged_vectors": expected,
        "merged_vectors_lost": expected - sum(len(one.vector) for one in found),
        "merged_properties_lost": expected - held,
    }


def _merge(name: str, places: Sequence[UUID], gate: Barrier) -> None:
    with _client() as client:
        data = client.collections.use(CLASS).data
        for place in places:
            gate.wait(60)
            data.update(place, properties={name: 1}, vector={name: [1.0, 2.0, 3.0]})


def _same(
    client: WeaviateClient, random: np.random.Generator
) -> tuple[Callable[[], int], Callable[[], None]]:
    places = _made(client, SEARCHED)
    kind = client.collections.use(CLASS)
    for number, place in enumerate(places):
        kind.data.update(place, properties={}, vector={"a": [1.0, number, 0.0]})

    def search() -> int:
        found = kind.query.near_vector([1.0, 0.0, 0.0], target_vector="a", limit=SEARCHED)
        return len(found.objects)

    def write() -> None:
        for place in places:
            kind.data.update(place, properties={}, vector={"b": random.random(3).tolist()})

    return search, write


@contextmanager
def _own(
    random: np.random.Generator,
) -> Iterator[tuple[Callable[[], int], Callable[[], None]]]:
    backend = WeaviateBackend(Engine(address=_address()), Options(shares=True))
    first, second = (backend.create(_spec(field)) for field in FIELDS)
    lsns = count(1)
    _put(
        first, next(lsns), np.array([[1.0, n, 0.0] for n in range(SEARCHED)], dtype=np.float32)
    )
    asked = SpaceVector(first.spec.fingerprint, np.array([1.0, 0.0, 0.0], dtype=np.float32))
    try:
        yield (
            lambda: len(first.search(asked, limit=SEARCHED)),
            lambda: _put(second, next(lsns), random.random((SEARCHED, 3), dtype=np.float32)),
        )
    finally:
        for one in (first, second):
            backend.drop(one.spec.name)
        backend.close()


def _missed(
    name: str, search: Callable[[], int], write: Callable[[], None], *, searches: int
) -> dict[str, float]:
    """Search while another thread writes; return how often something was not found."""
    ended = Event()

    def written() -> None:
        while not ended.is_set():
            write()

    thread = Thread(target=written)
    thread.start()
    try:
        short = sum(search() < SEARCHED for _ in range(searches))
    finally:
        ended.set()
        thread.join()
    return {f"{name}_searches": searches, f"{name}_searches_that_missed": short}


def _made(client: WeaviateClient, number: int) -> list[UUID]:
    client.collections.delete(CLASS)
    kind = client.collections.create(
        CLASS,
        properties=[Property(name=name, data_type=DataType.INT) for name in NAMES],
        vector_config=[Configure.Vectors.self_provided(name=name) for name in NAMES],
    )
    places = [uuid5(NAMESPACE_OID, str(one)) for one in range(number)]
    kind.data.insert_many([DataObject(uuid=place, properties={}) for place in places])
    return places


def _put(collection: Collection, lsn: int, vectors: FloatMatrix) -> None:
    entries = [
        Entry(
            document=DocumentId(f"d{number}"),
            lsn=Lsn(lsn),
            chunks=[Chunk.of(f"text {number}", start=0, end=6)],
            slots=1,
            metadata={},
        )
        for number in range(len(vectors))
    ]
    collection.put(entries, SpaceMatrix(collection.spec.fingerprint, vectors))


def _spec(field: str) -> CollectionSpec:
    return CollectionSpec(
        name=CollectionName(f"repoint_bench_objects/{field}"),
        fingerprint=Fingerprint(field[-1] * 64),
        dimensions=3,
        distance=Distance.COSINE,
        ann=AnnSpec(kind=AnnKind.HNSW),
        lexical=False,
    )


def _address() -> Address:
    url, grpc = (os.environ.get(f"REPOINT_WEAVIATE_{door}", "") for door in ("URL", "GRPC"))
    return Address.of(url, grpc_url=grpc, backend="bench")


def _client() -> WeaviateClient:
    return WeaviateClient(_address().parameters(), skip_init_checks=True)
