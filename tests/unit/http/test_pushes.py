"""Changes that a team's own system sends: whole, once, and only from those who may."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from tests.unit.http.conftest import ENOUGH_S, OTHER_KEY, SHOP_KEY, Site

from repoint.domain.ids import DocumentId, IndexName
from repoint.domain.source import SqlSettings
from repoint.operations import push
from repoint.operations.session import Session
from repoint.wiring.config import CONFIG_FILE

DOCS = IndexName("docs")


def place(site: Site) -> str:
    return f"{site.server.url}/v1/indexes/docs/documents"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def texts(site: Site, *ids: str) -> dict[str, str | None]:
    with site.repoint.session.store.read() as view:
        rows = view.log.get(DOCS, [DocumentId(one) for one in ids])
    return {
        name: None if row.document is None else row.document.text for name, row in rows.items()
    }


def head(site: Site) -> int:
    with site.repoint.session.store.read() as view:
        return view.log.head(DOCS)


def test_documents_and_deletes_are_written_as_one_and_found(
    site: Site, client: httpx2.Client
) -> None:
    before = head(site)
    answer = client.post(
        place(site),
        params={"wait": "all"},
        json=[
            {"id": "new", "text": "entirely new words", "metadata": {"lang": "en"}},
            {"id": "d1", "delete": True},
            {"id": "d2", "text": "document 2"},
        ],
    ).json()
    assert answer == {
        "index": "docs",
        "first_lsn": before + 1,
        "head": before + 2,
        "written": 2,
        "unchanged": 1,
        "repeated": False,
        "searchable": True,
        "why": "",
    }
    found = site.docs.search("entirely new words")
    assert found.hits[0].document == "new"
    assert "d1" not in {hit.document for hit in site.docs.search("document 1").hits}


def test_json_lines_are_taken_too_and_a_bad_line_undoes_all(
    site: Site, client: httpx2.Client
) -> None:
    lines = {"Content-Type": "application/x-ndjson; charset=utf-8"}
    good = b'{"_id": "a", "text": "one"}\n\n{"id": "b", "text": "two"}\n'
    assert client.post(place(site), content=good, headers=lines).json()["written"] == 2
    before = head(site)
    for bad in (b'{"id": "e"}', b"{", b'{"id": "e", "delete": true, "text": "x"}', b"7"):
        answer = client.post(
            place(site), content=b'{"id": "c", "text": "x"}\n' + bad, headers=lines
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "bad-line")
        assert "line 2" in answer.json()["detail"]
    typed = [{"id": "x", "text": "x", "f": 1}, {"id": "y", "text": "y", "f": "text"}]
    assert client.post(place(site), json=typed).json()["code"] == "field-type"
    assert (head(site), texts(site, "c", "x")) == (before, {})


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"[", b'"x"'])
def test_what_is_no_push_is_refused(site: Site, client: httpx2.Client, body: bytes) -> None:
    answer = client.post(place(site), content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-input")


def test_a_push_that_is_sent_again_is_no_second_version(
    site: Site, client: httpx2.Client
) -> None:
    key = {"Idempotency-Key": "4711"}
    push = [{"id": "d1", "text": "pushed"}, {"id": "d3", "delete": True}]
    first = client.post(place(site), json=push, headers=key).json()
    site.docs.upsert([{"id": "d1", "text": "written since"}, {"id": "d3", "text": "back"}])
    again = client.post(place(site), json=push, headers=key).json()
    assert again == {**first, "repeated": True}
    assert texts(site, "d1", "d3") == {"d1": "written since", "d3": "back"}
    other = client.post(place(site), json=[{"id": "d1", "text": "other"}], headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "key-reused")
    unprintable = client.post(place(site), json=push, headers={"Idempotency-Key": "k" * 201})
    assert unprintable.json()["code"] == "bad-input"


def test_of_an_id_that_stands_twice_the_last_change_counts(
    site: Site, client: httpx2.Client
) -> None:
    push = [{"id": "t", "text": "first"}, {"id": "t", "delete": True}, {"id": "t", "text": "l"}]
    answer = client.post(place(site), json=push).json()
    assert (answer["written"], answer["unchanged"]) == (1, 2)
    assert texts(site, "t") == {"t": "l"}


def test_only_a_writer_pushes_and_the_attempt_is_on_record(
    keyed: Site, client: httpx2.Client
) -> None:
    keyed.repoint.grant("ana", "admin")
    keyed.repoint.grant("shop", "writer", "docs")
    keyed.repoint.grant("other", "viewer", "docs")
    push, before = [{"id": "p", "text": "pushed"}], head(keyed)
    for path in ("documents", "sources/crm/changed"):
        url = f"{keyed.server.url}/v1/indexes/docs/{path}"
        assert client.post(url, json=push).status_code == 401
        refused = client.post(url, json=push, headers=bearer(OTHER_KEY))
        assert (refused.status_code, refused.json()["code"]) == (403, "not-permitted")
    assert head(keyed) == before
    with keyed.repoint.session.store.read() as view:
        denied = [one for one in view.audit.records() if one.outcome == "denied"]
    assert {(one.actor, one.action) for one in denied} == {("other", "write")}
    assert client.post(place(keyed), json=push, headers=bearer(SHOP_KEY)).status_code == 200


def test_a_key_is_its_senders_own(keyed: Site, client: httpx2.Client) -> None:
    key = {"Idempotency-Key": "1"}
    keyed.repoint.grant("ana", "admin")
    for name, secret in (("shop", SHOP_KEY), ("other", OTHER_KEY)):
        keyed.repoint.grant(name, "writer", "docs")
        push = [{"id": name, "text": name}]
        answer = client.post(place(keyed), json=push, headers={**key, **bearer(secret)})
        assert answer.json()["repeated"] is False


def test_ten_thousand_documents_are_one_push_and_more_is_too_large(
    site: Site, client: httpx2.Client
) -> None:
    push = [{"id": f"p{n}", "text": f"text {n}"} for n in range(10_000)]
    answer = client.post(place(site), json=push).json()
    assert answer["head"] - answer["first_lsn"] == 9_999
    many = [{"id": str(n), "text": "t"} for n in range(20_001)]
    refused = client.post(place(site), json=many)
    assert (refused.status_code, refused.json()["code"]) == (413, "push-too-large")


def test_a_body_beyond_its_bound_is_not_read_to_its_end(
    tmp_path: Path, client: httpx2.Client
) -> None:
    site = Site(tmp_path / "home", config="", push_bytes=2048)
    try:
        long = json.dumps([{"id": "x", "text": "t" * 4000}]).encode()
        for body in (long, iter([long[:1000], long[1000:]])):
            refused = client.post(place(site), content=body)
            assert (refused.status_code, refused.json()["code"]) == (413, "push-too-large")
        assert texts(site, "x") == {}
    finally:
        site.close()
    assert "push_bytes = 2048" in (tmp_path / "home" / CONFIG_FILE).read_text("utf-8")


def test_more_pushes_than_a_server_takes_wait_at_their_sender(
    tmp_path: Path, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path / "home", config="", most_pushes=1)
    begun, go = threading.Event(), threading.Event()
    take = push.take

    def slowly(
        session: Session, index: IndexName, changes: push.Changes, *, key: str = ""
    ) -> push.Pushed:
        begun.set()
        go.wait(ENOUGH_S)
        return take(session, index, changes, key=key)

    def send() -> None:
        with httpx2.Client(timeout=2 * ENOUGH_S) as other:
            answer = other.post(place(site), json=[{"id": "slow", "text": "slow"}])
            statuses.append(answer.status_code)

    monkeypatch.setattr(push, "take", slowly)
    statuses: list[int] = []
    sender = threading.Thread(target=send)
    try:
        sender.start()
        assert begun.wait(ENOUGH_S)
        refused = client.post(place(site), json=[{"id": "d1", "text": "document 1"}])
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-pushes")
        assert refused.headers["retry-after"] == "1"
        go.set()
        sender.join(ENOUGH_S)
        assert statuses == [200]
        assert client.post(place(site), json=[{"id": "d1", "text": "1"}]).status_code == 200
    finally:
        go.set()
        site.close()


def test_a_source_that_changed_is_polled_at_once(
    site: Site, client: httpx2.Client, tmp_path: Path
) -> None:
    file = tmp_path / "crm.db"

    def run(statement: str) -> None:
        with closing(sqlite3.connect(file)) as line, line:
            line.executescript(statement)

    run("CREATE TABLE a (id INT, body TEXT, v INT); INSERT INTO a VALUES (1, 'one', 1)")
    settings = SqlSettings(
        url=f"sqlite:///{file}", table="a", id="id", text=("body",), version="v"
    )
    site.docs.feeding.add("crm", settings)
    url = f"{site.server.url}/v1/indexes/docs/sources/crm/changed"
    assert client.post(url).json()["written"] == 1
    run("INSERT INTO a VALUES (2, 'two', 2), (3, 'three', 3); DELETE FROM a WHERE id = 1")
    named = client.post(url, json={"ids": ["1", "3"]}).json()
    assert (named["written"], named["deleted"], named["read"]) == (1, 1, 2)
    assert texts(site, "1", "2", "3") == {"1": None, "3": "three"}
    assert client.post(url, json={}).json()["written"] == 1
    assert client.post(url, json={"ids": "1"}).json()["code"] == "bad-input"
    missing = client.post(url.replace("/crm/", "/nope/"))
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")
    file.unlink()
    assert client.post(url).json()["code"] == "not-found"


def test_a_push_to_a_paused_release_is_refused_before_it_is_written(
    site: Site, client: httpx2.Client
) -> None:
    site.docs.set_pace("v2", paused=True)
    before = head(site)
    refused = client.post(place(site), params={"wait": "all"}, json=[{"id": "z", "text": "z"}])
    assert (refused.status_code, head(site)) == (422, before)
