"""The collections of one schema, and the views that are its aliases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from psycopg import errors, sql

from repoint.backends.pgvector import CAPABILITIES, indexes
from repoint.backends.pgvector.adopted import AdoptedTable
from repoint.backends.pgvector.adopting import PgvectorAdopter
from repoint.backends.pgvector.collection import PgvectorCollection
from repoint.backends.pgvector.connections import Connections, Link, prepare
from repoint.backends.pgvector.gatekeeping import PgvectorGatekeeper
from repoint.backends.pgvector.tables import LONGEST, claim, look, make, name_of, table_name
from repoint.domain.errors import (
    AlreadyExistsError,
    BackendUnavailableError,
    CollectionMissingError,
    FingerprintMismatchError,
    MissingSettingError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, Fingerprint
from repoint.ports.backend import Capabilities, CollectionSpec
from repoint.ports.settings import BackendSettings

#: Where tables and views are, unless the option ``schema`` says otherwise.
SCHEMA: Final = "repoint"
#: How long an alias waits for the readers that stand in its way.
ALIAS_LOCK_MS: Final = 3000

_COMMENTS: Final = """
SELECT obj_description(c.oid, 'pg_class') FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p')
    AND obj_description(c.oid, 'pg_class') IS NOT NULL
"""
#: The tables that a view reads, as the server itself keeps account of them.
_TARGETS: Final = """
SELECT DISTINCT t.relname, obj_description(t.oid, 'pg_class') FROM pg_class v
JOIN pg_namespace n ON n.oid = v.relnamespace
JOIN pg_rewrite w ON w.ev_class = v.oid
JOIN pg_depend d ON d.objid = w.oid AND d.classid = 'pg_rewrite'::regclass
    AND d.refclassid = 'pg_class'::regclass
JOIN pg_class t ON t.oid = d.refobjid AND t.oid <> v.oid
WHERE n.nspname = %s AND v.relname = %s AND v.relkind = 'v'
"""
#: Without the length of its vectors, so that a view may go on to a table of another length.
_VIEW: Final = """
CREATE OR REPLACE VIEW {view} AS
SELECT document, slot, lsn, text, "start", "end", metadata, fields,
    embedding::vector AS embedding, {words} AS words
