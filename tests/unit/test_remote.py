import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import stamina

from repoint.domain.document import Json
from repoint.domain.errors import MissingModelError
from repoint.remote import RemoteApi, RemoteSettings
from repoint.testing.provider import Provider, Reply
from repoint.wiring.clock import SystemClock


@pytest.fixture
def api() -> Iterator[tuple[RemoteApi, Provider]]:
    with Provider() as provider, stamina.set_testing(True, attempts=3):
        api = RemoteApi(
            model="m",
            url=provider.url,
            api_key_env="",
            clock=SystemClock(),
            settings=RemoteSettings(),
        )
        yield api, provider
        api.close()


def test_threads_may_ask_at_the_same_time(api: tuple[RemoteApi, Provider]) -> None:
    remote, _ = api
    together = threading.Barrier(4, timeout=30)

    def read(answer: Json) -> Json:
        together.wait()  # passes only when four answers are being read at once
        return answer["model"] if isinstance(answer, dict) else None

    bodies: list[dict[str, Json]] = [{"model": str(n), "input": ["x"]} for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(remote.ask, "embeddings", body, read) for body in bodies]
        assert [found.result() for found in asked] == ["0", "1", "2", "3"]


def test_a_redirect_is_not_followed(api: tuple[RemoteApi, Provider]) -> None:
    remote, provider = api
    provider.reply(Reply(status=307, headers={"Location": f"{provider.url}/elsewhere"}))
    with pytest.raises(MissingModelError, match="answers 307"):
        remote.ask("embeddings", {"input": ["x"]}, lambda answer: answer)
    assert [one.path for one in provider.received] == ["/v1/embeddings"]


def test_a_retry_prints_nothing_where_nobody_set_logging_up() -> None:
    handlers = logging.getLogger("stamina").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)
