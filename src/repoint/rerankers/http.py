"""Any server that speaks the common ``/rerank``: Cohere, Jina, Voyage, vLLM, TEI and others."""

from __future__ import annotations

from collections.abc import Sequence

from repoint.domain.document import Json
from repoint.domain.options import Options
from repoint.domain.spec import RerankSpec
from repoint.ports.clock import Clock
from repoint.remote import RemoteApi, RemoteSettings


class HttpReranker:
    """A cross-encoder behind a server."""

    def __init__(self, spec: RerankSpec, *, api: RemoteApi, path: str) -> None:
        self._spec = spec
        self._api = api
        self._path = path

    @classmethod
    def open(
        cls, spec: RerankSpec, *, clock: Clock, settings: RemoteSettings | None = None
    ) -> HttpReranker:
        """Return the reranker that the spec describes; nothing is asked yet.

        Options: ``url``, the base URL; ``path``, ``rerank`` unless given; ``api_key_env``,
        the name of the variable with the key.

        Raises:
            BadSpecError: an option is unknown or wrong, or there is no URL.
            MissingModelError: the variable for the key is not set.
        """
        name = spec.name or "rerank"
        options = Options(spec.options, source=f"reranker {name}")
        url, path = options.text("url"), options.text("path", "rerank")
        key_env = options.text("api_key_env")
        options.finish()
        api = RemoteApi(
            model=name,
            url=url,
            api_key_env=key_env,
            clock=clock,
            settings=settings or RemoteSettings(),
        )
        return cls(spec, api=api, path=path)

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return one score a text, in order; higher is better.

        Raises:
            InputRejectedError: the server will never take these texts.
            UnavailableError: no usable answer; ask again.
        """
        if not texts:
            return []
        body: dict[str, Json] = {"query": query, "documents": [*texts], "top_n": len(texts)}
        if self._spec.name:
            body["model"] = self._spec.name
        return self._api.ask(self._path, body, lambda answer: self._read(answer, len(texts)))

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _read(self, answer: Json, size: int) -> list[float]:
        items = answer.get("results") if isinstance(answer, dict) else answer
        if not isinstance(items, list) or len(items) != size:
            found = len(items) if isinstance(items, list) else "no"
            raise self._api.unusable(f"{found} scores for {size} texts")
        scores: dict[int, float] = {}
        for item in items:
            fields = item if isinstance(item, dict) else {}
            place, score = (
                fields.get("index"),
                fields.get("relevance_score", fields.get("score")),
            )
            if not isinstance(place, int) or not 0 <= place < size or place in scores:
                raise self._api.unusable(f"index {place!r} does not fit {size} texts")
            # A score that is not itself, NaN, would sort anywhere.
            if not isinstance(score, int | float) or score != score:  # noqa: PLR0124 - NaN
                raise self._api.unusable(f"{score!r} is no score")
            scores[place] = float(score)
        return [scores[place] for place in range(size)]
