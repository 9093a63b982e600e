"""The fake's gRPC side: the service stubs of the client library, over its shelves."""

import functools
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

import grpc
import numpy as np
from google.protobuf.message import Message
from tests.fakes.weaviate_peer.access import Access
from tests.fakes.weaviate_peer.shelves import (
    Class,
    Refusal,
    Shelves,
    Stored,
    Value,
    Vector,
    passing,
    ranked,
)
from weaviate.proto.v1 import (
    aggregate_pb2,
    base_pb2,
    batch_delete_pb2,
    batch_pb2,
    properties_pb2,
    search_get_pb2,
    weaviate_pb2_grpc,
)

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
Call = Callable[["Objects", Q], A]
Served = Callable[["Objects", Q, grpc.ServicerContext], A]

#: The most that one call gives or deletes.
MOST = 10_000


def served(call: Call[Q, A]) -> Served[Q, A]:
    """Return a method of the service: what it refuses has the status of the real server."""

    @functools.wraps(call)
    def answer(self: "Objects", request: Q, context: grpc.ServicerContext) -> A:
        sent = dict(context.invocation_metadata())
        if not self.access.knows(sent.get("authorization")):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "unauthorized: invalid api key")
        try:
            with self.shelves.lock:
                if isinstance(request, search_get_pb2.SearchRequest):
                    kind = self.shelves.resolved(request.collection).name
                    if not self.access.may_read(sent.get("authorization"), kind):
                        what = f"read_data [[Domain: data, Collection: {kind}]]"
                        context.abort(grpc.StatusCode.PERMISSION_DENIED, f"forbidden: {what}")
                return call(self, request)
        except Refusal as refusal:
            context.abort(grpc.StatusCode.UNKNOWN, str(refusal))
            raise

    return answer


class Objects(weaviate_pb2_grpc.WeaviateServicer):
    """Search, write, delete and count."""

    def __init__(self, shelves: Shelves, *, access: Access) -> None:
        self.shelves = shelves
        self.access = access

    @served
    def Search(self, request: search_get_pb2.SearchRequest) -> search_get_pb2.SearchReply:  # noqa: N802
        kind = self.shelves.resolved(request.collection)
        if request.offset + request.limit > MOST:
            raise Refusal(422, "query maximum results exceeded")
        held = kind.share(request.tenant)
        found = passing(
            kind, held.values(), request.filters if request.HasField("filters") else None
        )
        if request.HasField("near_vector"):
            scored = _near(kind, found, request)
        elif request.HasField("bm25_search"):
            if not request.bm25_search.query:
                raise Refusal(422, "keyword search (bm25) must have query set")
            name = request.bm25_search.properties[0]
            scored = ranked(found, request.bm25_search.query, name)
        else:
            scored = [(0.0, one) for one in _listed(found, request)]
        results = [_result(kind, one, score, request) for score, one in scored[: request.limit]]
        return search_get_pb2.SearchReply(results=results)

    @served
    def BatchObjects(  # noqa: N802
        self, request: batch_pb2.BatchObjectsRequest
    ) -> batch_pb2.BatchObjectsReply:
        errors = []
        for index, one in enumerate(request.objects):
            try:
                self._write(one)
            except Refusal as refusal:
                errors.append(
                    batch_pb2.BatchObjectsReply.BatchError(index=index, error=str(refusal))
                )
        return batch_pb2.BatchObjectsReply(errors=errors)

    @served
    def BatchDelete(  # noqa: N802
        self, request: batch_delete_pb2.BatchDeleteRequest
    ) -> batch_delete_pb2.BatchDeleteReply:
        kind = self.shelves.resolved(request.collection)
        held = kind.share(request.tenant)
        gone = passing(kind, held.values(), request.filters)[:MOST]
        for one in gone:
            del held[one.uuid]
        return batch_delete_pb2.BatchDeleteReply(matches=len(gone), successful=len(gone))

    @served
    def Aggregate(  # noqa: N802
        self, request: aggregate_pb2.AggregateRequest
    ) -> aggregate_pb2.AggregateReply:
        kind = self.shelves.resolved(request.collection)
        found = passing(
            kind,
            kind.share(request.tenant).values(),
            request.filters if request.HasField("filters") else None,
        )
        single = aggregate_pb2.AggregateReply.Single(objects_count=len(found))
        return aggregate_pb2.AggregateReply(single_result=single)

    def _write(self, one: batch_pb2.BatchObject) -> None:
        try:
            kind = self.shelves.resolved(one.collection)
        except Refusal:  # the real server's auto schema
            kind = self.shelves.make({"class": one.collection})
        held = kind.share(one.tenant)
        vectors: dict[str, Vector] = {}
        if one.vector_bytes:
            vectors[""] = np.frombuffer(one.vector_bytes, dtype="<f4")
        for vector in one.vectors:
            if vector.name not in kind.vectors:
                raise Refusal(
                    422,
                    f"collection {kind.name} has no configuration for vector {vector.name}",
                )
            values = np.frombuffer(vector.vector_bytes, dtype="<f4")
            others = (s.vectors[vector.name] for s in held.values() if vector.name in s.vectors)
            if (other := next(others, None)) is not None and other.shape != values.shape:
                raise Refusal(422, f"new node has a vector with length {values.size}")
            vectors[vector.name] = values
        properties: dict[str, Value] = dict(one.properties.non_ref_properties)
        unknown = [name for name in properties if kind.kind(name) is None]
        if unknown:
            raise Refusal(422, f"the fake makes no property by itself: {unknown}")
        place = UUID(one.uuid)
        held[place] = Stored(uuid=place, properties=properties, vectors=vectors)


