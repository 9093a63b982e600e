"""The route over HTTP: one object, waited for or streamed, and moves wait for who watches."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import httpx2
import pytest
from tests.unit.http.conftest import Site, until

from repoint.domain.document import Json
from repoint.domain.readiness import Finding, Status
from repoint.http.values import RouteBody


def processes(findings: list[Finding]) -> Finding:
    return next(one for one in findings if one.check == "processes")


def test_collection_query_model_and_epoch_come_as_one_object(
    site: Site, client: httpx2.Client
) -> None:
    answer = client.get(site.url)
    assert answer.status_code == 200
    assert answer.json() == site.docs.routing.service_route().tree()
    assert answer.headers["repoint-epoch"] == "1"
    RouteBody.model_validate(answer.json())  # what the OpenAPI page shows is what comes


def test_an_etag_saves_the_body_until_the_pointer_moves(
    site: Site, client: httpx2.Client
) -> None:
    etag = client.get(site.url).headers["etag"]
    assert client.get(site.url, headers={"If-None-Match": etag}).status_code == 304
    site.promote()
    again = client.get(site.url, headers={"If-None-Match": etag})
    assert (again.status_code, again.json()["release"]) == (200, "v2")


def test_a_wait_that_sees_no_move_ends_without_a_body(
    site: Site, client: httpx2.Client
) -> None:
    answer = client.get(site.url, params={"after_epoch": 1, "wait": 0.05})
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_move_ends_every_wait_at_once(site: Site, client: httpx2.Client) -> None:
    with ThreadPoolExecutor(20) as pool:
        params = {"after_epoch": 1, "wait": 30}
        waiting = [pool.submit(client.get, site.url, params=params) for _ in range(20)]
        site.promote()
        answers = [one.result() for one in waiting]
    assert {(one.status_code, one.json()["release"]) for one in answers} == {(200, "v2")}


def test_a_move_waits_until_a_watcher_serves_the_new_epoch(
    site: Site, client: httpx2.Client
) -> None:
    joined = client.get(site.url, params={"watcher": "w1", "wait": 1})
    assert site.served()["watcher w1"] == 1
    assert float(joined.headers["repoint-lease-seconds"]) == pytest.approx(12)

    def serve() -> None:
        epoch = 1
        while epoch < 2:
            answer = client.get(
                site.url, params={"watcher": "w1", "after_epoch": epoch, "wait": 5}
            )
            if answer.status_code == 200:  # nothing changed yet: 204
                epoch = answer.json()["epoch"]
        # The next request says that the new one is served.
        client.get(site.url, params={"watcher": "w1", "after_epoch": epoch})

    watcher = threading.Thread(target=serve)
    watcher.start()
    report = site.promote()
    watcher.join()
    assert processes(report.findings).status is Status.OK
    assert site.served()["watcher w1"] == 2


def test_a_watcher_that_says_nothing_is_named_by_the_move(
    site: Site, client: httpx2.Client
) -> None:
    client.get(site.url, params={"watcher": "w1"})
    report = site.promote(ack_s=0.1)
    found = processes(report.findings)
    assert found.status is Status.FAILED
    assert "watcher w1" in found.summary


def test_a_watcher_that_leaves_is_waited_for_by_nobody(
    site: Site, client: httpx2.Client
) -> None:
    client.get(site.url, params={"watcher": "w1"})
    assert client.delete(f"{site.url}/watchers/w1").status_code == 204
    assert "watcher w1" not in site.served()


def test_an_acknowledgement_of_a_past_epoch_is_refused_and_still_counts_as_late(
    site: Site, client: httpx2.Client
) -> None:
    ack = f"{site.url}/ack"
    assert client.post(ack, json={"watcher": "w1", "epoch": 1}).json()["lease_seconds"] == 10
    site.promote(ack_s=0.1)
    until(lambda: site.served()["repoint serve"] == 2)
    late = client.post(ack, json={"watcher": "w1", "epoch": 1})
    assert (late.status_code, late.json()["code"]) == (409, "stale-epoch")
    assert site.served()["watcher w1"] == 1
    assert client.post(ack, json={"watcher": "w1", "epoch": 2}).json()["epoch"] == 2


def test_a_client_that_is_ahead_is_never_sent_back(site: Site, client: httpx2.Client) -> None:
    answer = client.get(site.url, params={"after_epoch": 7})
    assert (answer.status_code, answer.json()["code"]) == (409, "stale-epoch")


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Json]]]:
    kind = ""
    for line in lines:
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, cast("dict[str, Json]", json.loads(line.removeprefix("data: ")))


def test_a_stream_sends_the_route_now_and_after_every_move(
    site: Site, client: httpx2.Client
) -> None:
    with client.stream("GET", f"{site.url}/events", params={"watcher": "s1"}) as stream:
        told = events(stream.iter_lines())
        assert next(told)[1]["release"] == "v1"
        assert site.served()["watcher s1"] == 1
        site.promote(ack_s=0.1)
        kind, route = next(told)
        assert (kind, route["release"], route["epoch"]) == ("route", "v2", 2)
        client.post(f"{site.url}/ack", json={"watcher": "s1", "epoch": 2})
        assert client.delete(f"{site.url}/watchers/s1").status_code == 204
        site.docs.rollback(reason="worse")
        assert next(told)[1]["epoch"] == 3


def test_a_stream_that_goes_on_sends_nothing_twice(site: Site, client: httpx2.Client) -> None:
    with client.stream("GET", f"{site.url}/events", headers={"Last-Event-ID": "1"}) as stream:
        told = events(stream.iter_lines())
        site.promote()
        assert next(told)[1]["epoch"] == 2


def test_a_wait_begun_before_the_first_promotion_is_answered_by_it(
    site: Site, client: httpx2.Client
) -> None:
    empty = site.repoint.create_index("new")
    url = site.url.replace("/docs/", "/new/")
    assert client.get(url).json()["code"] == "refused-move"
    empty.upsert([{"id": "a", "text": "one"}])
    spec = "model: {provider: hashing, dimensions: 8}\nbackend: memory\n"
    empty.create_release("v1", spec)
    empty.sync("v1")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.get, url, params={"after_epoch": 0, "wait": 30})
        until(lambda: bool(empty.status().processes))
        empty.promote("v1")
        assert waiting.result().json()["epoch"] == 1


def test_a_stopping_server_sends_those_who_wait_away(site: Site, client: httpx2.Client) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            client.get, site.url, params={"watcher": "w1", "after_epoch": 1, "wait": 60}
        )
        until(lambda: "watcher w1" in site.served())
        site.server.stop()
        answer = waiting.result()
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert "repoint serve" not in site.served()
    # It may go on serving until its lease ends, so moves still know of it.
    assert "watcher w1" in site.served()
