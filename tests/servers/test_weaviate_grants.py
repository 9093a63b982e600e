"""Permissions in Weaviate, asked before a promotion moves: of the FAKE, and of a server.

The server needs RBAC and users that a key can make; then ``REPOINT_WEAVIATE_KEY`` is the key
of whoever may do everything. Where it has no roles, these tests are skipped and say so.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.fakes.weaviate_peer.peer import FakeWeaviate, Peer
from weaviate import WeaviateClient
from weaviate.classes.rbac import Permissions
from weaviate.exceptions import InsufficientPermissionsError

from repoint.backends.weaviate.backend import WeaviateBackend
from repoint.backends.weaviate.names import class_name
from repoint.client import Repoint
from repoint.domain.errors import MissingSettingError, NotReadyError
from repoint.domain.ids import CollectionName
from repoint.ports.settings import BackendSettings
from repoint.testing.collections import spec
from repoint.testing.story import UNMEASURED, bring_in_step, document
from repoint.wiring.config import CONFIG_FILE

pytest_plugins = ("tests.fakes.weaviate_peer.fixtures",)

FAKE = pytest.param("fake", marks=pytest.mark.backend("weaviate (fake peer)"))
SERVER = pytest.param("server", marks=[pytest.mark.server("weaviate"), pytest.mark.slow])
ROLE, KEEPING = "search_app", "keeping"


@pytest.fixture(params=[FAKE, SERVER])
def guarded(request: pytest.FixtureRequest) -> Iterator[Peer]:
    if request.param == "fake":
        with FakeWeaviate(key="root") as fake:
            yield Peer(url=fake.url, grpc=fake.grpc_url, key="root")
        return
    url, grpc, key = (
        os.environ.get(f"REPOINT_WEAVIATE_{n}", "") for n in ("URL", "GRPC", "KEY")
    )
    header = {"authorization": f"Bearer {key}"}
    if not key or httpx.get(f"{url}/v1/users/own-info", headers=header).status_code != 200:
        pytest.skip("the server has no roles: AUTHORIZATION_RBAC_ENABLED")
    yield Peer(url=url, grpc=grpc, key=key)


@pytest.fixture
def admin(guarded: Peer) -> Iterator[WeaviateClient]:
    with guarded.client() as client:
        classes, aliases = set(client.collections.list_all()), set(client.alias.list_all())
        yield client
        for alias in client.alias.list_all().keys() - aliases:
            client.alias.delete(alias_name=alias)
        for name in client.collections.list_all().keys() - classes:
            client.collections.delete(name)
        for user in ("app", "keeper"):
            client.users.db.delete(user_id=user)
        for role in (ROLE, KEEPING):
            client.roles.delete(role)


def key_of(admin: WeaviateClient, user: str, role: str) -> str:
    """Make a user with a role that may read objects of one class that is not there."""
    nothing = Permissions.data(collection="Nothing", read=True)
    admin.roles.create(role_name=role, permissions=nothing)
    key: str = admin.users.db.create(user_id=user)
    admin.users.db.assign_roles(user_id=user, role_names=role)
    return key


@pytest.fixture
def opened(
    guarded: Peer, admin: WeaviateClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Repoint]:
    monkeypatch.setenv("GUARDED_WEAVIATE_KEY", guarded.key)
    home = tmp_path / "home"
    Repoint.init(home).close()
    with (home / CONFIG_FILE).open("a", encoding="utf-8") as config:
        config.write(
            f'\n[backends.main]\nkind = "weaviate"\nurl = "{guarded.url}"\n'
            f'api_key_env = "GUARDED_WEAVIATE_KEY"\napplication_role = "{ROLE}"\n'
            f'alias_prefix = "Guarded_"\n[backends.main.options]\ngrpc = "{guarded.grpc}"\n'
        )
    del admin  # it tidies up
    with Repoint.open(home) as opened:
        docs = opened.create_index("docs")
        docs.upsert({"id": f"d{n}", **document(n, version=0)} for n in range(10))
        bring_in_step(docs, "v1", dimensions=64)
        yield opened


def grant(guarded: Peer, *remedies: str) -> None:
    """Do what is said, in the words that are said."""
    for remedy in remedies:
        verb, path, body = remedy.split(" ", 2)
        header = {"authorization": f"Bearer {guarded.key}"}
        done = httpx.request(
            verb, f"{guarded.url}{path}", json=json.loads(body), headers=header
        )
        assert done.status_code == 200, done.text


def reads(guarded: Peer, key: str, name: str) -> bool:
    """Return whether the application's own key can search there."""
    with Peer(url=guarded.url, grpc=guarded.grpc, key=key).client() as client:
        try:
            client.collections.use(name).query.fetch_objects(limit=1)
        except InsufficientPermissionsError:
            return False
        return True


