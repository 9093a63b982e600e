"""Grants of a Milvus with authorization on, asked before a promotion moves.

``REPOINT_MILVUS_URL`` names the server and ``REPOINT_MILVUS_TOKEN`` its ``root``; milvus-lite
has no users, and says so.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.servers.milvus_team import (
    GIVEN,
    TOKEN,
    MilvusTeam,
    emptied,
    milvus_backend,
    milvus_client,
    milvus_started,
)

from repoint.client import Index, Repoint
from repoint.domain.errors import MissingSettingError, NotReadyError
from repoint.testing.adoption_story import adopt, open_workspace
from repoint.testing.story import UNMEASURED, bring_in_step, document
from repoint.testing.team import row_of, vectors
from repoint.wiring.config import CONFIG_FILE

pytestmark = [pytest.mark.backend("milvus"), pytest.mark.engine, pytest.mark.slow]
guarded = pytest.mark.skipif(
    not (GIVEN and TOKEN),
    reason="needs a Milvus with authorization on: REPOINT_MILVUS_URL, REPOINT_MILVUS_TOKEN",
)

ROLE, USER, WORD = "search_app", "app", "a-Test1"
#: Seconds in which a server brings a grant to all of its parts.
KNOWN = 15.0


class GuardedTeam(MilvusTeam):
    """A team whose application has a user and a role of its own."""

    @property
    def table(self) -> str:
        return f'{super().table}\napplication_role = "{ROLE}"'

    def may_search(self, place: str) -> bool:
        """Return whether the application really can search it."""
        import grpc  # noqa: PLC0415 - comes with the library

        client = milvus_client(self.url, f"{USER}:{WORD}")
        try:
            field = "vector" if place == "articles" else "chunk"
            query = vectors(["a note"])[0].tolist()[: 64 if place == "articles" else 32]
            client.search(place, [query], anns_field=field, limit=1)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
                raise
            return False
        finally:
            client.close()
        return True


@pytest.fixture
def team(tmp_path: Path) -> Iterator[GuardedTeam]:
    client = milvus_client(GIVEN)
    emptied(GIVEN, "articles")
    forget(client)
    client.create_user(USER, WORD)
    client.create_role(ROLE)
    client.grant_role(USER, ROLE)
    one = GuardedTeam(client, GIVEN, tmp_path)
    one.put(row_of(f"d{n}", document(n, version=0)) for n in range(10))
    for privilege in ("Search", "Query"):
        client.grant_privilege(ROLE, "Collection", privilege, "articles")
    yield one
    emptied(GIVEN, "articles")
    forget(client)
    client.close()


def forget(client: object) -> None:
    from pymilvus import MilvusClient  # noqa: PLC0415 - may not be installed

    assert isinstance(client, MilvusClient)
    for name in client.list_roles():
        if name in {"admin", "public"}:
            continue
        for one in client.describe_role(name)["privileges"]:
            client.revoke_privilege(
                name, one["object_type"], one["privilege"], one["object_name"]
            )
        for user in client.list_users():
            if name in client.describe_user(user)["roles"]:
                client.revoke_role(user, name)
        client.drop_role(name)
    for user in client.list_users():
        if user != "root":
            client.drop_user(user)


@pytest.fixture
def opened(team: GuardedTeam, tmp_path: Path) -> Iterator[Repoint]:
    with open_workspace(tmp_path / "home", team) as opened:
        adopt(opened, team)
        yield opened


def granted(docs: Index, release: str, team: GuardedTeam) -> None:
    """Grant whatever is said to be missing, in the words that are said."""
    for one in docs.grants(release).missing:
        eval(one.remedy, {"client": team.client})  # noqa: S307 - our own words, as a person would
    eventually(lambda: not docs.grants(release).missing)


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + KNOWN
    while not holds():
        assert time.monotonic() < deadline


@guarded
def test_a_promotion_is_refused_before_it_moves_while_a_grant_is_missing(
    opened: Repoint, team: GuardedTeam
) -> None:
    docs = opened.index("docs")
    with pytest.raises(NotReadyError, match="search_app may not Search collection search_docs"):
        docs.promote("v1")
    assert docs.status().epoch == 0
    granted(docs, "v1", team)
    docs.promote("v1")
    bring_in_step(docs, "v2", dimensions=32)
    second = docs.release("v2").collection
    assert not team.may_search(second)
    with pytest.raises(NotReadyError, match=f"may not Search collection {second}") as caught:
        docs.promote("v2", options=UNMEASURED)
    assert f"'Search', '{second}'" in caught.value.message
    assert (docs.status().active, docs.status().epoch) == ("v1", 1)
    report = docs.grants("v2")
    assert {(one.role, one.on) for one in report.missing} == {(ROLE, f"collection {second}")}
    granted(docs, "v2", team)
    eventually(lambda: team.may_search(second))
    assert team.may_search("articles")
    docs.promote("v2", options=UNMEASURED)
    assert docs.rollback(reason="worse").verified


@guarded
def test_a_user_of_repoint_that_may_not_see_grants_is_told_which_it_needs(
    opened: Repoint, team: GuardedTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = opened.index("docs")
    client = team.client
    client.create_user("keeper", WORD)
    client.create_role("keeping")
    client.grant_role("keeper", "keeping")
    monkeypatch.setenv("REPOINT_MILVUS_TOKEN", f"keeper:{WORD}")
    with Repoint.open(opened.workspace.home) as again:
        (missing,) = again.index("docs").grants("v1").missing
        assert (missing.privilege, missing.on) == ("SelectOwnership", "the server")
        client.grant_privilege("keeping", "Global", "SelectOwnership", "*")
        eventually(lambda: len(again.index("docs").grants("v1").missing) > 1)
        own = {
            (one.privilege, one.on)
            for one in again.index("docs").grants("v1").missing
            if one.role == "keeping"
        }
        assert ("Upsert", "collection articles") in own
        assert ("CreateAlias", "the server") in own
    assert docs.status().epoch == 0


@guarded
def test_a_role_that_is_not_there_is_said(opened: Repoint) -> None:
    config = opened.workspace.home / CONFIG_FILE
    config.write_text(config.read_text().replace(ROLE, "nobody_here"))
    with Repoint.open(opened.workspace.home) as again:
        with pytest.raises(MissingSettingError, match="no role 'nobody_here'"):
            again.index("docs").grants("v1")
        with pytest.raises(NotReadyError, match="no role 'nobody_here'"):
            again.index("docs").promote("v1")


def test_milvus_lite_says_that_it_has_no_grants(tmp_path: Path) -> None:
    with milvus_started() as server:
        backend = milvus_backend(server.url, tmp_path)
        assert not backend.capabilities.privileges
        backend.close()


@pytest.mark.parametrize(
    ("listed", "gives"),
    [
        (("Collection", "docs", "Search", "default"), True),
        (("Collection", "*", "Search", "*"), True),
        (("Collection", "docs", "*", "default"), True),
        (("Global", "docs", "CollectionReadOnly", "default"), True),
        (("Collection", "other", "Search", "default"), False),
        (("Collection", "docs", "Query", "default"), False),
        (("Collection", "docs", "Search", "another"), False),
        (("Global", "*", "*", "default"), False),
    ],
)
def test_a_grant_gives_what_it_names(listed: tuple[str, str, str, str], *, gives: bool) -> None:
    pytest.importorskip("pymilvus", reason="run it with: make servers-test")
    from repoint.backends.milvus.gatekeeping import Grant  # noqa: PLC0415 - loads the library

    kind, name, privilege, database = listed
    grant = Grant(kind=kind, name=name, privilege=privilege, database=database)
    assert grant.gives("Collection", "Search", "docs", database="") is gives
