"""Which drivers there are, and opening them by what a spec says.

Built-in drivers are named here; others announce themselves as entry points in the groups
``repoint.backends``, ``repoint.embedders`` and ``repoint.rerankers``. Nothing is imported
before it is asked for.
"""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol, cast

from repoint.domain.errors import NotFoundError, RepointError, UnsupportedError
from repoint.domain.ids import IndexName
from repoint.domain.spec import ChunkUnit, ModelSpec, ReleaseSpec, RerankSpec
from repoint.ports.backend import Backend
from repoint.ports.clock import Clock
from repoint.ports.embedder import Embedder
from repoint.ports.reranker import Reranker
from repoint.ports.settings import BackendSettings
from repoint.ports.text import Preparer
from repoint.wiring.backends import KnownBackend, redacted, settings_of
from repoint.wiring.config import BackendConfig

BACKENDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "memory": "repoint.backends.memory:MemoryBackend",
        "lancedb": "repoint.backends.lancedb:LanceDriver",
        "pgvector": "repoint.backends.pgvector:PgvectorDriver",
        "qdrant": "repoint.backends.qdrant:QdrantDriver",
        "opensearch": "repoint.backends.opensearch:OpenSearchDriver",
        "milvus": "repoint.backends.milvus:MilvusDriver",
        "chroma": "repoint.backends.chroma:ChromaDriver",
        "weaviate": "repoint.backends.weaviate:WeaviateDriver",
    }
)
EMBEDDERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hashing": "repoint.embedders.hashing:HashingEmbedder",
        "onnx": "repoint.embedders.onnx:OnnxEmbedder",
        "static": "repoint.embedders.static:StaticEmbedder",
        "openai": "repoint.embedders.openai:OpenAIEmbedder",
    }
)
RERANKERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "lexical": "repoint.rerankers.lexical:LexicalReranker",
        "http": "repoint.rerankers.http:HttpReranker",
    }
)


class BackendDriver(Protocol):
    """A class whose instances are backends, each in a folder of the workspace.

    Called, not opened: a backend's own ``open`` opens a collection.
    """

    def __call__(self, folder: Path, /) -> Backend:
        """Open it."""
        ...


class ConfiguredBackendDriver(Protocol):
    """A class that also takes what the workspace says about its backend."""

    def from_settings(self, settings: BackendSettings, /) -> Backend:
        """Open it, connecting to nothing before it is used."""
        ...


class EmbedderDriver(Protocol):
    """A class that opens an embedding model."""

    def open(self, model: ModelSpec, *, clock: Clock) -> Embedder:
        """Open the model that the spec describes."""
        ...


class RerankerDriver(Protocol):
    """A class that opens a reranker."""

    def open(self, spec: RerankSpec, *, clock: Clock) -> Reranker:
        """Open the reranker that the spec describes."""
        ...


