"""Which indexes a collection gets, and when.

Below ``EXACT_BELOW`` chunks every search compares with every vector: that is fast, and
recall is one. Above, ``optimise`` builds an HNSW graph, which the server then keeps up
itself with every write. Indexes are built beside readers and writers.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from psycopg import sql

from repoint.backends.pgvector.connections import Link
from repoint.backends.pgvector.tables import table_name
from repoint.domain.errors import UnsupportedError
from repoint.domain.spec import AnnKind, AnnSpec, Distance
from repoint.ports.backend import CollectionSpec

#: ``AnnKind.AUTO`` builds no approximate index for fewer chunks.
EXACT_BELOW: Final = 10_000
#: Chunks from which words and metadata are looked up in indexes.
LOOK_UP_FROM: Final = 10_000
#: The longest vectors that the graph takes.
MOST_DIMENSIONS: Final = 2_000

_OPERATORS: Final[Mapping[Distance, sql.SQL]] = MappingProxyType(
    {
        Distance.COSINE: sql.SQL("vector_cosine_ops"),
        Distance.DOT: sql.SQL("vector_ip_ops"),
        Distance.L2: sql.SQL("vector_l2_ops"),
    }
)
_BUILD: Final = frozenset({"m", "ef_construction"})
_SEARCH: Final = frozenset({"ef"})

_INDEXES: Final = """
SELECT x.relname, m.amname, i.indisvalid, pg_get_indexdef(x.oid)
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_am m ON m.oid = x.relam
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""


def check(spec: CollectionSpec) -> None:
    """Refuse what this engine does not have.

    Raises:
        UnsupportedError: it names the parameter and those there are.
    """
    ann = spec.ann
    if ann.kind is AnnKind.IVF_FLAT:
        raise UnsupportedError(
            driver="pgvector", what="ann.kind ivf_flat", hint="known: auto, flat, hnsw"
        )
    if ann.kind is AnnKind.HNSW and spec.dimensions > MOST_DIMENSIONS:
        raise UnsupportedError(
            driver="pgvector",
            what=f"ann.kind hnsw with {spec.dimensions} dimensions",
            hint=f"at most {MOST_DIMENSIONS:,}; kind auto searches longer ones exactly",
        )
    flat = ann.kind is AnnKind.FLAT
    for what, given, known in (
        ("build", ann.build, frozenset[str]() if flat else _BUILD),
        ("search", ann.search, frozenset[str]() if flat else _SEARCH),
    ):
        unknown = sorted(given.keys() - known)
        if unknown:
            raise UnsupportedError(
                driver="pgvector",
                what=f"ann.{what}.{unknown[0]} with kind {ann.kind}",
                hint=f"known: {', '.join(sorted(known)) or 'none'}",
            )


def bring_up(link: Link, schema: str, spec: CollectionSpec, *, for_search: bool) -> None:
    """Make the indexes that the collection should have by now, and clear dead rows away.

    Without ``for_search`` none is made: every row would have to be put into it at once.
    One process at a time; another that asks meanwhile leaves it to the first.
    """
    connection, table = link.connection, sql.Identifier(schema, table_name(spec.name))
    lock = f"repoint:{schema}.{spec.name}"
    got = connection.execute(
        "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (lock,)
    ).fetchone()
    if got is None or not got[0]:
        return
    try:
        if for_search:
            _build(link, schema, spec, table)
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(table))
    finally:
        connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (lock,))


def _build(link: Link, schema: str, spec: CollectionSpec, table: sql.Identifier) -> None:
    there = _standing(link, schema, spec)
    # Of an adopted table the vectors, and so their index, are the team's own.
    vectors = "digest" if spec.adopted else "embedding"
    counted = link.connection.execute(
        sql.SQL("SELECT count({}) FROM {}").format(sql.Identifier(vectors), table)
    ).fetchone()
    for method, what in _wanted(spec, int(counted[0]) if counted else 0).items():
        if method not in there:
            link.connection.execute(
                sql.SQL("CREATE INDEX CONCURRENTLY ON {} USING {}").format(table, what)
            )


def _standing(link: Link, schema: str, spec: CollectionSpec) -> set[str]:
    """Return which indexes are ready; the rest of one whose building was broken off goes."""
    there: set[str] = set()
    found = link.connection.execute(_INDEXES, (schema, table_name(spec.name))).fetchall()
    for name, method, valid, definition in found:
        if valid:
            there.add("words" if method == "gin" and "(words)" in definition else method)
        else:
            index = sql.Identifier(schema, name)
            link.connection.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(index))
    return there


def _wanted(spec: CollectionSpec, vectors: int) -> dict[str, sql.Composable]:
    wanted: dict[str, sql.Composable] = {}
    if vectors >= LOOK_UP_FROM:
        wanted["gin"] = sql.SQL("gin (fields jsonb_path_ops)")
        if spec.lexical:
            wanted["words"] = sql.SQL("gin (words)")
    own = spec.adopted is None and spec.dimensions <= MOST_DIMENSIONS
    if own and _is_approximate(spec.ann, vectors):
        given = [
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(int(value)))
            for name, value in spec.ann.build.items()  # ``check`` let only known names in
        ]
        options = (
            sql.SQL(" WITH ({})").format(sql.SQL(", ").join(given)) if given else sql.SQL("")
        )
        wanted["hnsw"] = sql.SQL("hnsw (embedding {}){}").format(
            _OPERATORS[spec.distance], options
        )
    return wanted


def _is_approximate(ann: AnnSpec, vectors: int) -> bool:
    if ann.kind is AnnKind.FLAT:
        return False
    return vectors >= (1 if ann.kind is AnnKind.HNSW else EXACT_BELOW)
