"""The fake's HTTP side: what it is, its schema, aliases and tenants."""

import json
import re
from http.server import BaseHTTPRequestHandler
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from tests.fakes.weaviate_peer.access import Access
from tests.fakes.weaviate_peer.shelves import Class, Refusal, Shelves, capital

from repoint.domain.document import Json

#: What the real server adds to a class that says no more than the driver does.
DEFAULTS: dict[str, Json] = {
    "description": "",
    "properties": [],
    "invertedIndexConfig": {
        "bm25": {"b": 0.75, "k1": 1.2},
        "cleanupIntervalSeconds": 60,
        "stopwords": {"additions": None, "preset": "en", "removals": None},
        "usingBlockMaxWAND": True,
    },
    "multiTenancyConfig": {
        "autoTenantActivation": False,
        "autoTenantCreation": False,
        "enabled": False,
    },
    "shardingConfig": {
        "actualCount": 1,
        "actualVirtualCount": 128,
        "desiredCount": 1,
        "desiredVirtualCount": 128,
        "function": "murmur3",
        "key": "_id",
        "strategy": "hash",
        "virtualPerPhysical": 128,
    },
    "replicationConfig": {
        "asyncEnabled": False,
        "deletionStrategy": "TimeBasedResolution",
        "factor": 1,
    },
}
HNSW: dict[str, Json] = {
    "cleanupIntervalSeconds": 300,
    "distance": "cosine",
    "dynamicEfFactor": 8,
    "dynamicEfMax": 500,
    "dynamicEfMin": 100,
    "ef": -1,
    "efConstruction": 128,
    "filterStrategy": "acorn",
    "flatSearchCutoff": 40000,
    "maxConnections": 32,
    "skip": False,
    "vectorCacheMaxObjects": 1000000000000,
}


class Schema(BaseHTTPRequestHandler):
    """One request. The class attributes are the server's, set for each fake."""

    shelves: ClassVar[Shelves]
    access: ClassVar[Access]
    version: ClassVar[str]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        sent: Json = json.loads(self.rfile.read(length)) if length else None
        try:
            self._check_key()
            with self.shelves.lock:
                status, answer = self._asked(sent)
        except Refusal as refusal:
            status, answer = refusal.status, {"error": [{"message": str(refusal)}]}
            if status == 401:
                answer = {"code": 401, "message": str(refusal)}
        body = b"" if status in {204, 404} or answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _check_key(self) -> None:
        if not self.access.knows(self.headers.get("authorization")):
            raise Refusal(401, "unauthorized: invalid api key")

    def _asked(self, sent: Json) -> tuple[int, Json]:
        address = urlsplit(self.path)
        parts = address.path.removeprefix("/v1/").split("/")
        match self.command, parts:
            case "GET", ["meta"]:
                return 200, {"version": self.version, "grpcMaxMessageSize": 104858000}
            case _, ["schema", *rest]:
                return self._schema(rest, sent)
            case _, ["users", *rest]:
                return self._users(rest)
            case _, ["authz", *rest]:
                return self._authz(rest, sent)
            case "PATCH", ["objects", name, place]:
                assert isinstance(sent, dict)
                self.shelves.resolved(name).patch(UUID(place), sent)
                return 204, None
            case _, ["aliases", *rest]:
                wanted = parse_qs(address.query).get("class", [""])[0]
                return self._aliases(rest, sent, of=wanted)
            case _:
                raise Refusal(404, "")

    def _schema(  # noqa: C901, PLR0911 - one for each request
        self, parts: list[str], sent: Json
    ) -> tuple[int, Json]:
        match self.command, parts:
            case "GET", []:
                return 200, {"classes": [one.config for one in self.shelves.classes.values()]}
            case "POST", []:
                assert isinstance(sent, dict)
                made = self.shelves.make(_whole(sent))
                return 200, made.config
            case "GET", [name]:
                return 200, self.shelves.resolved(name).config
            case "PUT", [name]:
                assert isinstance(sent, dict)
                kind = self.shelves.resolved(name)
                kind.config["description"] = sent["description"]
                kind.config["vectorConfig"] = _vectors(kind, sent)
                return 200, kind.config
            case "DELETE", [name]:
                # An alias is not followed; that nothing was deleted is not said.
                self.shelves.classes.pop(name, None)
                return 200, None
            case "POST", [name, "properties"]:
                assert isinstance(sent, dict)
                return 200, _added(self.shelves.resolved(name), sent)
            case "GET", [name, "shards"]:
                kind = self.shelves.resolved(name)
                names = list(kind.objects) if kind.has_tenants else ["shard"]
                self.shelves.indexing, status = max(0, self.shelves.indexing - 1), "READY"
                if self.shelves.indexing:
                    status = "INDEXING"
                ready: list[Json] = [
                    {"name": one, "status": status, "vectorQueueSize": 0} for one in names
                ]
                return 200, ready
            case _, [name, "tenants", *rest]:
                return self._tenants(self.shelves.resolved(name), rest, sent)
            case _:
                raise Refusal(404, "")

    def _users(self, parts: list[str]) -> tuple[int, Json]:
        access = self.access
        match self.command, parts:
            case "GET", ["own-info"] if access.key:
                return 200, access.own(self.headers.get("authorization"))
            case "POST", ["db", user]:
                access.users[f"key of {user}"] = user
                return 201, {"apikey": f"key of {user}"}
            case "DELETE", ["db", user]:
                access.users.pop(f"key of {user}", None)
                return 204, None
            case _:
                raise Refusal(404, "")

    def _authz(self, parts: list[str], sent: Json) -> tuple[int, Json]:
        access, body = self.access, sent if isinstance(sent, dict) else {}
        permissions = body.get("permissions") or []
        assert isinstance(permissions, list)
        given = [one for one in permissions if isinstance(one, dict)]
        if access.user(self.headers.get("authorization")):
            raise Refusal(403, "rbac: authorization, forbidden action")
        match self.command, parts:
            case "POST", ["roles"]:
                access.roles[str(body["name"])] = given
                return 201, None
            case "GET", ["roles", name] if name in access.roles:
                return 200, {"name": name, "permissions": list(access.roles[name])}
            case "POST", ["roles", name, "add-permissions"]:
                access.roles[name] += given
                return 200, None
            case "POST", ["users", user, "assign"]:
                roles = body["roles"]
                assert isinstance(roles, list)
                access.held.setdefault(user, []).extend(map(str, roles))
                return 200, None
            case "DELETE", ["roles", name]:
                access.roles.pop(name, None)
                return 204, None
            case _:
                raise Refusal(404, "")

    def _tenants(self, kind: Class, parts: list[str], sent: Json) -> tuple[int, Json]:
        if not kind.has_tenants:
            raise Refusal(422, f'multi-tenancy is not enabled for class "{kind.name}"')
        if parts:
            found = parts[0] in kind.objects
            return (200, {"name": parts[0], "activityStatus": "HOT"}) if found else (404, None)
        assert isinstance(sent, list)
        for one in sent:
            if self.command == "DELETE":
                kind.objects.pop(str(one), None)
            else:
                assert isinstance(one, dict)
                kind.objects.setdefault(str(one["name"]), {})
        return 200, sent if self.command == "POST" else None

    def _aliases(self, parts: list[str], sent: Json, *, of: str) -> tuple[int, Json]:
        body = sent if isinstance(sent, dict) else {}
        match self.command, parts:
            case "GET", []:
                listed: list[Json] = [
                    {"alias": alias, "class": target}
                    for alias, target in self.shelves.aliases.items()
                    if of in {"", target}
                ]
                return 200, {"aliases": listed}
            case "POST", []:
                self.shelves.alias(str(body["alias"]), str(body["class"]), new=True)
                return 200, body
            case _:
                return self._alias(parts, body)

    def _alias(self, parts: list[str], body: dict[str, Json]) -> tuple[int, Json]:
        alias = capital(parts[0])
        if self.command == "PUT":
            self.shelves.alias(alias, str(body["class"]), new=False)
        if alias not in self.shelves.aliases:
            raise Refusal(404, "")
        if self.command == "DELETE":
            del self.shelves.aliases[alias]
            return 204, None
        return 200, {"alias": alias, "class": self.shelves.aliases[alias]}


