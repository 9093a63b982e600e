import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Protocol

import numpy as np
import pytest
import stamina

from repoint.domain.document import Json
from repoint.domain.errors import (
    BadSpecError,
    InputRejectedError,
    MissingModelError,
    ProviderAnswerError,
    RateLimitedError,
    UnavailableError,
)
from repoint.domain.spec import ModelSpec
from repoint.embedders.hashing import HashingEmbedder
from repoint.embedders.openai import OpenAIEmbedder
from repoint.ports.backend import FloatMatrix
from repoint.ports.embedder import Purpose
from repoint.remote import RemoteSettings
from repoint.testing.provider import Provider, Reply

SETTINGS = RemoteSettings(attempts=3, timeout=20)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = "sk-secret-7431"


class StandingClock:
    """Time that stands still."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nobody should sleep {seconds} s")


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(dimensions=16) as provider:
        yield provider


class Opener(Protocol):
    def __call__(
        self, settings: RemoteSettings = SETTINGS, /, **changes: object
    ) -> OpenAIEmbedder: ...


@pytest.fixture
def opened(provider: Provider) -> Iterator[Opener]:
    openings: list[OpenAIEmbedder] = []

    def open_(settings: RemoteSettings = SETTINGS, /, **changes: object) -> OpenAIEmbedder:
        model = ModelSpec(provider="openai", name="small", dimensions=16, location=provider.url)
        model = replace(model, **changes)  # type: ignore[arg-type] # fields by name
        embedder = OpenAIEmbedder.open(model, clock=StandingClock(), settings=settings)
        openings.append(embedder)
        return embedder

    yield open_
    for embedder in openings:
        embedder.close()


def answer(data: Json) -> Reply:
    return Reply(body=json.dumps({"data": data}).encode())


def ask(embedder: OpenAIEmbedder, *texts: str) -> FloatMatrix:
    return embedder.embed(texts or ("a text",), purpose=Purpose.DOCUMENT)


@pytest.mark.parametrize("encoding", ["base64", "float"])
def test_vectors_arrive_whole_in_both_encodings_and_in_order(
    opened: Opener, encoding: str
) -> None:
    texts = ["one", "two words", "and three words"]
    expected = HashingEmbedder(dimensions=16).embed(texts, purpose=Purpose.DOCUMENT)
    assert np.array_equal(ask(opened(options={"encoding": encoding}), *texts), expected)


def test_a_long_list_is_split_into_requests(provider: Provider, opened: Opener) -> None:
    texts = [f"text {number}" for number in range(7)]
    found = ask(opened(replace(SETTINGS, batch=3)), *texts)
    assert found.shape == (7, 16)
    assert [one.body["input"] for one in provider.received] == [
        texts[:3],
        texts[3:6],
        texts[6:],
    ]


def test_a_request_stays_below_the_providers_token_limit(
    provider: Provider, opened: Opener
) -> None:
    ask(opened(), "short", "x" * 600_000, "y" * 300_000, "short")
    assert [len(str(one.body["input"])) < 900_000 for one in provider.received] == [True, True]


def test_what_is_sent_is_what_the_options_say(provider: Provider, opened: Opener) -> None:
    embedder = opened(
        options={
            "send_dimensions": True,
            "query_input_type": "search_query",
            "encoding": "float",
        }
    )
    embedder.embed(["q"], purpose=Purpose.QUERY)
    embedder.embed(["d"], purpose=Purpose.DOCUMENT)
    query, document = provider.received
    assert query.path == "/v1/embeddings"
    assert query.body == {
        "model": "small",
        "input": ["q"],
        "encoding_format": "float",
        "dimensions": 16,
        "input_type": "search_query",
    }
    assert "input_type" not in document.body
    assert "authorization" not in query.headers


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(status=500),
        Reply(status=503, headers={"Retry-After": "2"}),
        Reply(status=429, headers={"Retry-After": "1"}),
        Reply(body=b'{"data": [{"index": 0, "embedd'),
        Reply(body=b'{"data": [', cut_off=True),
        answer([]),
        answer([{"index": 0, "embedding": [1.0] * 15}]),
        answer([{"index": 1, "embedding": [1.0] * 16}]),
        answer([{"index": 0, "embedding": [float("nan")] * 16}]),
        answer([{"index": 0, "embedding": "not base64!"}]),
        answer([{"index": 0, "embedding": ["a"] * 16}]),
        answer([{"index": 0}]),
        answer(["embedding"]),
    ],
    ids=lambda reply: f"{reply.status} {reply.body[:40]!r}",
)
def test_trouble_that_passes_is_not_noticed(
    provider: Provider, opened: Opener, trouble: Reply
) -> None:
    provider.reply(trouble, trouble)
    assert ask(opened()).any()
    assert len(provider.received) == 3


@pytest.mark.parametrize(
    ("trouble", "error", "said"),
    [
        (Reply(status=500), UnavailableError, "answers 500"),
        (Reply(status=429), RateLimitedError, "answers 429"),
        (Reply(body=b"{"), ProviderAnswerError, "no JSON"),
        (answer([]), ProviderAnswerError, "0 vectors for 1 texts"),
        (
            answer([{"index": 0, "embedding": [1.0] * 15}]),
            ProviderAnswerError,
            "15 dimensions, not 16",
        ),
    ],
)
def test_trouble_that_stays_is_named_after_the_last_attempt(
    provider: Provider, opened: Opener, trouble: Reply, error: type[Exception], said: str
) -> None:
    provider.reply(trouble, trouble, trouble)
    with pytest.raises(error, match=said):
        ask(opened())
    assert len(provider.received) == 3


@pytest.mark.parametrize(
    "header", ["3600", format_datetime(NOW + timedelta(hours=1), usegmt=True)]
)
def test_a_wait_beyond_patience_is_told_to_the_caller_at_once(
    provider: Provider, opened: Opener, header: str
) -> None:
    provider.reply(Reply(status=429, headers={"Retry-After": header}))
    with pytest.raises(RateLimitedError) as raised:
        ask(opened())
    assert raised.value.retry_after == timedelta(hours=1)
    assert len(provider.received) == 1


@pytest.mark.parametrize("header", ["soon", "", "-5", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_senseless_wait_is_no_wait(provider: Provider, opened: Opener, header: str) -> None:
    provider.reply(Reply(status=429, headers={"Retry-After": header}))
    assert ask(opened()).any()


def test_a_server_that_says_nothing_is_unavailable(provider: Provider, opened: Opener) -> None:
    provider.reply(Reply(stalled=True))
    with pytest.raises(UnavailableError, match=r"did not answer within 0\.05 s"):
        ask(opened(RemoteSettings(attempts=1, timeout=0.05)))


def test_a_server_that_is_not_there_is_unavailable(opened: Opener) -> None:
    with pytest.raises(UnavailableError, match="could not be asked: ConnectError"):
        ask(opened(location="http://127.0.0.1:9/v1"))


@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_input_that_is_refused_is_not_asked_again(
    provider: Provider, opened: Opener, status: int
) -> None:
    provider.reply(Reply(status=status, body=b'{"error": "too long"}'))
    with pytest.raises(InputRejectedError, match="too long"):
        ask(opened())
    assert len(provider.received) == 1


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_a_key_or_model_that_is_refused_is_not_asked_again(
    provider: Provider, opened: Opener, status: int
) -> None:
    provider.reply(Reply(status=status))
    with pytest.raises(MissingModelError, match=f"answers {status}"):
        ask(opened())
    assert len(provider.received) == 1


def test_the_key_comes_from_its_variable_at_each_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_KEY", "old")
    with Provider(dimensions=16, key=KEY) as provider:
        model = ModelSpec(
            provider="openai",
            name="small",
            dimensions=16,
            location=provider.url,
            api_key_env="A_KEY",
        )
        embedder = OpenAIEmbedder.open(model, clock=StandingClock(), settings=SETTINGS)
        with pytest.raises(MissingModelError, match="A_KEY"):
            ask(embedder)
        monkeypatch.setenv("A_KEY", KEY)
        assert ask(embedder).any()
        embedder.close()


def test_the_key_is_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    with Provider(dimensions=16, key="another") as provider:
        model = ModelSpec(
            provider="openai",
            name="small",
            dimensions=16,
            location=provider.url,
            api_key_env="A_KEY",
        )
        embedder = OpenAIEmbedder.open(model, clock=StandingClock(), settings=SETTINGS)
        with pytest.raises(MissingModelError) as raised:
            ask(embedder)
        embedder.close()
    shown = f"{raised.value} {raised.value!r} {raised.value.details()} {raised.value.hint}"
    assert "no such key" in shown
    assert KEY not in shown


def test_a_key_that_is_not_set_is_missed_when_opening(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("A_KEY", raising=False)
    with pytest.raises(MissingModelError, match="export A_KEY="):
        opened(api_key_env="A_KEY")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "name"),
        ({"location": "api.example"}, "location"),
        ({"location": "ftp://example/v1"}, "location"),
        ({"options": {"encoding": "hex"}}, "hex"),
        ({"options": {"dimension": 3}}, "no such option"),
        ({"options": {"native_dimensions": 3}}, "below 16"),
    ],
)
def test_a_spec_that_cannot_work_is_refused_when_opening(
    opened: Opener, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(BadSpecError, match=said):
        opened(**changes)
