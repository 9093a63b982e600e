"""Any server that speaks OpenAI's ``/embeddings``: OpenAI, vLLM, TEI, Ollama and others."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import numpy as np

from repoint.domain.document import Json
from repoint.domain.errors import BadSpecError
from repoint.domain.options import Options
from repoint.domain.spec import ModelSpec
from repoint.ports.backend import FloatMatrix, FloatVector
from repoint.ports.clock import Clock
from repoint.ports.embedder import EmbedderTraits, Purpose
from repoint.remote import RemoteApi, RemoteSettings

_DEFAULT_URL: Final = "https://api.openai.com/v1"
_DEFAULT_KEY: Final = "OPENAI_API_KEY"
#: A token of English is about four bytes; enough for estimates and for batch limits.
_BYTES_A_TOKEN: Final = 4
#: Providers bound a whole request too (OpenAI: 300,000 tokens).
_REQUEST_TOKENS: Final = 200_000
_ENCODINGS: Final = ("base64", "float")


class OpenAIEmbedder:
    """A model behind an OpenAI-compatible server."""

    def __init__(
        self,
        model: ModelSpec,
        *,
        api: RemoteApi,
        settings: RemoteSettings,
        fixed: dict[str, Json],
        width: int,
        input_types: dict[Purpose, str],
    ) -> None:
        self._model = model
        self._api = api
        self._settings = settings
        self._fixed = fixed
        self._width = width
        self._input_types = input_types

    @classmethod
    def open(
        cls, model: ModelSpec, *, clock: Clock, settings: RemoteSettings | None = None
    ) -> OpenAIEmbedder:
        """Return the embedder that the spec describes; nothing is asked yet.

        ``location`` is the base URL, with ``/v1`` where the server has it. Options:
        ``send_dimensions`` asks the provider to shorten its vectors; ``encoding`` is
        ``base64`` or ``float``; ``native_dimensions`` is the length of what the server
        sends where ``truncate`` cuts it; ``document_input_type`` and ``query_input_type``
        are sent as ``input_type`` to providers that tell the two apart.

        Raises:
            BadSpecError: an option is unknown or wrong, or the model has no name.
            MissingModelError: the variable for the key is not set.
        """
        source = f"model {model.name or 'openai'}"
        if not model.name:
            raise BadSpecError(source=source, field="name", why="the provider needs it")
        options = Options(model.options, source=source)
        send_dimensions = options.flag("send_dimensions", default=False)
        encoding = options.text("encoding", "base64")
        width = options.integer("native_dimensions", model.dimensions, least=model.dimensions)
        options.flag("truncate", default=False)  # read by operations.embedding
        types = {
            Purpose.DOCUMENT: options.text("document_input_type"),
            Purpose.QUERY: options.text("query_input_type"),
        }
        options.finish()
        if encoding not in _ENCODINGS:
            why = f"{encoding!r} is not among {', '.join(_ENCODINGS)}"
            raise BadSpecError(source=source, field="options.encoding", why=why)
        fixed: dict[str, Json] = {"model": model.name, "encoding_format": encoding}
        if send_dimensions:
            fixed["dimensions"] = model.dimensions
        settings = settings or RemoteSettings()
        api = RemoteApi(
            model=model.name,
            url=model.location or _DEFAULT_URL,
            # A server of one's own may need no key; OpenAI itself always does.
            api_key_env=model.api_key_env or ("" if model.location else _DEFAULT_KEY),
            clock=clock,
            settings=settings,
        )
        return cls(
            model, api=api, settings=settings, fixed=fixed, width=width, input_types=types
        )

    @property
    def dimensions(self) -> int:
        """What the spec says the server sends; each answer is held to it."""
        return self._width

    @property
    def revision(self) -> str:
        """The provider's name for the model; what answers under it, only probes can tell."""
        return self._model.revision or self._model.name

    @property
    def traits(self) -> EmbedderTraits:
        """Remote: other requests share its batches, so bits vary."""
        settings = self._settings
        return EmbedderTraits(
            batch=settings.batch, parallel=settings.parallel, remote=True, bit_stable=False
        )

    def tokenizer(self, text: str) -> int:
        """Return an estimate of the tokens, where chunks are measured in them."""
        return _tokens(text)

    def embed(self, texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        """Return one row a text, in order, in as many requests as the limits need."""
        rows = np.empty((len(texts), self._width), dtype=np.float32)
        for span in self._requests(texts):
            part = list(texts[span.start : span.stop])
            body: dict[str, Json] = {**self._fixed, "input": [*part]}
            if self._input_types[purpose]:
                body["input_type"] = self._input_types[purpose]
            rows[span.start : span.stop] = self._api.ask(
                "embeddings", body, partial(self._read, size=len(part))
            )
        return rows

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return an estimate: a token for every four bytes."""
        return [_tokens(text) for text in texts]

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _requests(self, texts: Sequence[str]) -> Iterator[range]:
        start, tokens = 0, 0
        for place, text in enumerate(texts):
            more = _tokens(text)
            full = place - start == self._settings.batch or tokens + more > _REQUEST_TOKENS
            if full and place > start:
                yield range(start, place)
                start, tokens = place, 0
            tokens += more
        if start < len(texts):
            yield range(start, len(texts))

    def _read(self, answer: Json, size: int) -> FloatMatrix:
        items = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(items, list) or len(items) != size:
            found = len(items) if isinstance(items, list) else "no"
            raise self._api.unusable(f"{found} vectors for {size} texts")
        rows = np.empty((size, self._width), dtype=np.float32)
        filled: set[int] = set()
        for position, item in enumerate(items):
            if not isinstance(item, dict):
                raise self._api.unusable("an item of data is no object")
            place = item.get("index", position)
            if not isinstance(place, int) or place in filled or not 0 <= place < size:
                raise self._api.unusable(f"index {place!r} does not fit {size} texts")
            filled.add(place)
            rows[place] = self._vector(item.get("embedding"))
        return rows

    def _vector(self, given: Json) -> FloatVector:
        try:
            if isinstance(given, str):
                found = np.frombuffer(base64.b64decode(given, validate=True), dtype="<f4")
            elif isinstance(given, list):
                found = np.array(given, dtype=np.float32)
            else:
                raise self._api.unusable("an item of data has no embedding")
        except (ValueError, TypeError, binascii.Error) as error:
            raise self._api.unusable("an embedding is no list of numbers") from error
        if found.shape != (self._width,):
            raise self._api.unusable(f"a vector of {found.size} dimensions, not {self._width}")
        if not np.isfinite(found).all():
            raise self._api.unusable("a vector that is not finite")
        return found.astype(np.float32)


def _tokens(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_A_TOKEN)
