"""The FAKE Weaviate as a context: while it is entered, both of its doors are open."""

from concurrent.futures import ThreadPoolExecutor
from http.server import ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self

import grpc
from tests.fakes.weaviate_peer.objects import Objects
from tests.fakes.weaviate_peer.schema import Schema
from tests.fakes.weaviate_peer.shelves import Shelves
from weaviate.proto.v1 import weaviate_pb2_grpc


class FakeWeaviate:
    """No Weaviate; see the package for how it differs. It listens on this machine alone."""

    def __init__(self, *, key: str = "", version: str = "1.39.0") -> None:
        self.shelves = Shelves()
        self._key, self._version = key, version
        self.url = self.grpc_url = ""

    def __enter__(self) -> Self:
        schema = type(
            "ThisSchema",
            (Schema,),
            {"shelves": self.shelves, "key": self._key, "version": self._version},
        )
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), schema)
        self._http.daemon_threads = True
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self._grpc = grpc.server(ThreadPoolExecutor(max_workers=8))
        service = Objects(self.shelves, key=self._key)
        weaviate_pb2_grpc.add_WeaviateServicer_to_server(service, self._grpc)
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
