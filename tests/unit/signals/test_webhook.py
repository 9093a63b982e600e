"""Alerts over real HTTP: who may send them, in which form, and that twice is once."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

import httpx2
import pytest

from repoint.domain.document import Json
from repoint.domain.errors import BadInputError, RefusedError, UnavailableError
from repoint.domain.guarding import Alert
from repoint.signals.alerts import read_alerts
from repoint.signals.webhook import Webhook
from repoint.testing.clock import NOON, FrozenClock

TOKEN = "0123456789abcdef"  # noqa: S105 - of this test alone
MINE = {"Authorization": f"Bearer {TOKEN}"}

#: As Alertmanager sends it (version 4 of its webhook).
SENT: dict[str, Json] = {
    "version": "4",
    "groupKey": '{}:{alertname="SearchIsSlow"}',
    "status": "firing",
    "receiver": "repoint",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "SearchIsSlow", "index": "docs"},
            "annotations": {"summary": "p95 over 300 ms"},
            "startsAt": "2026-11-25T09:52:26.739266876+02:00",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus:9090/graph",
            "fingerprint": "a1b2c3d4e5f60718",
        },
        {
            "status": "resolved",
            "labels": {"alertname": "Other"},
            "startsAt": "2026-11-25T09:00:00Z",
            "endsAt": "2026-11-25T09:30:00Z",
            "fingerprint": "0f0f",
        },
    ],
}


class Taken:
    """What a webhook handed on."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.fails: Exception | None = None

    def __call__(self, alerts: Sequence[Alert]) -> None:
        if self.fails is not None:
            raise self.fails
        self.alerts += alerts


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
def url(taken: Taken) -> Iterator[str]:
    webhook = Webhook("127.0.0.1:0", token=TOKEN, clock=FrozenClock(), take=taken)
    webhook.start()
    yield webhook.url
    webhook.close()


def send(url: str, body: object, headers: dict[str, str] | None = None) -> httpx2.Response:
    given = MINE if headers is None else headers
    with httpx2.Client(timeout=60) as client:
        return client.post(url, json=body, headers=given)


def test_what_alertmanager_sends_is_taken(url: str, taken: Taken) -> None:
    answer = send(url, SENT)
    assert (answer.status_code, answer.json()) == (200, {"taken": 2})
    firing, resolved = taken.alerts
    assert firing == Alert(
        fingerprint="a1b2c3d4e5f60718",
        name="SearchIsSlow",
        labels={"alertname": "SearchIsSlow", "index": "docs"},
        firing=True,
        started_at=datetime(2026, 11, 25, 7, 52, 26, 739266, tzinfo=UTC),
        received_at=NOON,
    )
    assert (resolved.firing, resolved.name) == (False, "Other")


def test_the_plain_form_is_taken_and_told_apart_by_its_labels(url: str, taken: Taken) -> None:
    plain = {"alert": "Slow", "status": "firing", "labels": {"a": "1"}}
    for body in (plain, plain, {**plain, "labels": {"a": "2"}}):
        assert send(url, body).status_code == 200
    prints = [one.fingerprint for one in taken.alerts]
    assert prints[0] == prints[1] != prints[2]
    assert taken.alerts[0].started_at == NOON


@pytest.mark.parametrize(
    "given", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": ""}]
)
def test_without_the_token_nothing_is_taken(
    url: str, taken: Taken, given: dict[str, str]
) -> None:
    assert send(url, SENT, given).status_code == 401
    assert taken.alerts == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "no JSON object"),
        ({}, "no list of alerts"),
        ({"alerts": [3]}, "no JSON object"),
        ({"alerts": [{"status": "firing", "labels": {}}]}, "has no name"),
        ({"alert": "A", "status": "burning"}, "is 'burning'"),
        ({"alert": "A", "status": "firing", "labels": {"a": 1}}, "no texts by name"),
        ({"alert": "A", "status": "firing", "startsAt": "noon"}, "is no moment"),
        ({"alert": "A" * 201, "status": "firing"}, "has no name"),
        ({"alert": "A\nB", "status": "firing"}, "not one line"),
        (
            {"alert": "A", "status": "firing", "startsAt": "0001-01-01T00:00:00+14:00"},
            "is no moment",
        ),
    ],
)
def test_a_mistake_is_said_and_nothing_is_taken(
    url: str, taken: Taken, body: object, said: str
) -> None:
    answer = send(url, body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert taken.alerts == []


def test_what_is_no_json_is_said_as_well() -> None:
    for body in (b"", b"\xff", b"[" * 100_000):
        with pytest.raises(BadInputError):
            read_alerts(body, now=NOON)


def test_another_path_and_a_long_body_are_turned_away(url: str, taken: Taken) -> None:
    assert send(url + "x", SENT).status_code == 404
    with httpx2.Client(timeout=60) as client:
        assert client.get(url, headers=MINE).status_code == 501
    host, port = url.removeprefix("http://").removesuffix("/alerts").split(":")
    with socket.create_connection((host, int(port))) as long:
        head = f"POST /alerts HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
        long.sendall(head + b"Content-Length: 2000000\r\n\r\n")
        assert b" 413 " in long.makefile("rb").readline()
    assert taken.alerts == []


def test_strangers_who_send_slowly_take_nobodys_place(url: str) -> None:
    host, port = url.removeprefix("http://").removesuffix("/alerts").split(":")
    with ExitStack() as open_:
        for _ in range(20):  # more than are served at once
            slow = open_.enter_context(socket.create_connection((host, int(port))))
            slow.sendall(b"POST /alerts HTTP/1.1\r\nContent-Length: 10\r\n\r\n")
            assert b" 401 " in slow.makefile("rb").readline()
        assert send(url, SENT).status_code == 200


def test_a_fingerprint_that_is_none_is_made_anew(url: str, taken: Taken) -> None:
    for given in ("f" * 201, "a\x1bb", ""):
        body = {"alert": "A", "status": "firing", "fingerprint": given}
        assert send(url, body).status_code == 200
    assert {len(one.fingerprint) for one in taken.alerts} == {16}


def test_a_store_that_is_away_makes_the_sender_try_again(url: str, taken: Taken) -> None:
    taken.fails = UnavailableError("the store is locked")
    assert send(url, SENT).status_code == 503


def test_a_sender_that_hangs_up_leaves_the_webhook_working(url: str) -> None:
    host, port = url.removeprefix("http://").removesuffix("/alerts").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"POST /alerts HTTP/1.1\r\nContent-Length: 10\r\n\r\nab")
    assert send(url, SENT).status_code == 200


@pytest.mark.parametrize("address", ["", "9099", "host:", "host:x", ":1", "h:70000"])
def test_what_is_no_address_is_refused(address: str, taken: Taken) -> None:
    with pytest.raises(BadInputError, match="no address"):
        Webhook(address, token=TOKEN, clock=FrozenClock(), take=taken)


def test_a_short_token_and_a_taken_port_are_refused(url: str, taken: Taken) -> None:
    with pytest.raises(BadInputError, match="fewer than 16"):
        Webhook("127.0.0.1:0", token="short", clock=FrozenClock(), take=taken)  # noqa: S106 - as said
    busy = url.removeprefix("http://").removesuffix("/alerts")
    with pytest.raises(RefusedError, match="nothing can listen"):
        Webhook(busy, token=TOKEN, clock=FrozenClock(), take=taken)


def test_what_was_sent_is_what_the_page_shows() -> None:
    assert len(read_alerts(json.dumps(SENT).encode(), now=NOON)) == 2