def _whole(sent: dict[str, Json]) -> dict[str, Json]:
    if re.fullmatch("[A-Z][_0-9A-Za-z]{0,254}", capital(str(sent["class"]))) is None:
        raise Refusal(422, f"'{sent['class']}' is not a valid class name")
    made = {**DEFAULTS, **sent}
    for name in ("invertedIndexConfig", "multiTenancyConfig", "replicationConfig"):
        default, given = DEFAULTS[name], sent.get(name) or {}
        assert isinstance(default, dict)
        assert isinstance(given, dict)
        made[name] = {**default, **given}
    inverted = made["invertedIndexConfig"]
    assert isinstance(inverted, dict)
    inverted["stopwords"] = {"additions": None, "removals": None, "preset": "none"}
    vectors = sent.get("vectorConfig") or {}
    assert isinstance(vectors, dict)
    if not vectors:
        made |= {"vectorizer": "none", "vectorIndexType": "hnsw", "vectorIndexConfig": HNSW}
    for one in vectors.values():
        _indexed(one)
    given = made["properties"] or []
    assert isinstance(given, list)
    made["properties"] = [_property(one) for one in given]
    return made


def _vectors(kind: Class, sent: dict[str, Json]) -> dict[str, Json]:
    """Return a class's vectors as a change of it leaves them: some more, and none fewer."""
    given = sent.get("vectorConfig") or {}
    assert isinstance(given, dict)
    for name in kind.vectors:
        if name not in given:
            raise Refusal(422, f'parse class update: missing config for vector "{name}"')
    for name, one in given.items():
        if name not in kind.vectors:
            _indexed(one)
    return {**kind.vectors, **{n: one for n, one in given.items() if n not in kind.vectors}}


def _indexed(one: Json) -> None:
    assert isinstance(one, dict)
    given = one.get("vectorIndexConfig") or {}
    assert isinstance(given, dict)
    one["vectorIndexConfig"] = {**HNSW, **given}
    one.setdefault("vectorIndexType", "hnsw")


def _property(given: Json) -> dict[str, Json]:
    assert isinstance(given, dict)
    whole = {
        "indexFilterable": True,
        "indexRangeFilters": False,
        "indexSearchable": True,
        **given,
    }
    if whole["dataType"] == ["text"]:
        whole.setdefault("tokenization", "word")
    else:
        whole["indexSearchable"] = False
    return whole


def _added(kind: Class, sent: dict[str, Json]) -> Json:
    name = str(sent["name"])
    if any(str(one["name"]).lower() == name.lower() for one in kind.properties):
        raise Refusal(422, f'conflict for property "{name}": already in use')
    made = _property(sent)
    kind.properties.append(made)
    return made
