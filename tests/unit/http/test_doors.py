"""Who is let in, what is refused, and how errors look."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx2
import pytest
from tests.unit.http.conftest import OTHER_KEY, SHOP_KEY, Site, until

from repoint import Repoint
from repoint.domain.errors import BadInputError, BadSpecError
from repoint.http.server import RouteServer
from repoint.wiring.api_keys import digest, new_key, owner


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    "headers", [{}, bearer("rpk_wrong"), {"Authorization": f"Basic {SHOP_KEY}"}]
)
def test_without_a_key_that_somebody_has_nothing_is_told(
    keyed: Site, client: httpx2.Client, headers: dict[str, str]
) -> None:
    answer = client.get(keyed.url, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert "docs" not in answer.json()["detail"]


def test_a_key_lets_its_owner_in(keyed: Site, client: httpx2.Client) -> None:
    assert client.get(keyed.url, headers=bearer(SHOP_KEY)).json()["release"] == "v1"


def test_once_roles_are_granted_a_keys_owner_needs_one(
    keyed: Site, client: httpx2.Client
) -> None:
    keyed.repoint.grant("ana", "admin")
    refused = client.get(keyed.url, headers=bearer(SHOP_KEY))
    assert (refused.status_code, refused.json()["code"]) == (403, "not-permitted")
    keyed.repoint.grant("shop", "viewer", "docs")
    assert client.get(keyed.url, headers=bearer(SHOP_KEY)).status_code == 200


def test_nobody_speaks_for_the_watcher_of_another_key(
    keyed: Site, client: httpx2.Client
) -> None:
    client.get(keyed.url, params={"watcher": "w1"}, headers=bearer(SHOP_KEY))
    client.delete(f"{keyed.url}/watchers/w1", headers=bearer(OTHER_KEY))
    assert "watcher w1" in keyed.served()


def test_a_page_that_points_its_own_name_at_this_machine_is_told_nothing(
    site: Site, client: httpx2.Client
) -> None:
    answer = client.get(site.url, headers={"Host": "evil.example"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/indexes/nope/route", 404, "not-found"),
        ("/v1/indexes/a%20b/route", 422, "invalid-name"),
        ("/v1/indexes/docs/route?after_epoch=-1", 422, "bad-input"),
        ("/v1/indexes/docs/route?wait=1e9", 422, "bad-input"),
        ("/v1/indexes/docs/route?watcher=a/b", 422, "bad-input"),
        ("/v1/nothing", 404, "not-found"),
    ],
)
def test_what_cannot_be_answered_is_a_problem_with_a_code(
    site: Site, client: httpx2.Client, path: str, status: int, code: str
) -> None:
    answer = client.get(site.server.url + path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_more_than_may_wait_are_asked_to_come_again(
    tmp_path: Path, client: httpx2.Client
) -> None:
    site = Site(tmp_path / "home", most_waiting=1)
    try:
        with client.stream("GET", f"{site.url}/events"):
            until(lambda: site.server.waiting == 1)
            answer = client.get(site.url, params={"after_epoch": 1, "wait": 10})
            stream = client.get(f"{site.url}/events")
            assert (answer.status_code, answer.json()["code"]) == (503, "too-many-waiting")
            assert stream.status_code == 503
            assert client.get(site.url).status_code == 200  # without waiting it goes on
    finally:
        site.close()


def test_a_client_that_went_away_leaves_its_place(site: Site) -> None:
    host, port = site.server.url.removeprefix("http://").split(":")
    for path in ("route?after_epoch=1&wait=60", "route/events"):
        with socket.create_connection((host, int(port))) as line:
            line.sendall(
                f"GET /v1/indexes/docs/{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            )
            until(lambda: site.server.waiting == 1)
        until(lambda: site.server.waiting == 0)


def test_clients_that_come_and_go_at_once_take_no_place_with_them(
    site: Site, client: httpx2.Client
) -> None:
    host, port = site.server.url.removeprefix("http://").split(":")
    request = f"GET /v1/indexes/docs/route/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    for _ in range(60):
        with socket.create_connection((host, int(port))) as line:
            line.sendall(request)
    assert client.get(site.url).status_code == 200
    until(lambda: site.server.waiting == 0)


def test_beyond_this_machine_a_server_without_keys_is_refused(tmp_path: Path) -> None:
    with (
        Repoint.init(tmp_path / "home") as repoint,
        pytest.raises(BadSpecError, match="nobody would need a key"),
    ):
        RouteServer(repoint.workspace, host="0.0.0.0", port=0, program="x")  # noqa: S104


def test_a_port_that_is_taken_is_said(site: Site) -> None:
    port = int(site.server.url.rpartition(":")[2])
    with pytest.raises(BadInputError, match="cannot listen"):
        RouteServer(site.repoint.workspace, host="127.0.0.1", port=port, program="x")


def test_the_openapi_page_names_every_path_and_shape(site: Site, client: httpx2.Client) -> None:
    page = client.get(f"{site.server.url}/v1/openapi.json").json()
    assert set(page["paths"]) == {
        "/v1/health",
        "/v1/indexes/{index}/route",
        "/v1/indexes/{index}/route/events",
        "/v1/indexes/{index}/route/ack",
        "/v1/indexes/{index}/route/watchers/{watcher}",
        "/v1/indexes/{index}/documents",
        "/v1/indexes/{index}/sources/{source}/changed",
    }
    assert "RouteBody" in page["components"]["schemas"]


def test_a_key_has_256_random_bits_and_only_its_digest_is_kept() -> None:
    one, two = new_key(), new_key()
    assert one != two
    assert len(bytes.fromhex(one.removeprefix("rpk_"))) == 32
    assert owner(one, {"a": digest(two), "b": digest(one)}) == "b"
    assert owner("rpk_", {"a": digest(two)}) is None
