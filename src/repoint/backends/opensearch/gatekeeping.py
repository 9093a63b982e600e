"""Who may do what with a collection's indices (``ports.privileges.Gatekeeper``).

OpenSearch has no question for what a user may do. So each thing is tried, with the user's own
key and in a form that changes nothing whoever may do it: a search that matches nothing, a
write whose condition no document can meet. The server says 403 before it looks any further.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from repoint.backends.opensearch.collection import look
from repoint.backends.opensearch.documents import physical
from repoint.backends.opensearch.engine import Engine
from repoint.domain.errors import BackendUnavailableError, MissingSettingError
from repoint.domain.ids import CollectionName
from repoint.ports.privileges import Privilege

_ACCOUNT: Final = "/_plugins/_security/authinfo"
#: An id, and an alias, that nobody has.
NOBODY: Final = "repoint-asks-what-it-may-do"
_NOTHING: Final = {"query": {"match_none": {}}, "size": 0}
_DENIED: Final = re.compile(r"no permissions for \[(.+?)\] and User")
#: Groups of actions that the server knows by name, as they are granted.
_GROUPS: Final[Mapping[str, str]] = {
    "indices:data/read/search": "read",
    "indices:data/read/mget": "read",
    "indices:data/write/bulk": "write",
    "indices:data/write/delete/byquery": "write",
    "indices:admin/aliases": "manage_aliases",
}
#: A request over many documents is the cluster's matter first, before any index's.
_OF_CLUSTER: Final = frozenset({"indices:data/read/mget", "indices:data/write/bulk"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    action: str
    #: An index or an alias.
    on: str
    purpose: str
    #: The request that tells.
    method: str
    path: str
    body: object = None


class OpenSearchGatekeeper:
    """Tries what users may do. Nothing is changed."""

    def __init__(self, engine: Engine, *, application: Engine | None, backend: str) -> None:
        self._engine = engine
        self._application = application
        self._backend = backend

    def privileges(
        self, collections: Sequence[CollectionName], *, alias: str
    ) -> Sequence[Privilege]:
        """Return what repoint and the application need, and whether they may do it.

        Empty where the server has no security plugin.
        """
        own = self._account(self._engine)
        if own is None:
            if self._application is not None:
                raise MissingSettingError(
                    backend=self._backend,
                    setting="application_key_env",
                    why="the server has no security plugin: it lets everybody do everything",
                )
            return []
        places = {name: self._places(name) for name in collections}
        found = [
            self._tried(self._engine, own, need)
            for name, held in places.items()
            for index in held
            for need in _of_repoint(name, index)
        ]
        if self._application is None:
            return found
        account = self._account(self._application)
        if account is None:
            raise BackendUnavailableError(f"{self._backend}: the server says nobody's name")
        needs = [
            _search(held[0], f"search {name} by the route") for name, held in places.items()
        ]
        if self._engine.run(lambda c: bool(c.indices.exists_alias(name=alias)), about=alias):
            needs.append(_search(alias, "search through the alias"))
        return [*found, *(self._tried(self._application, account, need) for need in needs)]

    def _account(self, engine: Engine) -> Mapping[str, object] | None:
        """Return who an engine's key is for the server; None where it asks nobody.

        Raises:
            MissingSettingError: the server does not take the key.
        """
        status, told = engine.status("GET", _ACCOUNT)
        if status == HTTPStatus.OK and isinstance(told, dict):
            return told
        if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}:  # no such question
            return None
        if status == HTTPStatus.UNAUTHORIZED:
            raise MissingSettingError(
                backend=self._backend,
                setting=engine.setting,
                why="the server does not take this user and password",
            )
        raise BackendUnavailableError(f"{self._backend}: {_ACCOUNT} answers {status}")

    def _places(self, name: CollectionName) -> list[str]:
        """Return the indices of a collection, first the one that is searched."""
        spec = self._engine.run(lambda client: look(client, name), about=name)
        adopted = spec.adopted if spec is not None else None
        return [adopted.collection, physical(name)] if adopted else [physical(name)]

    def _tried(self, engine: Engine, account: Mapping[str, object], need: _Need) -> Privilege:
        status, told = engine.status(need.method, need.path, need.body)
        denied = _denied(status, told, on=need.on)
        return Privilege(
            role=str(account.get("user_name", "")),
            privilege=denied or need.action,
            on=need.on,
            purpose=need.purpose,
            held=denied is None,
            remedy=_remedy(account, need, denied),
        )


def _of_repoint(name: CollectionName, index: str) -> Iterator[_Need]:
    purpose = f"keep {name} in step"
    impossible = {"_id": NOBODY, "if_seq_no": 0, "if_primary_term": 2**62}
    lines = "".join(
        f"{json.dumps(one)}\n" for one in ({"index": impossible}, {}, {"delete": impossible})
    )
    alias = {"remove": {"index": index, "alias": NOBODY}}
    for action, method, path, body in (
        ("indices:admin/mappings/get", "GET", f"/{index}/_mapping", None),
        ("indices:admin/mapping/put", "PUT", f"/{index}/_mapping", {"properties": {}}),
        ("indices:admin/aliases/get", "GET", f"/{index}/_alias", None),
        ("indices:monitor/settings/get", "GET", f"/{index}/_settings", None),
        ("indices:data/read/search", "POST", f"/{index}/_search", _NOTHING),
        ("indices:data/read/mget", "POST", f"/{index}/_mget", {"ids": [NOBODY]}),
        ("indices:data/write/bulk", "POST", f"/{index}/_bulk", lines),
        (
            "indices:data/write/delete/byquery",
            "POST",
            f"/{index}/_delete_by_query",
            {"query": {"match_none": {}}},
        ),
        ("indices:admin/refresh", "POST", f"/{index}/_refresh", None),
        ("indices:monitor/stats", "GET", f"/{index}/_stats/store", None),
        ("indices:admin/aliases", "POST", "/_aliases", {"actions": [alias]}),
    ):
        why = "move the alias" if action == "indices:admin/aliases" else purpose
        yield _Need(
            action=action, on=f"index {index}", purpose=why, method=method, path=path, body=body
        )


def _search(on: str, purpose: str) -> _Need:
    return _Need(
        action="indices:data/read/search",
        on=f"index {on}",
        purpose=purpose,
        method="POST",
        path=f"/{on}/_search",
        body=_NOTHING,
    )


def _denied(status: int, told: object, *, on: str) -> str | None:
    """Return the action that the server denied; None where it denied none.

    Raises:
        BackendUnavailableError: the server could not tell.
    """
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise BackendUnavailableError(f"{on}: what users may do cannot be asked: {status}")
    answers = [(status, told)]
    if isinstance(told, dict):  # a request over many documents answers for each
        items = told.get("items", [])
        answers += [(int(done["status"]), done) for one in items for done in one.values()]
    for code, said in answers:
        if code == HTTPStatus.FORBIDDEN:
            text = json.dumps(said, default=str)
            found = _DENIED.search(text)
            if found is None:  # a block of the index, and no matter of who asks
                raise BackendUnavailableError(f"{on}: the server answers 403: {text[:300]}")
            return found[1]
    return None


def _remedy(account: Mapping[str, object], need: _Need, denied: str | None) -> str:
    """Return the request that grants it, to one of the user's roles."""
    roles = account.get("roles")
    given = [str(one) for one in roles] if isinstance(roles, list) else []
    role = next((one for one in given if one != "own_index"), "ROLE")
    patch: dict[str, object] = {
        "op": "add",
        "path": "/index_permissions/-",
        "value": {
            "index_patterns": [need.on.partition(" ")[2]],
            "allowed_actions": [_GROUPS.get(need.action, need.action)],
        },
    }
    if denied in _OF_CLUSTER:
        patch = {"op": "add", "path": "/cluster_permissions/-", "value": denied}
    return f"PATCH _plugins/_security/api/roles/{role} {json.dumps([patch])}"
