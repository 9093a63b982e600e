"""A real server over loopback, on a workspace of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx2
import pytest

from repoint import Repoint
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.http.server import RouteServer
from repoint.operations.promote import PromoteOptions, PromoteReport
from repoint.wiring.api_keys import digest
from repoint.wiring.config import CONFIG_FILE

SHOP_KEY: Final = "rpk_" + "5" * 64
OTHER_KEY: Final = "rpk_" + "7" * 64
#: Seconds that only a broken server lets pass.
ENOUGH_S: Final = 60.0


class Site:
    """A workspace whose v1 answers and whose v2 may, and its server."""

    def __init__(
        self,
        home: Path,
        *,
        config: str = "",
        most_waiting: int = 1000,
        most_pushes: int = 4,
        push_bytes: int = 33_554_432,
    ) -> None:
        Repoint.init(home).close()
        file = home / CONFIG_FILE
        written = file.read_text(encoding="utf-8")
        bounded = written.replace("most_waiting = 1000", f"most_waiting = {most_waiting}")
        bounded = bounded.replace("most_pushes = 4", f"most_pushes = {most_pushes}")
        bounded = bounded.replace("push_bytes = 33554432", f"push_bytes = {push_bytes}")
        file.write_text(bounded + config, encoding="utf-8")
        self.repoint = Repoint.open(home, actor="ana")
        self.docs = self.repoint.create_index("docs")
        self.docs.upsert({"id": f"d{n}", "text": f"document {n}"} for n in range(5))
        for name, dimensions in (("v1", 16), ("v2", 8)):
            model = ModelSpec(provider="hashing", dimensions=dimensions)
            self.docs.create_release(name, ReleaseSpec(model=model, backend="memory"))
            self.docs.sync(name)
            if name == "v1":
                self.docs.promote(name)
        self.server = RouteServer(
            self.repoint.workspace, host="127.0.0.1", port=0, program="repoint serve"
        )
        self.server.start()

    @property
    def url(self) -> str:
        """Where the route is."""
        return f"{self.server.url}/v1/indexes/docs/route"

    def promote(self, *, ack_s: float = ENOUGH_S) -> PromoteReport:
        """Let v2 answer."""
        options = PromoteOptions(
            without_evaluation="a test", ack_timeout=timedelta(seconds=ack_s)
        )
        return self.docs.promote("v2", options=options)

    def served(self) -> dict[str, int]:
        """Return who serves, and at which epoch."""
        return {
            one.program: one.serves[one_index]
            for one in self.docs.status().processes
            for one_index in one.serves
        }

    def close(self) -> None:
        """End the server, then the rest."""
        self.server.stop()
        self.repoint.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Site]:
    """A server that two keys open."""
    made = Site(
        tmp_path / "home",
        config=f'[http_keys]\nshop = "{digest(SHOP_KEY)}"\nother = "{digest(OTHER_KEY)}"\n',
    )
    yield made
    made.close()


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(timeout=ENOUGH_S) as made:
        yield made


def until(holds: Callable[[], bool], *, seconds: float = ENOUGH_S) -> None:
    """Return once it holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.005)  # noqa: TID251 - a real server takes real time, and the processor
