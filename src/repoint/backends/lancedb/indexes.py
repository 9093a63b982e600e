"""Which indexes a collection gets, when, and how many partitions a search looks into.

Below ``EXACT_BELOW`` chunks every search compares with every vector: that is fast, and
recall is one. Above, vectors are grouped into partitions and the nearest of them are
searched without compression, so scores stay exact and only recall is approximate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from lancedb import AsyncTable
from lancedb.index import FTS, BTree, HnswFlat, IvfFlat

from repoint.backends.lancedb.schema import KEY
from repoint.domain.errors import UnsupportedError
from repoint.domain.spec import AnnKind, AnnSpec, Distance
from repoint.ports.backend import CollectionSpec

#: ``AnnKind.AUTO`` builds no approximate index for fewer chunks.
EXACT_BELOW: Final = 20_000
#: Partitions are trained with vectors: no index for fewer, whatever the spec asks for.
LEAST_VECTORS: Final = 256
#: Vectors sampled for each partition, and rounds of k-means: more changed no recall.
SAMPLE_RATE: Final = 64
ITERATIONS: Final = 15
#: Rows from which a look-up of documents goes through an index.
DOCUMENT_INDEX_FROM: Final = 10_000
#: Partitions that a search looks into at least; more when a filter leaves too few hits.
NPROBES: Final = 32

_BUILD: Final[Mapping[AnnKind, frozenset[str]]] = {
    AnnKind.AUTO: frozenset({"num_partitions", "sample_rate", "max_iterations"}),
    AnnKind.FLAT: frozenset(),
    AnnKind.IVF_FLAT: frozenset({"num_partitions", "sample_rate", "max_iterations"}),
    AnnKind.HNSW: frozenset(
        {"num_partitions", "sample_rate", "max_iterations", "m", "ef_construction"}
    ),
}
_SEARCH: Final[Mapping[AnnKind, frozenset[str]]] = {
    AnnKind.AUTO: frozenset({"nprobes"}),
    AnnKind.FLAT: frozenset(),
    AnnKind.IVF_FLAT: frozenset({"nprobes"}),
    AnnKind.HNSW: frozenset({"nprobes", "ef"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of a table an approximate index covers."""

    indexed: int
    unindexed: int


def check(ann: AnnSpec) -> None:
    """Refuse parameters that this engine does not have.

    Raises:
        UnsupportedError: it names the parameter and those there are.
    """
    for what, given, known in (
        ("build", ann.build, _BUILD[ann.kind]),
        ("search", ann.search, _SEARCH[ann.kind]),
    ):
        unknown = sorted(given.keys() - known)
        if unknown:
            raise UnsupportedError(
                driver="lancedb",
                what=f"ann.{what}.{unknown[0]} with kind {ann.kind}",
                hint=f"known: {', '.join(sorted(known)) or 'none'}",
            )


async def add_text_index(table: AsyncTable) -> None:
    """Make the text searchable, unless it is; rows written later are found at once."""
    if "text" in await _indexed_columns(table):
        return
    # No stop words: a chunk may be found by any word, in any language.
    config = FTS(remove_stop_words=False, max_token_length=128)
    await table.create_index("text", config=config)


async def coverage(table: AsyncTable, column: str = "vector") -> Coverage | None:
    """Return what the approximate index covers, None where there is none."""
    for index in await table.list_indices():
        if index.columns == [column]:
            stats = await table.index_stats(index.name)
            if stats is not None:
                return Coverage(
                    indexed=stats.num_indexed_rows, unindexed=stats.num_unindexed_rows
                )
    return None


async def merge(table: AsyncTable, *, older_than: timedelta) -> None:
    """Extend the indexes by what they do not cover, merge small files, let old ones go."""
    covered = await coverage(table)
    if covered is not None and covered.unindexed:
        await _touch(table)
    await table.optimize(cleanup_older_than=older_than)


async def _touch(table: AsyncTable) -> None:
    """Write one row again, so that what the vector index does not cover has a vector.

    The engine cannot extend a vector index by emptied slots alone: it fails to find the
    file that it did not write. A collection of nothing else needs no such index.
    """
    one = await table.query().where("vector IS NOT NULL").limit(1).to_arrow()
    if one.num_rows:
        # Only if the row still stands: an insertion could bring a purged one back.
        again = table.merge_insert(list(KEY))
        await again.when_matched_update_all(where="target.lsn <= source.lsn").execute(one)
        return
    for index in await table.list_indices():
        if index.columns == ["vector"]:
            await table.drop_index(index.name)


async def index_documents(table: AsyncTable) -> None:
    """Make the index of the key once it pays; writes and look-ups go through it."""
    rows = await table.count_rows()
    if rows >= DOCUMENT_INDEX_FROM and "document" not in await _indexed_columns(table):
        await table.create_index("document", config=BTree())


async def index_vectors(table: AsyncTable, spec: CollectionSpec) -> None:
    """Make the approximate index that the collection should have by now."""
    vectors = await table.count_rows("vector IS NOT NULL")
    config = _approximate(spec.ann, spec.distance, vectors)
    covered = await coverage(table)
    # Partitions fit the size they were made for: once it has doubled they are made anew.
    if config is not None and (covered is None or covered.unindexed > covered.indexed):
        await table.create_index("vector", config=config, replace=True)


async def _indexed_columns(table: AsyncTable) -> set[str]:
    return {index.columns[0] for index in await table.list_indices()}


def _approximate(ann: AnnSpec, distance: Distance, vectors: int) -> IvfFlat | HnswFlat | None:
    least = EXACT_BELOW if ann.kind is AnnKind.AUTO else LEAST_VECTORS
    if ann.kind is AnnKind.FLAT or vectors < least:
        return None
    index: IvfFlat | HnswFlat
    build = dict(ann.build)
    partitions = int(build.pop("num_partitions", 0))
    if ann.kind is AnnKind.HNSW:
        index = HnswFlat(distance_type=distance.value, num_partitions=partitions or 1)
    else:
        # By size and not by number: the engine joins what is much smaller than the size that
        # it was told, and told nothing it makes so few that a search would read them all.
        index = IvfFlat(
            distance_type=distance.value,
            target_partition_size=math.ceil(vectors / (partitions or math.sqrt(vectors))),
            sample_rate=SAMPLE_RATE,
            max_iterations=ITERATIONS,
        )
    for name, value in build.items():  # ``check`` let only known names in
        setattr(index, name, int(value))
    return index
