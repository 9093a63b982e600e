"""Grants of a real OpenSearch with its security plugin, asked before a promotion moves.

``REPOINT_OPENSEARCH_SECURE_URL`` names one, ``REPOINT_OPENSEARCH_SECURE_LOGIN`` its admin.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.servers.opensearch_team import INDEX, OpenSearchTeam
from tests.servers.opensearch_url import empty
from tests.unit.cli.conftest import Shell

from repoint.client import Repoint
from repoint.domain.errors import MissingSettingError, NotReadyError
from repoint.domain.readiness import Status
from repoint.testing.adoption_story import adopt, open_workspace
from repoint.testing.story import UNMEASURED, bring_in_step, document
from repoint.testing.team import row_of

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

pytestmark = [pytest.mark.backend("opensearch"), pytest.mark.engine, pytest.mark.slow]

URL = os.environ.get("REPOINT_OPENSEARCH_SECURE_URL", "")
PASSWORD = "Zwetschgen-7-kuchen"  # noqa: S105 - on a server of the tests alone
APP, KEEPER = "search-app", "repoint-keeper"
#: What repoint needs besides what it has on single indices: make collections, look around.
KEEPING = {
    "cluster_permissions": ["cluster_composite_ops", "cluster_monitor"],
    "index_permissions": [
        {
            "index_patterns": ["docs_v*", "search_*"],
            "allowed_actions": ["indices_all"],
        },
        {
            "index_patterns": ["*"],
            "allowed_actions": ["indices:admin/mappings/get", "indices:admin/aliases/get"],
        },
    ],
}


class SecureTeam(OpenSearchTeam):
    """A team whose server asks everybody who they are."""

    keeper = "admin"

    @property
    def table(self) -> str:
        return (
            f'kind = "opensearch"\nurl = "{self.url}"\nalias_prefix = "search_"\n'
            f'api_key_env = "{self.keeper.upper().replace("-", "_")}_LOGIN"\n'
            'application_key_env = "APP_LOGIN"'
        )

    def security(self, method: str, path: str, body: object = None) -> None:
        self.client.transport.perform_request(
            method, f"/_plugins/_security/api/{path}", body=body
        )

    def user(self, name: str, role: object) -> None:
        self.security("PUT", f"roles/{name}-role", role)
        self.security("PUT", f"internalusers/{name}", {"password": PASSWORD})
        self.security("PUT", f"rolesmapping/{name}-role", {"users": [name]})

    def follow(self, remedy: str) -> None:
        """Do what was said to be missing, in the words that were said."""
        method, path, body = remedy.split(" ", 2)
        assert path.startswith("_plugins/_security/api/")
        self.security(method, path.removeprefix("_plugins/_security/api/"), json.loads(body))

    def as_app(self) -> "OpenSearch":
        from opensearchpy import OpenSearch  # noqa: PLC0415 - loads the library

        return OpenSearch(self.url, http_auth=(APP, PASSWORD))

    def reads(self, place: str) -> bool:
        """Return whether the application really can search it."""
        from opensearchpy.exceptions import AuthorizationException  # noqa: PLC0415 - as above

        with self.as_app() as client:
            try:
                client.search(index=place, body={"size": 1})
            except AuthorizationException:
                return False
        return True


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecureTeam]:
    library = pytest.importorskip("opensearchpy", reason="run it with: make servers-test")
    if not URL:
        pytest.skip("no server with security: REPOINT_OPENSEARCH_SECURE_URL is not set")
    login = os.environ.get("REPOINT_OPENSEARCH_SECURE_LOGIN", "")
    client = library.OpenSearch(URL, http_auth=tuple(login.split(":", 1)), timeout=60)
    empty(client)
    monkeypatch.setenv("ADMIN_LOGIN", login)
    monkeypatch.setenv("REPOINT_KEEPER_LOGIN", f"{KEEPER}:{PASSWORD}")
    monkeypatch.setenv("APP_LOGIN", f"{APP}:{PASSWORD}")
    one = SecureTeam(client, URL)
    one.put(row_of(f"d{n}", document(n, version=0)) for n in range(10))
    reading = {"index_patterns": [INDEX], "allowed_actions": ["read"]}
    one.user(APP, {"index_permissions": [reading]})
    yield one
    empty(client)
    client.close()


@pytest.fixture
def opened(team: SecureTeam, tmp_path: Path) -> Iterator[Repoint]:
    with open_workspace(tmp_path / "home", team) as opened:
        adopt(opened, team)
        yield opened


def test_a_promotion_is_refused_before_it_moves_while_a_grant_is_missing(
    opened: Repoint, team: SecureTeam
) -> None:
    docs = opened.index("docs")
    docs.promote("v1")  # the application may search the team's own index
    bring_in_step(docs, "v2", dimensions=32)
    second = docs.release("v2").collection
    assert team.reads(INDEX)
    assert not team.reads(second)
    with pytest.raises(NotReadyError, match=f"{APP} may not indices:data/read/search"):
        docs.promote("v2", options=UNMEASURED)
    assert (docs.status().active, docs.status().epoch) == ("v1", 1)
    found = {finding.check: finding for finding in docs.check()}
    assert found["grants"].status is Status.FAILED
    (missing,) = docs.grants("v2").missing
    assert (missing.role, missing.on) == (APP, f"index {second}")
    team.follow(missing.remedy)
    assert docs.grants("v2").missing == []
    assert all(team.reads(place) for place in (second, "search_docs", INDEX))
    docs.promote("v2", options=UNMEASURED)
    assert docs.rollback(reason="worse").verified
    assert team.reads("search_docs")


def test_asking_changes_nothing(opened: Repoint, team: SecureTeam) -> None:
    docs = opened.index("docs")
    docs.promote("v1")
    places = [INDEX, docs.release("v1").collection]
    before = [team.client.indices.stats(index=one)["_all"] for one in places]
    rows, aliases = team.rows(), team.client.indices.get_alias(index=INDEX)
    mapping = team.client.indices.get_mapping(index=INDEX)
    docs.grants("v1")
    assert team.client.indices.get_alias(index=INDEX) == aliases
    assert team.client.indices.get_mapping(index=INDEX) == mapping
    after = team.rows()
    assert all(after[name].same(one) for name, one in rows.items())
    for place, then in zip(places, before, strict=True):
        now = team.client.indices.stats(index=place)["_all"]
        assert now["primaries"]["docs"] == then["primaries"]["docs"]
        assert (
            now["primaries"]["indexing"]["index_total"]
            == (then["primaries"]["indexing"]["index_total"])
        )


def test_what_repoint_itself_needs_is_asked_too(team: SecureTeam, tmp_path: Path) -> None:
    team.user(KEEPER, KEEPING)
    team.keeper = "repoint-keeper"
    reading = [
        {
            "op": "add",
            "path": "/index_permissions/-",
            "value": {
                "index_patterns": [INDEX],
                "allowed_actions": [
                    "read",
                    "indices_monitor",
                    "indices:admin/refresh*",
                    "indices:admin/mapping/put",
                    "indices:admin/get",
                ],
            },
        }
    ]
    team.security("PATCH", f"roles/{KEEPER}-role", reading)
    admin = SecureTeam(team.client, team.url)
    with open_workspace(tmp_path / "home", admin) as opened:
        adopt(opened, admin)
    config = tmp_path / "home" / "repoint.toml"
    config.write_text(config.read_text().replace("ADMIN_LOGIN", "REPOINT_KEEPER_LOGIN"))
    with Repoint.open(tmp_path / "home") as opened:
        docs = opened.index("docs")
        missing = docs.grants("v1").missing
        assert {(one.role, one.on) for one in missing} == {(KEEPER, f"index {INDEX}")}
        assert {one.privilege for one in missing} == {
            "indices:data/write/bulk[s], indices:data/write/index, indices:data/write/delete",
            "indices:data/write/delete/byquery",
            "indices:admin/aliases",
        }
        with pytest.raises(NotReadyError, match=f"{KEEPER} may not"):
            docs.promote("v1")
        for one in missing:
            team.follow(one.remedy)
        assert docs.grants("v1").missing == []
        docs.promote("v1")
        docs.upsert([{"id": "d1", "text": "anew"}], wait="all")
        docs.delete(["d2"], wait="all")
        assert docs.diff("v1").clean
    assert team.rows()["d1"].body == "anew"


def test_the_command_says_what_to_run(
    opened: Repoint, team: SecureTeam, tmp_path: Path
) -> None:
    bring_in_step(opened.index("docs"), "v2", dimensions=32)
    shell = Shell(tmp_path)
    shell.home = opened.workspace.home
    assert shell.run("grants", "check", "docs", "v2", "--json").exit_code == 3
    said = shell.run("grants", "check", "docs", "v2").stdout
    for line in said.splitlines():
        if line.startswith("  PATCH "):
            team.follow(line.strip())
    assert "grants are there" in shell.ok("grants", "check", "docs", "v2")


def test_a_key_that_the_server_does_not_take_is_said(
    opened: Repoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_LOGIN", f"{APP}:wrong")
    with Repoint.open(opened.workspace.home) as again:
        with pytest.raises(MissingSettingError, match="application_key_env") as caught:
            again.index("docs").grants("v1")
        assert "wrong" not in caught.value.message
        with pytest.raises(NotReadyError, match="does not take this user"):
            again.index("docs").promote("v1")