def _near(
    kind: Class, found: list[Stored], request: search_get_pb2.SearchRequest
) -> list[tuple[float, Stored]]:
    near = request.near_vector
    (name,) = near.targets.target_vectors or list(kind.vectors) or [""]
    if name and name not in kind.vectors:
        raise Refusal(422, f"class {kind.name} does not have named vector {name} configured")
    raw = near.vectors[0].vector_bytes if near.vectors else near.vector_bytes
    if near.vector_for_targets:
        (target,) = near.vector_for_targets
        raw = target.vectors[0].vector_bytes if target.vectors else target.vector_bytes
    asked = np.frombuffer(raw, dtype="<f4")
    index = kind.index(name)
    scored = []
    for one in found:
        if name in one.vectors:
            if one.vectors[name].shape != asked.shape:
                raise Refusal(422, f"vector lengths: {one.vectors[name].size} vs {asked.size}")
            scored.append((_distance(str(index["distance"]), one.vectors[name], asked), one))
    return sorted(scored, key=lambda pair: pair[0])


def _distance(metric: str, one: Vector, other: Vector) -> float:
    if metric == "l2-squared":
        return float(np.sum((one - other) ** 2))
    if metric == "dot":
        return -float(one @ other)
    lengths = [float(np.linalg.norm(each)) or 1.0 for each in (one, other)]
    return 1.0 - float((one / lengths[0]) @ (other / lengths[1]))


def _listed(found: list[Stored], request: search_get_pb2.SearchRequest) -> list[Stored]:
    if request.after and request.HasField("filters"):
        raise Refusal(422, "where filter cannot be set with after and limit parameters")
    found = sorted(found, key=lambda one: str(one.uuid))
    for by in request.sort_by:
        found = sorted(found, key=lambda one: one.properties[by.path[0]])
    return [one for one in found if str(one.uuid) > request.after]


def _result(
    kind: Class, one: Stored, score: float, request: search_get_pb2.SearchRequest
) -> search_get_pb2.SearchResult:
    wanted = request.properties.non_ref_properties or [str(p["name"]) for p in kind.properties]
    fields = {name: _value(kind.kind(name), one.properties.get(name)) for name in wanted}
    metadata = search_get_pb2.MetadataResult(
        id=str(one.uuid),
        id_as_bytes=one.uuid.bytes,
        distance=score,
        distance_present=request.metadata.distance,
        score=score,
        score_present=request.metadata.score,
    )
    if request.metadata.vector:
        metadata.vectors.extend(
            base_pb2.Vectors(
                name=name,
                vector_bytes=values.tobytes(),
                type=base_pb2.Vectors.VECTOR_TYPE_SINGLE_FP32,
            )
            for name, values in one.vectors.items()
            if name
        )
        if "" in one.vectors:
            metadata.vector_bytes = one.vectors[""].tobytes()
    held = properties_pb2.Properties(fields=fields)
    return search_get_pb2.SearchResult(
        metadata=metadata,
        properties=search_get_pb2.PropertiesResult(
            non_ref_props=held, target_collection=kind.name
        ),
    )


def _value(data: str | None, held: Value | None) -> properties_pb2.Value:
    if held is None:
        return properties_pb2.Value(null_value=0)
    match data:
        case "int":
            return properties_pb2.Value(int_value=int(held))
        case "number":
            return properties_pb2.Value(number_value=float(held))
        case "boolean":
            return properties_pb2.Value(bool_value=bool(held))
        case "uuid":
            return properties_pb2.Value(uuid_value=str(held))
        case _:
            return properties_pb2.Value(text_value=str(held))
