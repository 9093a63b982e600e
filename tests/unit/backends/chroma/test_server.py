import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import numpy as np
import pytest

from repoint.backends.chroma import CAPABILITIES, ChromaDriver
from repoint.backends.chroma.server import Address, Server
from repoint.domain.errors import (
    AlreadyExistsError,
    BackendUnavailableError,
    CollectionMissingError,
    MissingSettingError,
    UnsupportedError,
)
from repoint.domain.spec import AnnKind, AnnSpec
from repoint.ports.settings import BackendSettings
from repoint.testing.collections import spec

Answer = Callable[[httpx2.Request], httpx2.Response]
LIMITS = {"max_batch_size": 2, "supports_base64_encoding": True}


def server(answer: Answer, *, key: str = "") -> Server:
    def all_answers(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/pre-flight-checks"):
            return httpx2.Response(200, json=LIMITS)
        return answer(request)

    address = Address(url="http://chroma.test", api_key=key, database="a b/c")
    return Server(address, transport=httpx2.MockTransport(all_answers))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, BackendUnavailableError),
        (401, BackendUnavailableError),
        (404, CollectionMissingError),
        (409, AlreadyExistsError),
        (500, BackendUnavailableError),
    ],
)
def test_what_a_status_means(status: int, expected: type[Exception]) -> None:
    asked = server(lambda _: httpx2.Response(status, text="so k3y it is"), key="k3y")
    with pytest.raises(expected) as caught:
        asked.count("id")
    assert "k3y" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "<html>", '{"a": 1}', "[]"])
def test_what_is_no_answer_of_chroma_is_said_to_be_none(text: str) -> None:
    with pytest.raises(BackendUnavailableError, match="no Chroma server"):
        server(lambda _: httpx2.Response(200, text=text)).get("id", include=[])


def test_a_server_that_breaks_off_is_unavailable() -> None:
    def broken(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadError("gone", request=request)

    with pytest.raises(BackendUnavailableError, match="ReadError"):
        server(broken).count("id")


def test_a_server_without_the_api_is_refused() -> None:
    old = httpx2.MockTransport(lambda _: httpx2.Response(404))
    with pytest.raises(UnsupportedError, match="version 2"):
        Server(Address(url="http://chroma.test"), transport=old).collections()


def test_the_key_goes_along_and_the_database_is_no_path() -> None:
    seen: list[httpx2.Request] = []

    def note(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json=3)

    assert server(note, key="k3y").count("id") == 3
    assert seen[0].headers["x-chroma-token"] == "k3y"
    assert seen[0].headers["authorization"] == "Bearer k3y"
    assert b"/databases/a%20b%2Fc/collections/id/count" in seen[0].url.raw_path
    assert "k3y" not in repr(server(note, key="k3y").address)


def test_no_call_writes_more_than_the_server_takes() -> None:
    bodies: list[dict[str, list[str]]] = []

    def note(request: httpx2.Request) -> httpx2.Response:
        bodies.append(json.loads(request.content))
        return httpx2.Response(200, json={})

    ids = ["a", "b", "c"]
    server(note).upsert(
        "id", ids=ids, vectors=np.eye(3, dtype=np.float32), metadatas=[{"n": 1}] * 3
    )
    assert [body["ids"] for body in bodies] == [["a", "b"], ["c"]]
    assert [len(body["embeddings"]) for body in bodies] == [2, 1]


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("", {}, "url"),
        ("chroma.test:8000", {}, "url"),
        ("http://chroma.test", {"colour": "red"}, "options.colour"),
    ],
)
def test_settings_that_are_missing_or_unknown_are_named(
    tmp_path: Path, url: str, options: dict[str, str], said: str
) -> None:
    settings = BackendSettings(name="c", folder=tmp_path, url=url, options=options)
    with pytest.raises(MissingSettingError, match=said):
        ChromaDriver.from_settings(settings)


def test_what_it_cannot_do_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    backend = ChromaDriver.from_settings(
        BackendSettings(name="c", folder=tmp_path, url="http://127.0.0.1:1")
    )
    assert backend.capabilities == CAPABILITIES
    assert backend.alias_target("docs") is None
    wrong = [
        spec(lexical=True),
        dataclasses.replace(spec(), ann=AnnSpec(kind=AnnKind.IVF_FLAT)),
        dataclasses.replace(spec(), ann=AnnSpec(build={"nlist": 1})),
        dataclasses.replace(spec(), ann=AnnSpec(search={"nprobe": 1})),
    ]
    for one in wrong:
        with pytest.raises(UnsupportedError):
            backend.create(one)
