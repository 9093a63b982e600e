"""Who may do what with a server's collections (``ports.privileges.Gatekeeper``).

Milvus grants by the name that a request says: whoever searches through an alias needs the
grant on the alias, and it can be given before the alias is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from repoint.backends.milvus.collection import look
from repoint.backends.milvus.engine import STRONG, TIMEOUT_S, Engine
from repoint.backends.milvus.names import physical
from repoint.domain.errors import MissingSettingError
from repoint.domain.ids import CollectionName
from repoint.ports.privileges import Privilege

_COLLECTION: Final = "Collection"
_GLOBAL: Final = "Global"
_ANY: Final = "*"
#: What repoint does with a collection, and with aliases.
WRITING: Final = ("Search", "Query", "Insert", "Upsert", "Delete", "Load")
ALIASING: Final = ("CreateAlias", "DescribeAlias")
#: What an application does.
READING: Final = ("Search", "Query")
#: The right to see what others may do.
SEEING: Final = "SelectOwnership"
#: Roles that may do everything, and one that everybody has.
_ADMIN: Final = "admin"
_PUBLIC: Final = "public"
_ROOT: Final = "root"
_READ_ONLY: Final = frozenset(READING)
_READ_WRITE: Final = frozenset(WRITING)
#: What the built-in groups of newer servers hold of all that is asked for here.
_GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "CollectionReadOnly": _READ_ONLY | {"DescribeAlias"},
    "CollectionReadWrite": _READ_WRITE | {"DescribeAlias"},
    "CollectionAdmin": _READ_WRITE | {*ALIASING},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    #: Of repoint itself, or of the application.
    own: bool
    kind: str
    privilege: str
    on: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One grant, as the server lists it."""

    kind: str
    name: str
    privilege: str
    database: str

    def gives(self, kind: str, privilege: str, name: str, *, database: str) -> bool:
        """Return whether it gives a privilege on something of a database."""
        held = self.privilege in {privilege, "All", _ANY}
        grouped = privilege in _GROUPS.get(self.privilege, ())
        same = grouped or (held and self.kind in {kind, _ANY})
        here = self.database in {database or "default", _ANY, ""}
        return same and here and self.name in {name, _ANY}


