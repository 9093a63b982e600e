"""Reading a team's index from the outside: a sample, a scan, and its ids.

A scan goes shard by shard in the order in which the database numbered its writes. A row that
was noted got a new number with that, so the note keeps the one it had: wherever a scan is
taken up, it comes upon the same rows again, noted or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from opensearchpy import OpenSearch

from repoint.backends.opensearch.filters import Query
from repoint.backends.opensearch.layouts import NOTES, Row, row_of
from repoint.backends.opensearch.rows import VERSIONED

_WAS: Final = f"{NOTES}.was"
_NUMBER: Final = "_seq_no"
#: Values of one page of ids.
_IDS: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """How far a scan is: everything of this shard up to ``low`` was read, of ``high``."""

    shard: int = 0
    low: int = -1
    high: int | None = None

    @staticmethod
    def of(cursor: str) -> _Place:
        if not cursor:
            return _Place()
        shard, low, high = cursor.split(":")
        return _Place(shard=int(shard), low=int(low), high=int(high) if high else None)

    def __str__(self) -> str:
        return f"{self.shard}:{self.low}:{'' if self.high is None else self.high}"


def sample_of(client: OpenSearch, index: str, *, count: int, seed: int) -> list[Row]:
    """Return rows drawn over the whole index."""
    client.indices.refresh(index=index)
    drawn = {
        "query": {"match_all": {}},
        "random_score": {"seed": seed, "field": _NUMBER},
        "boost_mode": "replace",
    }
    body = {"query": {"function_score": drawn}, "size": count, **VERSIONED}
    return [row_of(one) for one in client.search(index=index, body=body)["hits"]["hits"]]


def page_of(
    client: OpenSearch, index: str, *, after: str, limit: int
) -> tuple[list[Row], str | None]:
    """Return the rows that follow a place, and the place after them; None at the end."""
    flat = client.indices.get_settings(index=index, params={"flat_settings": "true"})
    shards = int(flat[index]["settings"]["index.number_of_shards"])
    place = _Place.of(after)
    while place.shard < shards:
        if place.high is None:
            client.indices.refresh(index=index)
            high = _highest(client, index, place.shard)
            place = _Place(shard=place.shard, low=place.low, high=high)
        numbered = _numbered(client, index, place, limit=limit)
        if len(numbered) == limit:
            last = numbered[-1][0]
            following = _Place(shard=place.shard, low=last, high=place.high)
        else:
            following = _Place(shard=place.shard + 1)
        if numbered:
            ends = following.shard == shards
            return [row for _, row in numbered], None if ends else str(following)
        place = following
    return [], None


def ids_of(client: OpenSearch, index: str, path: str) -> Iterator[tuple[object, int]]:
    """Yield each value of a field, and how many documents have it."""
    source = {"sources": [{"id": {"terms": {"field": path}}}], "size": _IDS}
    after: object = None
    while True:
        asked = {"composite": source if after is None else {**source, "after": after}}
        found = client.search(index=index, body={"size": 0, "aggs": {"ids": asked}})
        buckets = found["aggregations"]["ids"]["buckets"]
        for one in buckets:
            yield one["key"]["id"], int(one["doc_count"])
        if len(buckets) < _IDS:
            return
        after = found["aggregations"]["ids"]["after_key"]


def unasked(client: OpenSearch, index: str, path: str) -> int:
    """Return how many documents have a value there that is too long to be asked for."""
    query = {"term": {"_ignored": path}}
    return int(client.count(index=index, body={"query": query})["count"])


def _highest(client: OpenSearch, index: str, shard: int) -> int:
    body = {"size": 0, "aggs": {"high": {"max": {"field": _NUMBER}}}}
    found = client.search(index=index, body=body, params={"preference": f"_shards:{shard}"})
    value = found["aggregations"]["high"]["value"]
    return -1 if value is None else int(value)


def _numbered(
    client: OpenSearch, index: str, place: _Place, *, limit: int
) -> list[tuple[int, Row]]:
    """Return the next rows of a shard with the numbers that they had when they were found."""
    noted: Query = {"exists": {"field": _WAS}}
    found: list[tuple[int, Row]] = []
    for field, condition in (
        (_NUMBER, {"must_not": [noted]}),
        (_WAS, {"filter": [noted]}),
    ):
        between: Query = {"range": {field: {"gt": place.low, "lte": place.high}}}
        body = {
            "query": {"bool": {"must": [between], **condition}},
            "size": limit,
            "sort": [{field: {"order": "asc", "unmapped_type": "long"}}],
            **VERSIONED,
        }
        where = {"preference": f"_shards:{place.shard}"}
        hits = client.search(index=index, body=body, params=where)["hits"]["hits"]
        found += [(int(one["sort"][0]), row_of(one)) for one in hits]
    found.sort(key=lambda one: one[0])
    return found[:limit]
