"""Who may do what with a collection's classes (``ports.privileges.Gatekeeper``).

Weaviate asks for rights on the class behind an alias, never on the alias's name. Its roles
have patterns, which are matched here as the server does it.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from weaviate import WeaviateClient
from weaviate.exceptions import InsufficientPermissionsError, UnexpectedStatusCodeError
from weaviate.rbac.models import Role
from weaviate.users.users import OwnUser

from repoint.backends.weaviate.engine import Engine
from repoint.backends.weaviate.names import class_name
from repoint.backends.weaviate.naming import place_of
from repoint.domain import placing
from repoint.domain.errors import MissingSettingError
from repoint.domain.ids import CollectionName
from repoint.ports.privileges import Privilege

#: What repoint does with a class's objects.
WRITING: Final = ("create_data", "read_data", "update_data", "delete_data")
#: What it does with the class itself: look whose it is, add a property for a new field, and
#: ask whether all is indexed, which the server counts among what is asked of tenants.
LOOKING: Final = ("read_collections", "update_collections", "read_tenants")
_UNKNOWN: Final = frozenset({401, 404})
#: A role that nobody has: whoever may not ask for roles is told so, where there are any.
_NOBODY: Final = "repoint-asks-whether-there-are-roles"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    action: str
    collection: str
    #: Which alias of it; empty where none is meant.
    alias: str = ""
    purpose: str

    @property
    def on(self) -> str:
        of = f"alias {self.alias} of " if self.alias else ""
        return f"{of}collection {self.collection}"

    @property
    def grant(self) -> dict[str, object]:
        """Return it as the server takes it."""
        domain = self.action.partition("_")[2]
        held = {"collection": self.collection}
        if domain in {"data", "tenants"}:
            held |= {"tenant": "*"}
        if self.alias:
            held |= {"alias": self.alias}
        return {"action": self.action, domain: held}


class WeaviateGatekeeper:
    """Asks the server what its roles may do. Nothing is changed."""

    def __init__(
        self, engine: Engine, *, tenant: str, application_role: str, backend: str
    ) -> None:
        self._engine = engine
        self._tenant = tenant
        self._role = application_role
        self._backend = backend

    def privileges(
        self, collections: Sequence[CollectionName], *, alias: str
    ) -> Sequence[Privilege]:
        """Return what repoint and the application's role need, and whether they hold it.

        Where the server has no roles there is nothing to need.
        """

        def read(client: WeaviateClient) -> list[Privilege]:
            own = self._own(client)
            if own is None:
                self._require_no_role()
                return []
            classes = {name: _classes(client, name) for name in collections}
            return [
                *self._of_repoint(client, own, classes, class_name(alias)),
                *self._of_application(client, own, classes),
            ]

        with warnings.catch_warnings():
            # The client warns of actions that are newer than it is; none is asked for here.
            warnings.filterwarnings("ignore", message="RBAC001")
            return self._engine.run(read, about=", ".join(collections))

    def _own(self, client: WeaviateClient) -> OwnUser | None:
        """Return who repoint is there; None where the server has no roles."""
        try:
            own: OwnUser = client.users.get_my_user()
        except UnexpectedStatusCodeError as error:
            if error.status_code not in _UNKNOWN:
                raise
            return None
        if own.roles:
            return own
        try:
            client.roles.get(_NOBODY)
        except InsufficientPermissionsError:
            return own
        return None

    def _of_repoint(
        self,
        client: WeaviateClient,
        own: OwnUser,
        classes: Mapping[CollectionName, Sequence[str]],
        alias: str,
    ) -> Iterator[Privilege]:
        role = next(iter(own.roles), "ROLE")
        for need in _needs_of_repoint(client, classes, alias, tenant=self._tenant):
            yield _privilege(own.user_id, role, need, own.roles.values(), tenant=self._tenant)

    def _of_application(
        self,
        client: WeaviateClient,
        own: OwnUser,
        classes: Mapping[CollectionName, Sequence[str]],
    ) -> Iterator[Privilege]:
        if not self._role:
            return
        try:
            role = client.roles.get(self._role)
        except InsufficientPermissionsError:
            permission = {"action": "read_roles", "roles": {"role": self._role, "scope": "all"}}
            yield Privilege(
                role=own.user_id,
                privilege="read_roles",
                on=f"role {self._role}",
                purpose="tell what the application may do",
                held=False,
                remedy=_remedy(next(iter(own.roles), "ROLE"), permission),
            )
            return
        if role is None:
            raise MissingSettingError(
                backend=self._backend,
                setting="application_role",
                why=f"the server has no role {self._role!r}",
            )
        for name, (first, *_) in classes.items():
            need = _Need(
                action="read_data",
                collection=first,
                purpose=f"search {name} by the route or through the alias",
            )
            yield _privilege(self._role, self._role, need, [role], tenant=self._tenant)

    def _require_no_role(self) -> None:
        if self._role:
            raise MissingSettingError(
                backend=self._backend,
                setting="application_role",
                why="the server has no roles: AUTHORIZATION_RBAC_ENABLED is off there, or "
                "repoint has no key",
            )


def _classes(client: WeaviateClient, name: CollectionName) -> list[str]:
    """Return the classes of a collection: the one that is searched first."""
    if placing.place_of(name).vector_field is not None:
        return [place_of(client, name)]
    return list(dict.fromkeys([place_of(client, name), class_name(name)]))


def _needs_of_repoint(
    client: WeaviateClient,
    classes: Mapping[CollectionName, Sequence[str]],
    alias: str,
    *,
    tenant: str,
) -> Iterator[_Need]:
    for name, held in classes.items():
        for one in held:
            for action in (*LOOKING, *WRITING):
                yield _Need(action=action, collection=one, purpose=f"keep {name} in step")
    has_alias = [name for name in classes if placing.place_of(name).vector_field is None]
    if tenant or not has_alias:
        return
    # The server asks for that even to say that there is no class of that name.
    yield _Need(action="read_collections", collection=alias, purpose="look whose the name is")
    there = client.alias.list_all()
    action = "update_aliases" if alias in there else "create_aliases"
    for held in (classes[name] for name in has_alias):
        for needed in ("read_aliases", action):
            yield _Need(
                action=needed, collection=held[0], alias=alias, purpose="move the alias"
            )


def _privilege(
    whose: str, role: str, need: _Need, roles: Iterable[Role], *, tenant: str
) -> Privilege:
    return Privilege(
        role=whose,
        privilege=need.action,
        on=need.on,
        purpose=need.purpose,
        held=any(_holds(one, need, tenant=tenant) for one in roles),
        remedy=_remedy(role, need.grant),
    )


def _remedy(role: str, permission: Mapping[str, object]) -> str:
    body = json.dumps({"permissions": [permission]})
    return f"POST /v1/authz/roles/{role}/add-permissions {body}"


def _holds(role: Role, need: _Need, *, tenant: str) -> bool:
    if need.alias:
        return any(
            need.action in {one.value for one in held.actions}
            and _matches(held.collection, need.collection)
            and _matches(held.alias, need.alias)
            for held in role.alias_permissions
        )
    data, tenants = need.action in WRITING, need.action == "read_tenants"
    if data or tenants:
        return any(
            need.action in {one.value for one in held.actions}
            and _matches(held.collection, need.collection)
            and _matches(held.tenant, tenant or "*")
            for held in (role.data_permissions if data else role.tenants_permissions)
        )
    return any(
        need.action in {one.value for one in held.actions}
        and _matches(held.collection, need.collection)
        for held in role.collections_permissions
    )


def _matches(pattern: str, name: str) -> bool:
    """Return whether a role's pattern, in which ``*`` is any text, covers a name."""
    try:
        return re.fullmatch(pattern.replace("*", ".*"), name) is not None
    except re.error:
        return False