FROM {table} WHERE text IS NOT NULL
"""
_UNSTORED_WORDS: Final = "to_tsvector('pg_catalog.simple', text)"


class PgvectorBackend:
    """One schema of a database. Any number of processes may use it at once."""

    def __init__(
        self,
        connections: Connections,
        *,
        schema: str = SCHEMA,
        name: str = CAPABILITIES.name,
        application_role: str = "",
    ) -> None:
        self._connections = connections
        self._schema = schema
        self._name = name
        self._application_role = application_role

    @staticmethod
    def from_settings(settings: BackendSettings) -> PgvectorBackend:
        """Return the backend of a database, not connected yet.

        Raises:
            MissingSettingError: there is no URL, or an option is unknown.
        """
        unknown = sorted(settings.options.keys() - {"schema"})
        schema = settings.options.get("schema", SCHEMA)
        if unknown or not isinstance(schema, str) or not 0 < len(schema) <= LONGEST:
            raise MissingSettingError(
                backend=settings.name,
                setting=f"options.{unknown[0] if unknown else 'schema'}",
                why="known is only schema, a name of at most 63 characters",
            )
        return PgvectorBackend(
            Connections.to(settings.url, backend=settings.name),
            schema=schema,
            name=settings.name,
            application_role=settings.application_role,
        )

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond the common promises."""
        return CAPABILITIES

    def create(self, spec: CollectionSpec) -> PgvectorCollection:
        """Make the collection, or open it when it is already there."""
        indexes.check(spec)

        def create(link: Link) -> None:
            self._install(link)
            with claim(link, self._schema):
                if look(link, self._schema, spec.name) is None:
                    make(link, self._schema, spec)

        self._connections.run(create, about=spec.name)
        return self.open(spec.name, fingerprint=spec.fingerprint)

    def open(self, name: CollectionName, *, fingerprint: Fingerprint) -> PgvectorCollection:
        """Open a collection whose table carries this fingerprint."""
        seen = self._connections.run(lambda link: look(link, self._schema, name), about=name)
        if seen is None:
            raise CollectionMissingError(collection=name)
        if seen.spec is None or seen.spec.fingerprint != fingerprint:
            raise FingerprintMismatchError(
                collection=name,
                expected=fingerprint,
                found=seen.spec.fingerprint if seen.spec else None,
            )
        return PgvectorCollection(
            spec=seen.spec,
            schema=self._schema,
            connections=self._connections,
            indexed=seen.indexed,
        )

    def drop(self, name: CollectionName) -> None:
        """Delete a collection's table; of an adopted one only what stands beside the team's.

        Raises:
            UnsupportedError: a view, for instance an alias, still reads it.
        """
        query = sql.SQL("DROP TABLE IF EXISTS {}").format(self._table(name))

        def drop(link: Link) -> None:
            try:
                link.connection.execute(query)
            except errors.InvalidSchemaName:
                return  # nothing was ever made here
            except errors.DependentObjectsStillExist as error:
                raise UnsupportedError(
                    driver=CAPABILITIES.name,
                    what=f"dropping {name} while a view reads it",
                    hint=(error.diag.message_detail or "drop the view first"),
                ) from error

        self._connections.run(drop, about=name)

    def collections(self) -> Sequence[CollectionName]:
        """Return the names of the tables that carry a spec of ours, sorted."""
        found = self._connections.run(
            lambda link: link.connection.execute(_COMMENTS, (self._schema,)).fetchall(),
            about=self._schema,
        )
        return sorted(name for (comment,) in found if (name := name_of(comment)) is not None)

    def set_alias(self, alias: str, name: CollectionName) -> None:
        """Point the view at the collection, in one transaction.

        Raises:
            AlreadyExistsError: something that is no such view has the name.
            CollectionMissingError: there is no such collection.
            UnavailableError: long transactions that read through the view stand in the way.
        """
        if len(alias) > LONGEST:
            raise UnsupportedError(
                driver=CAPABILITIES.name,
                what=f"an alias of {len(alias)} characters",
                hint=f"at most {LONGEST}: choose a shorter alias_prefix",
            )
        view = sql.Identifier(self._schema, alias)

        def move(link: Link) -> None:
            seen = look(link, self._schema, name)
            if seen is None or seen.spec is None:
                raise CollectionMissingError(collection=name)
            words = sql.SQL("words" if seen.spec.lexical else _UNSTORED_WORDS)
            rows: sql.Composable = self._table(name)
            if seen.spec.adopted is not None:
                rows = AdoptedTable(seen.spec, seen.spec.adopted, schema=self._schema).rows
            query = sql.SQL(_VIEW).format(view=view, table=rows, words=words)
            try:
                with link.connection.transaction():
                    link.connection.execute(
                        sql.SQL("SET LOCAL lock_timeout TO {}").format(
                            sql.Literal(ALIAS_LOCK_MS)
                        )
                    )
                    link.connection.execute(query)
            except (errors.WrongObjectType, errors.InvalidTableDefinition) as error:
                raise AlreadyExistsError(
                    what="object that is no alias of repoint named",
                    name=f"{self._schema}.{alias}",
                    hint="set alias_prefix in the backend's table of repoint.toml",
                ) from error
            except errors.LockNotAvailable as error:
                raise BackendUnavailableError(
                    f"a long transaction reads through the view {self._schema}.{alias}",
                    hint="when it has ended: repoint reconcile",
                ) from error

        self._connections.run(move, about=name)

    def alias_target(self, alias: str) -> CollectionName | None:
        """Return the collection that the view reads; a foreign table by its own name."""
        found = self._connections.run(
            lambda link: link.connection.execute(_TARGETS, (self._schema, alias)).fetchall(),
            about=alias,
        )
        # The view of an adopted table reads two: what stands beside it is what is ours.
        ours = [name for _, comment in found if (name := name_of(comment)) is not None]
        names = ours or [CollectionName(table) for table, _ in found]
        return CollectionName("+".join(sorted(names))) if names else None

    def adopter(self) -> PgvectorAdopter:
        """Return what takes over tables that a team made itself."""
        return PgvectorAdopter(self._connections, schema=self._schema, install=self._install)

    def gatekeeper(self) -> PgvectorGatekeeper:
        """Return what knows which grants are missing."""
        return PgvectorGatekeeper(
            self._connections,
            schema=self._schema,
            application_role=self._application_role,
            backend=self._name,
        )

    def close(self) -> None:
        """Close the connections; open handles connect again when they are used."""
        self._connections.close()

    def _table(self, name: CollectionName) -> sql.Identifier:
        return sql.Identifier(self._schema, table_name(name))

    def _install(self, link: Link) -> None:
        """Make the schema and the extension where they are not there yet.

        Raises:
            UnsupportedError: the server has no such extension.
        """
        schema = sql.Identifier(self._schema)
        try:
            with claim(link, self._schema):
                # Asked first: IF NOT EXISTS needs the right to make one even if it is there.
                there = "SELECT FROM pg_namespace WHERE nspname = %s"
                if link.connection.execute(there, (self._schema,)).fetchone() is None:
                    link.connection.execute(
                        sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema)
                    )
                if not link.prepared:
                    link.connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except (errors.UndefinedFile, errors.FeatureNotSupported) as error:
            raise UnsupportedError(
                driver=CAPABILITIES.name,
                what="a server without the extension vector",
                hint="install pgvector 0.8 or newer on the server",
            ) from error
        if not link.prepared:
            prepare(link)
