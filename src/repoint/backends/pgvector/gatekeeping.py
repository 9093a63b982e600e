"""Who may do what with a collection's tables (``ports.privileges.Gatekeeper``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import sql

from repoint.backends.pgvector.connections import Connections, Link
from repoint.backends.pgvector.tables import look, parts_of, table_name
from repoint.domain.errors import CollectionMissingError, MissingSettingError
from repoint.domain.ids import CollectionName
from repoint.ports.privileges import Privilege

#: What repoint does with a collection's tables.
WRITING: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")

_RELATION: Final = """
SELECT c.oid, CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    role: str
    privilege: str
    schema: str
    #: Empty: the schema itself.
    relation: str = ""
    purpose: str


class PgvectorGatekeeper:
    """Asks the server what its roles may do. Nothing is changed."""

    def __init__(
        self, connections: Connections, *, schema: str, application_role: str, backend: str
    ) -> None:
        self._connections = connections
        self._schema = schema
        self._role = application_role
        self._backend = backend

    def privileges(
        self, collections: Sequence[CollectionName], *, alias: str
    ) -> Sequence[Privilege]:
        """Return what repoint and the application's role need, and whether they hold it."""
        return self._connections.run(
            lambda link: [
                found
                for need in dict.fromkeys(self._needs(link, collections, alias))
                if (found := _held(link, need)) is not None
            ],
            about=", ".join(collections),
        )

    def _needs(
        self, link: Link, collections: Sequence[CollectionName], alias: str
    ) -> Iterator[_Need]:
        row = link.connection.execute("SELECT current_user").fetchone()
        own = str(row[0]) if row else ""
        schema = self._schema
        yield _Need(role=own, privilege="CREATE", schema=schema, purpose="make the alias")
        for name in collections:
            for place in self._tables(link, name):
                yield from _of_repoint(own, place, name)
        if not self._role:
            return
        self._require_role(link)
        reading = "search through the alias or the route"
        yield _Need(role=self._role, privilege="USAGE", schema=schema, purpose=reading)
        yield _Need(
            role=self._role,
            privilege="SELECT",
            schema=schema,
            relation=alias,
            purpose="search through the alias",
        )
        for name in collections:
            for place in self._tables(link, name):
                yield from _of_application(self._role, place, name)

    def _tables(self, link: Link, name: CollectionName) -> list[tuple[str, str]]:
        seen = look(link, self._schema, name)
        if seen is None:
            raise CollectionMissingError(collection=name)
        places = [(self._schema, table_name(name))]
        if seen.spec is not None and seen.spec.adopted is not None:
            places.append(parts_of(seen.spec.adopted.collection))
        return places

    def _require_role(self, link: Link) -> None:
        found = link.connection.execute(
            "SELECT FROM pg_roles WHERE rolname = %s", (self._role,)
        ).fetchone()
        if found is None:
            raise MissingSettingError(
                backend=self._backend,
                setting="application_role",
                why=f"the database has no role {self._role!r}",
            )


def _of_repoint(role: str, place: tuple[str, str], name: CollectionName) -> Iterator[_Need]:
    schema, table = place
    yield _Need(role=role, privilege="USAGE", schema=schema, purpose=f"reach {name}")
    for privilege in WRITING:
        yield _Need(
            role=role,
            privilege=privilege,
            schema=schema,
            relation=table,
            purpose=f"keep {name} in step",
        )


def _of_application(role: str, place: tuple[str, str], name: CollectionName) -> Iterator[_Need]:
    schema, table = place
    purpose = f"search {name} by the route"
    yield _Need(role=role, privilege="USAGE", schema=schema, purpose=purpose)
    yield _Need(role=role, privilege="SELECT", schema=schema, relation=table, purpose=purpose)


def _held(link: Link, need: _Need) -> Privilege | None:
    """Return whether a need is met; None where there is nothing yet to be granted on."""
    kind = ""
    if need.relation:
        on = sql.Identifier(need.schema, need.relation).as_string()
        relation = link.connection.execute(_RELATION, (need.schema, need.relation)).fetchone()
        if relation is None:
            return None
        kind = f"{relation[1]} "
        query = "SELECT has_table_privilege(%s, %s::oid, %s)"
        found = link.connection.execute(
            query, (need.role, relation[0], need.privilege)
        ).fetchone()
    else:
        on = f"SCHEMA {sql.Identifier(need.schema).as_string()}"
        query = "SELECT has_schema_privilege(%s, oid, %s) FROM pg_namespace WHERE nspname = %s"
        found = link.connection.execute(
            query, (need.role, need.privilege, need.schema)
        ).fetchone()
    return Privilege(
        role=need.role,
        privilege=need.privilege,
        on=f"{kind}{on}",
        purpose=need.purpose,
        held=found is not None and bool(found[0]),
        remedy=f"GRANT {need.privilege} ON {on} TO {sql.Identifier(need.role).as_string()}",
    )
