"""Everything that a question finds, page by page, as of one moment that the server keeps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final

from opensearchpy import OpenSearch

from repoint.backends.opensearch.engine import Engine
from repoint.domain.errors import BackendUnavailableError

#: How long the server keeps a scan's moment between two pages.
_KEPT: Final = "5m"

Answered = Mapping[str, object]


def scrolled(
    engine: Engine,
    index: str,
    body: Mapping[str, object],
    *,
    size: int,
    about: str,
    before: Callable[[OpenSearch], object] = lambda _: None,
) -> Iterator[list[dict[str, object]]]:
    """Yield the hits of a search, as many a page as said, in no order."""

    def begin(client: OpenSearch) -> Answered:
        before(client)
        begun: Answered = client.search(
            index=index,
            body={"size": size, "sort": ["_doc"], **body},
            params={"scroll": _KEPT},
        )
        return begun

    answer = engine.run(begin, about=about)
    try:
        while page := _hits(answer):
            yield page
            if len(page) < size:
                return
            answer = engine.run(partial(_following, scroll=answer["_scroll_id"]), about=about)
    finally:
        with contextlib.suppress(BackendUnavailableError):  # it lets go by itself
            engine.run(partial(_let_go, scroll=answer["_scroll_id"]), about=about)


def _following(client: OpenSearch, *, scroll: object) -> Answered:
    page: Answered = client.scroll(body={"scroll_id": scroll, "scroll": _KEPT})
    return page


def _let_go(client: OpenSearch, *, scroll: object) -> None:
    client.clear_scroll(body={"scroll_id": [scroll]}, params={"ignore": 404})


def _hits(answer: Answered) -> list[dict[str, object]]:
    hits = answer["hits"]
    return list(hits["hits"]) if isinstance(hits, dict) else []
