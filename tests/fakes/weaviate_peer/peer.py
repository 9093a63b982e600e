"""The FAKE Weaviate as a context: while it is entered, both of its doors are open."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Final, Self

import grpc
from tests.fakes.weaviate_peer.access import Access
from tests.fakes.weaviate_peer.objects import Objects
from tests.fakes.weaviate_peer.schema import Schema
from tests.fakes.weaviate_peer.shelves import Shelves
from weaviate import WeaviateClient
from weaviate.classes.init import AdditionalConfig, Auth, Timeout
from weaviate.proto.v1 import weaviate_pb2_grpc

from repoint.backends.weaviate.backend import WeaviateBackend
from repoint.backends.weaviate.engine import Address
from repoint.ports.settings import BackendSettings

#: Seconds that only a broken peer lets pass.
PATIENCE_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who answers."""

    url: str
    grpc: str
    key: str = ""

    def backend(self, **options: str | int) -> WeaviateBackend:
        return WeaviateBackend.from_settings(
            BackendSettings(
                name="w",
                folder=Path(),
                url=self.url,
                api_key=self.key,
                options={"grpc": self.grpc, **options},
            )
        )

    def client(self) -> WeaviateClient:
        """Return what a colleague has who does not go through repoint."""
        return WeaviateClient(
            Address.of(self.url, grpc_url=self.grpc, backend="w").parameters(),
            auth_client_secret=Auth.api_key(self.key) if self.key else None,
            additional_config=AdditionalConfig(
                timeout=Timeout(query=PATIENCE_S, insert=PATIENCE_S, init=PATIENCE_S)
            ),
            skip_init_checks=True,
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class FakeWeaviate:
    """No Weaviate; see the package for how it differs. It listens on this machine alone."""

    def __init__(self, *, key: str = "", version: str = "1.39.0") -> None:
        self.shelves = Shelves()
        self.access, self._version = Access(key=key), version
        self.url = self.grpc_url = ""

    def __enter__(self) -> Self:
        schema = type(
            "ThisSchema",
            (Schema,),
            {"shelves": self.shelves, "access": self.access, "version": self._version},
        )
        self._http = _Server(("127.0.0.1", 0), schema)
        self._thread = Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        self._grpc = grpc.server(ThreadPoolExecutor(max_workers=8))
        service = Objects(self.shelves, access=self.access)
        weaviate_pb2_grpc.add_WeaviateServicer_to_server(service, self._grpc)  # type: ignore[no-untyped-call]
        port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self.grpc_url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._grpc.stop(None).wait()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