class MilvusGatekeeper:
    """Asks the server what its roles may do. Nothing is changed."""

    def __init__(self, engine: Engine, *, application_role: str, backend: str) -> None:
        self._engine = engine
        self._role = application_role
        self._backend = backend

    def privileges(
        self, collections: Sequence[CollectionName], *, alias: str
    ) -> Sequence[Privilege]:
        """Return what repoint and the application's role need, and whether they hold it.

        Empty where the server lets everybody do everything.
        """
        if not self._engine.is_guarded():
            if self._role:
                raise self._unusable(
                    "the server checks no permissions: "
                    "common.security.authorizationEnabled is off"
                )
            return []
        return self._engine.run(
            lambda client: self._found(client, collections, physical(alias)),
            about=", ".join(collections),
        )

    def _found(
        self, client: MilvusClient, collections: Sequence[CollectionName], alias: str
    ) -> list[Privilege]:
        places = [_place(client, name) for name in collections]
        needs = list(dict.fromkeys(_needs(places, alias, application=bool(self._role))))
        user = self._engine.user
        try:
            own = _roles_of(client, user)
            grants = {
                role: _grants(client, role) for role in {*own, _PUBLIC, self._role} - {""}
            }
            known = set(client.list_roles(timeout=TIMEOUT_S)) if self._role else set()
        except grpc.RpcError as error:
            if not _denied(error):
                raise
            return self._unseen(client, user, places)
        if self._role and self._role not in known:
            raise self._unusable(f"the server has no role {self._role!r}")
        return [
            self._privilege(need, user, own if need.own else (self._role,), grants)
            for need in needs
        ]

    def _privilege(
        self,
        need: _Need,
        user: str,
        roles: Sequence[str],
        grants: Mapping[str, Sequence[Grant]],
    ) -> Privilege:
        held = (need.own and user == _ROOT) or any(
            role == _ADMIN
            or any(
                one.gives(need.kind, need.privilege, need.on, database=self._engine.database)
                for one in grants.get(role, ())
            )
            for role in (*roles, _PUBLIC)
        )
        return self._told(need, next(iter(roles), user), held=held)

    def _told(self, need: _Need, role: str, *, held: bool) -> Privilege:
        what = f"{need.kind.lower()} {need.on}" if need.kind != _GLOBAL else "the server"
        arguments = [role, need.kind, need.privilege, need.on]
        database = f", db_name={self._engine.database!r}" if self._engine.database else ""
        return Privilege(
            role=role,
            privilege=need.privilege,
            on=what,
            purpose=need.purpose,
            held=held,
            remedy=f"client.grant_privilege({', '.join(map(repr, arguments))}{database})",
        )

    def _unseen(
        self, client: MilvusClient, user: str, places: Sequence[str]
    ) -> list[Privilege]:
        """Return what can be said where repoint's own user may not see grants."""
        if self._role:
            need = _Need(
                own=True,
                kind=_GLOBAL,
                privilege=SEEING,
                on=_ANY,
                purpose=f"see what {self._role} may do",
            )
            return [self._told(need, f"a role of {user}", held=False)]
        return [
            self._told(
                _Need(
                    own=True,
                    kind=_COLLECTION,
                    privilege="Query",
                    on=place,
                    purpose="keep it in step",
                ),
                user,
                held=_may_query(client, place),
            )
            for place in places
        ]

    def _unusable(self, why: str) -> MissingSettingError:
        return MissingSettingError(backend=self._backend, setting="application_role", why=why)


def _needs(places: Sequence[str], alias: str, *, application: bool) -> Iterator[_Need]:
    for privilege in ALIASING:
        yield _Need(
            own=True, kind=_GLOBAL, privilege=privilege, on=_ANY, purpose="keep the alias"
        )
    for place in places:
        for privilege in WRITING:
            yield _Need(
                own=True,
                kind=_COLLECTION,
                privilege=privilege,
                on=place,
                purpose=f"keep {place} in step",
            )
    if not application:
        return
    for on, purpose in (
        (alias, "search through the alias"),
        *((place, f"search {place} by the route") for place in places),
    ):
        for privilege in READING:
            yield _Need(
                own=False, kind=_COLLECTION, privilege=privilege, on=on, purpose=purpose
            )


def _place(client: MilvusClient, name: CollectionName) -> str:
    """Return where a release's vectors are: an adopted collection has its own name."""
    spec = look(client, name)
    return spec.adopted.collection if spec and spec.adopted else physical(name)


def _roles_of(client: MilvusClient, user: str) -> list[str]:
    found = client.describe_user(user, timeout=TIMEOUT_S) if user else {}
    return [str(one) for one in found.get("roles", ())]


def _grants(client: MilvusClient, role: str) -> list[Grant]:
    try:
        found = client.describe_role(role, timeout=TIMEOUT_S)
    except MilvusException:
        return []  # no such role, which is said by who asks for it
    return [
        Grant(
            kind=str(one.get("object_type", "")),
            name=str(one.get("object_name", "")),
            privilege=str(one.get("privilege", "")),
            database=str(one.get("db_name", "")),
        )
        for one in found.get("privileges", ())
    ]


def _may_query(client: MilvusClient, place: str) -> bool:
    try:
        client.query(
            place,
            filter="",
            output_fields=["count(*)"],
            consistency_level=STRONG,
            timeout=TIMEOUT_S,
        )
    except grpc.RpcError as error:
        if _denied(error):
            return False
        raise
    return True


def _denied(error: grpc.RpcError) -> bool:
    code = getattr(error, "code", None)
    return callable(code) and code() is grpc.StatusCode.PERMISSION_DENIED