def test_a_promotion_is_refused_before_it_moves_while_the_application_may_not_read(
    opened: Repoint, guarded: Peer, admin: WeaviateClient
) -> None:
    """A role for the old class would break at the switch, one for the alias never works."""
    docs = opened.index("docs")
    key = key_of(admin, "app", ROLE)
    first = class_name(docs.release("v1").collection)
    with pytest.raises(NotReadyError) as caught:
        docs.promote("v1")
    assert f"{ROLE} may not read_data collection {first}" in caught.value.message
    assert docs.status().epoch == 0
    grant(guarded, *(one.remedy for one in docs.grants("v1").missing))
    docs.promote("v1")
    bring_in_step(docs, "v2", dimensions=32)
    second = class_name(docs.release("v2").collection)
    alias = Permissions.data(collection="Guarded_docs", read=True)
    admin.roles.add_permissions(permissions=alias, role_name=ROLE)
    assert (reads(guarded, key, "Guarded_docs"), reads(guarded, key, second)) == (True, False)
    with pytest.raises(NotReadyError, match=f"may not read_data collection {second}"):
        docs.promote("v2", options=UNMEASURED)
    assert (docs.status().active, docs.status().epoch) == ("v1", 1)
    assert reads(guarded, key, "Guarded_docs")
    report = docs.grants("v2")
    assert [(one.role, one.on) for one in report.missing] == [(ROLE, f"collection {second}")]
    grant(guarded, *(one.remedy for one in report.missing))
    docs.promote("v2", options=UNMEASURED)
    assert reads(guarded, key, "Guarded_docs")
    assert docs.rollback(reason="worse").verified
    assert reads(guarded, key, "Guarded_docs")


def test_what_repoint_itself_needs_is_asked_and_enough(
    opened: Repoint, guarded: Peer, admin: WeaviateClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = opened.index("docs")
    home = opened.workspace.home
    config = home / CONFIG_FILE
    config.write_text(config.read_text().replace(f'application_role = "{ROLE}"\n', ""))
    monkeypatch.setenv("GUARDED_WEAVIATE_KEY", key_of(admin, "keeper", KEEPING))
    collection = class_name(docs.release("v1").collection)
    look = Permissions.collections(collection="Guarded_docs_*", read_config=True)
    admin.roles.add_permissions(
        permissions=[look, Permissions.collections(collection=collection, read_config=True)],
        role_name=KEEPING,
    )
    with Repoint.open(home) as again:
        mine = again.index("docs")
        missing = {(one.role, one.privilege, one.on) for one in mine.grants("v1").missing}
        assert ("keeper", "delete_data", f"collection {collection}") in missing
        assert ("keeper", "read_tenants", f"collection {collection}") in missing
        assert ("keeper", "read_collections", f"collection {collection}") not in missing
        alias = f"alias Guarded_docs of collection {collection}"
        assert ("keeper", "create_aliases", alias) in missing
        grant(guarded, *(one.remedy for one in mine.grants("v1").missing))
        assert mine.grants("v1").missing == []
        mine.promote("v1")
        mine.upsert([{"id": "fresh", **document(77, version=0)}], wait="all")
        mine.delete(["d1"], wait="all")
        assert mine.diff("v1").clean


def test_roles_that_are_not_there_or_not_to_be_seen_are_said(
    opened: Repoint, admin: WeaviateClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = opened.index("docs")
    with pytest.raises(MissingSettingError, match=f"no role '{ROLE}'"):
        docs.grants("v1")
    with pytest.raises(NotReadyError, match=f"no role '{ROLE}'"):
        docs.promote("v1")
    key_of(admin, "app", ROLE)
    collection = class_name(docs.release("v1").collection)
    key = key_of(admin, "keeper", KEEPING)
    look = Permissions.collections(collection=collection, read_config=True)
    admin.roles.add_permissions(permissions=look, role_name=KEEPING)
    monkeypatch.setenv("GUARDED_WEAVIATE_KEY", key)
    with Repoint.open(opened.workspace.home) as again:
        missing = again.index("docs").grants("v1").missing
    assert missing[-1].privilege == "read_roles"
    assert missing[-1].on == f"role {ROLE}"


def test_in_a_class_that_releases_share_one_grant_is_for_every_release(
    guarded: Peer, admin: WeaviateClient
) -> None:
    """And nothing is asked of an alias, which such releases do not have."""
    key_of(admin, "app", ROLE)
    backend = WeaviateBackend.from_settings(
        BackendSettings(
            name="w",
            folder=Path(),
            url=guarded.url,
            api_key=guarded.key,
            application_role=ROLE,
            options={"grpc": guarded.grpc, "strategy": "vector_field"},
        )
    )
    names = [CollectionName(f"docs_objects/docs_v{n}_aaaaaaaaaaaa") for n in (1, 2)]
    for name in names:
        backend.create(spec(name=name))
    asked = backend.gatekeeper().privileges(names, alias="docs")
    assert {one.on for one in asked} == {"collection Docs_objects"}
    missing = [one for one in asked if not one.held]
    assert {(one.role, one.privilege) for one in missing} == {(ROLE, "read_data")}
    grant(guarded, missing[0].remedy)
    again = backend.gatekeeper().privileges(names, alias="docs")
    assert all(one.held for one in again)
    backend.close()


def test_a_server_without_roles_asks_for_nothing(weaviate_peer: Peer) -> None:
    if weaviate_peer.key:
        pytest.skip("this server has keys")
    backend = weaviate_peer.backend()
    assert backend.gatekeeper().privileges([], alias="docs") == []
    backend.close()
