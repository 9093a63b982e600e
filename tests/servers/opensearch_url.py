"""The server that ``REPOINT_OPENSEARCH_URL`` names; what the tests make there is deleted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

URL = os.environ.get("REPOINT_OPENSEARCH_URL", "")
#: Indices that tests make as a team would.
TEAMS = "articles*"


def empty(client: OpenSearch) -> None:
    """Delete what repoint made there, and the teams' indices."""
    for index, found in client.indices.get_mapping(index="*").items():
        if "repoint" in found["mappings"].get("_meta", {}):
            client.indices.delete(index=index)
    for index in client.indices.get(index=TEAMS, params={"expand_wildcards": "all"}):
        client.indices.delete(index=index)


@contextmanager
def opened_server() -> Iterator[tuple[OpenSearch, str]]:
    """Open a client of the server, which is emptied before and after."""
    library = pytest.importorskip("opensearchpy", reason="run it with: make servers-test")
    if not URL:
        pytest.skip("no server: REPOINT_OPENSEARCH_URL is not set")
    client = library.OpenSearch(URL, timeout=60)
    empty(client)
    yield client, URL
    empty(client)
    client.close()
