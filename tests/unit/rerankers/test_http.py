import json
from collections.abc import Iterator

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
from repoint.domain.spec import RerankSpec
from repoint.remote import RemoteSettings
from repoint.rerankers.http import HttpReranker
from repoint.rerankers.lexical import LexicalReranker
from repoint.testing.provider import Provider, Reply
from repoint.wiring.clock import SystemClock

TEXTS = ["the storm closed the harbour", "a recipe for bread", "storm and storm again"]


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def reranker(provider: Provider) -> Iterator[HttpReranker]:
    spec = RerankSpec(provider="http", name="cross-1", options={"url": provider.url})
    reranker = HttpReranker.open(spec, clock=SystemClock(), settings=RemoteSettings())
    yield reranker
    reranker.close()


def reply(answer: Json, status: int = 200) -> Reply:
    return Reply(status=status, body=json.dumps(answer).encode())


def test_scores_stand_in_the_order_of_the_texts(
    provider: Provider, reranker: HttpReranker
) -> None:
    assert reranker.score("storm", TEXTS) == LexicalReranker().score("storm", TEXTS)
    assert provider.received[0].path == "/v1/rerank"
    assert provider.received[0].body == {
        "model": "cross-1",
        "query": "storm",
        "documents": TEXTS,
        "top_n": 3,
    }


def test_no_texts_are_not_sent(provider: Provider, reranker: HttpReranker) -> None:
    assert reranker.score("storm", []) == []
    assert provider.received == []


def test_a_bare_list_with_scores_is_understood(
    provider: Provider, reranker: HttpReranker
) -> None:
    provider.reply(reply([{"index": 1, "score": 2}, {"index": 0, "score": 1.5}]))
    assert reranker.score("q", ["a", "b"]) == [1.5, 2.0]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"results": []},
        {"results": [{"index": 0, "relevance_score": 1}, {"index": 0, "relevance_score": 1}]},
        {"results": [{"index": 0, "relevance_score": 1}, {"index": 2, "relevance_score": 1}]},
        {"results": [{"index": 0, "relevance_score": 1}, {"index": 1}]},
        {"results": [{"index": 0, "relevance_score": 1}, {"index": 1, "score": float("nan")}]},
        {"results": ["x", "y"]},
    ],
    ids=str,
)
def test_an_answer_that_is_not_one_score_a_text_is_no_answer(
    provider: Provider, reranker: HttpReranker, answer: Json
) -> None:
    provider.reply(reply(answer), reply(answer))
    with pytest.raises(ProviderAnswerError):
        reranker.score("q", ["a", "b"])


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InputRejectedError),
        (401, MissingModelError),
        (429, RateLimitedError),
        (502, UnavailableError),
    ],
)
def test_a_status_means_what_it_means_everywhere(
    provider: Provider, reranker: HttpReranker, status: int, error: type[Exception]
) -> None:
    provider.reply(reply({}, status), reply({}, status))
    with pytest.raises(error):
        reranker.score("q", ["a"])


def test_a_spec_without_a_url_is_refused() -> None:
    with pytest.raises(BadSpecError):
        HttpReranker.open(RerankSpec(provider="http"), clock=SystemClock())