class InstalledDrivers:
    """Opens each driver once. Safe to use from many threads."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock,
        configured: Mapping[str, BackendConfig] | None = None,
    ) -> None:
        self._folder = folder
        self._configured = dict(configured or {})
        self._clock = clock
        self._lock = threading.Lock()
        self._backends: dict[str, Backend] = {}
        self._embedders: dict[str, Embedder] = {}
        self._rerankers: dict[str, Reranker] = {}

    def backend(self, name: str) -> Backend:
        """Return the backend of that name: a configured one, else the kind of that name."""
        with self._lock:
            if name not in self._backends:
                self._backends[name] = self._opened(name)
            return self._backends[name]

    def alias(self, backend: str, index: IndexName) -> str:
        """Return the name that the backend's database has for an index."""
        config = self._configured.get(backend)
        return f"{config.alias_prefix if config else ''}{index}"

    def backends(self) -> list[KnownBackend]:
        """Return every backend that a spec may name: configured ones, then other kinds."""
        others = sorted(set(names("backend")) - set(self._configured))
        return [self._known(name) for name in (*sorted(self._configured), *others)]

    def _known(self, name: str) -> KnownBackend:
        config = self._configured.get(name)
        capabilities, problem = None, None
        try:
            capabilities = self.backend(name).capabilities
        except RepointError as error:
            problem = error
        return KnownBackend(
            name=name,
            kind=config.kind if config else name,
            configured=config is not None,
            url=redacted(config.url) if config else "",
            alias_prefix=config.alias_prefix if config else "",
            capabilities=capabilities,
            problem=problem,
        )

    def _opened(self, name: str) -> Backend:
        config = self._configured.get(name)
        kind = config.kind if config else name
        driver = _load("backend", kind, BACKENDS)
        settings = settings_of(name, config, folder=self._folder / name)
        if hasattr(driver, "from_settings"):
            return cast("ConfiguredBackendDriver", driver).from_settings(settings)
        if config is not None and (config.url or config.url_env or config.options):
            raise UnsupportedError(
                driver=kind,
                what=f"the settings of [backends.{name}]",
                hint="it takes its folder in the workspace, and nothing else",
            )
        return cast("BackendDriver", driver)(settings.folder)

    def embedder(self, model: ModelSpec) -> Embedder:
        """Return the model, opened."""
        key = _key(asdict(model))
        with self._lock:
            if key not in self._embedders:
                driver = cast("EmbedderDriver", _load("provider", model.provider, EMBEDDERS))
                self._embedders[key] = driver.open(model, clock=self._clock)
            return self._embedders[key]

    def open_once(self, model: ModelSpec) -> Embedder:
        """Return the model, opened for the caller, who closes it."""
        driver = cast("EmbedderDriver", _load("provider", model.provider, EMBEDDERS))
        return driver.open(model, clock=self._clock)

    def reranker(self, spec: RerankSpec) -> Reranker:
        """Return the reranker, opened."""
        key = _key(asdict(spec))
        with self._lock:
            if key not in self._rerankers:
                driver = cast("RerankerDriver", _load("reranker", spec.provider, RERANKERS))
                self._rerankers[key] = driver.open(spec, clock=self._clock)
            return self._rerankers[key]

    def preparer(self, spec: ReleaseSpec) -> Preparer:
        """Return the release's preprocessing and chunking."""
        from repoint.text.preparation import Preparation  # noqa: PLC0415 - loads the splitter

        tokenizer = None
        if spec.chunking.unit is ChunkUnit.TOKENS and spec.chunking.size is not None:
            tokenizer = getattr(self.embedder(spec.model), "tokenizer", None)
        return Preparation.of(spec, tokenizer=tokenizer)

    def close(self) -> None:
        """Close every driver that was opened."""
        with self._lock:
            for backend in self._backends.values():
                backend.close()
            for embedder in self._embedders.values():
                embedder.close()
            for reranker in self._rerankers.values():
                reranker.close()
            self._backends.clear()
            self._embedders.clear()
            self._rerankers.clear()


def names(what: str) -> list[str]:
    """Return the names of all drivers of a kind: ``backend``, ``provider``, ``reranker``."""
    return sorted({*_KINDS[what][1], *(point.name for point in _announced(what))})


_KINDS: Final = MappingProxyType(
    {
        "backend": ("repoint.backends", BACKENDS),
        "provider": ("repoint.embedders", EMBEDDERS),
        "reranker": ("repoint.rerankers", RERANKERS),
    }
)


def _announced(what: str) -> list[_EntryPoint]:
    return [cast("_EntryPoint", point) for point in entry_points(group=_KINDS[what][0])]


class _EntryPoint(Protocol):
    name: str
    load: Callable[[], object]


def _load(what: str, name: str, built_in: Mapping[str, str]) -> object:
    if name in built_in:
        module, _, attribute = built_in[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    for point in _announced(what):
        if point.name == name:
            return point.load()
    raise NotFoundError(what=what, name=name, known=names(what))


def _key(tree: Mapping[str, object]) -> str:
    return json.dumps(tree, sort_keys=True, default=str)
