"""The release spec: a whole retrieval path, and the fingerprint that identifies it.

Every field here can change an answer, and so is part of the fingerprint, unless its
comment says otherwise. Reading YAML and filling in defaults is ``wiring.spec_file``'s work.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import ClassVar, Final, Protocol, TypeVar, get_args, get_origin, get_type_hints

from repoint.domain.errors import BadSpecError
from repoint.domain.ids import Fingerprint


class Distance(StrEnum):
    """How two vectors are compared."""

    COSINE = "cosine"
    DOT = "dot"
    L2 = "l2"


class Pooling(StrEnum):
    """How token vectors become one text vector."""

    MEAN = "mean"
    CLS = "cls"
    #: The model's output is already one vector a text.
    NONE = "none"


class ChunkUnit(StrEnum):
    """What chunk sizes count."""

    CHARACTERS = "characters"
    TOKENS = "tokens"


class AnnKind(StrEnum):
    """The approximate index."""

    #: The backend's choice once the collection is large enough; exact before.
    AUTO = "auto"
    #: Always exact.
    FLAT = "flat"
    IVF_FLAT = "ivf_flat"
    HNSW = "hnsw"


class Fusion(StrEnum):
    """How vector and lexical rankings become one."""

    #: Reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009).
    RRF = "rrf"
    #: Weighted sum of min-max normalised scores.
    WEIGHTED = "weighted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """Which model makes the vectors, and how its texts and vectors are treated."""

    provider: str
    name: str = ""
    revision: str = ""
    #: SHA-256 over the model's own files; empty for remote models.
    digest: str = ""
    dimensions: int
    normalise: bool = True
    query_prefix: str = ""
    document_prefix: str = ""
    pooling: Pooling = Pooling.MEAN
    max_tokens: int | None = None
    #: Folder, installed package or URL. Not in the fingerprint: the digest, or for remote
    #: models the probes, say what the model is, wherever it lies.
    location: str = ""
    #: Name of the environment variable with the key. Not in the fingerprint.
    api_key_env: str = ""
    #: Money for one million tokens, in ``currency``. Not in the fingerprint.
    price_per_million_tokens: float | None = None
    #: Driver options that decide the vectors, for instance a file's name in a package.
    options: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSpec:
    """How a document's title and text become the text that is chunked."""

    #: ``{title}`` and ``{text}`` are replaced; surrounding blank space is stripped.
    template: str = "{title}\n{text}"
    #: Names of steps, applied in order: see ``repoint.text``.
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkingSpec:
    """How a prepared text is cut; size None keeps it whole."""

    size: int | None = None
    overlap: int = 0
    unit: ChunkUnit = ChunkUnit.CHARACTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnSpec:
    """The approximate index and its parameters (names are the backend's own)."""

    kind: AnnKind = AnnKind.AUTO
    build: Mapping[str, int | float] = field(default_factory=dict)
    search: Mapping[str, int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridSpec:
    """How lexical search joins in."""

    fusion: Fusion = Fusion.RRF
    vector_weight: float = 1.0
    lexical_weight: float = 1.0
    #: Reciprocal rank fusion's constant.
    rrf_k: int = 60
    #: How many hits each side gives to the fusion.
    candidates: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankSpec:
    """Which reranker puts the first candidates in order."""

    provider: str
    name: str = ""
    candidates: int = 50
    options: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSpec:
    """The prompt that a RAG application fills with the hits.

    It is carried; only an evaluation that has answers made fills it (``domain.prompt``).
    """

    template: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSpec:
    """An immutable spec of a whole retrieval path."""

    model: ModelSpec
    text: TextSpec = field(default_factory=TextSpec)
    chunking: ChunkingSpec = field(default_factory=ChunkingSpec)
    distance: Distance = Distance.COSINE
    ann: AnnSpec = field(default_factory=AnnSpec)
    #: None searches by vectors alone.
    hybrid: HybridSpec | None = None
    #: Hits with a lower score are left out; None keeps all.
    min_score: float | None = None
    rerank: RerankSpec | None = None
    prompt: PromptSpec | None = None
    backend: str = "lancedb"
    #: Versions of the libraries that decide text: ``{"unicodedata": "14.0.0"}``.
    libraries: Mapping[str, str] = field(default_factory=dict)

    def fingerprint(self) -> Fingerprint:
        """Return SHA-256 over everything that can change an answer."""
        tree = as_tree(self)
        model = tree["model"]
        if isinstance(model, dict):
            for name in NOT_FINGERPRINTED:
                del model[name]
        canonical = json.dumps(tree, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return Fingerprint(hashlib.sha256(canonical.encode()).hexdigest())


#: Fields of the model that say where it is and what it costs, not what it answers.
NOT_FINGERPRINTED: Final = ("location", "api_key_env", "price_per_million_tokens")


def as_tree(spec: ReleaseSpec) -> dict[str, object]:
    """Return the spec as plain values for JSON and YAML, every default written out."""
    return {f.name: _plain(getattr(spec, f.name)) for f in dataclasses.fields(spec)}


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, StrEnum):
        return value.value
    return value


def from_tree(tree: Mapping[str, object], *, source: str = "spec") -> ReleaseSpec:
    """Return the spec that ``as_tree`` gave; a field that is not in the tree has its default.

    Values are kept as they stand, so the fingerprint stays the same.

    Raises:
        BadSpecError: a field is unknown, missing or of another kind; it names ``source``.
    """
    return _built(ReleaseSpec, tree, at="", source=source)


class _Fields(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[object]]]


_T = TypeVar("_T", bound=_Fields)


def _built(kind: type[_T], tree: object, *, at: str, source: str) -> _T:
    if not isinstance(tree, Mapping):
        raise BadSpecError(source=source, field=at, why="must be a group of fields")
    prefix = f"{at}." if at else ""
    known = {f.name: f for f in dataclasses.fields(kind)}
    for name in tree:
        if name not in known:
            raise BadSpecError(
                source=source,
                field=f"{prefix}{name}",
                why="there is no such field",
                hint=f"known: {', '.join(known)}",
            )
    for name, f in known.items():
        if name not in tree and _is_required(f):
            raise BadSpecError(source=source, field=f"{prefix}{name}", why="is missing")
    hints = _hints(kind)
    return kind(
        **{
            name: _value(hints[name], value, at=f"{prefix}{name}", source=source)
            for name, value in tree.items()
        }
    )


@cache
def _hints(kind: type) -> Mapping[str, object]:
    return get_type_hints(kind)  # evaluates every annotation anew: a millisecond a spec


def _value(hint: object, value: object, *, at: str, source: str) -> object:
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if value is None and NoneType in options:
        return None
    for option in options:
        if dataclasses.is_dataclass(option) and isinstance(option, type):
            return _built(option, value, at=at, source=source)
        if isinstance(option, type) and issubclass(option, StrEnum):
            return _member(option, value, at=at, source=source)
        if get_origin(option) is tuple and isinstance(value, list | tuple):
            return tuple(value)
        if get_origin(option) is Mapping and isinstance(value, Mapping):
            return dict(value)
        if isinstance(option, type) and _fits(option, value):
            return value
    raise BadSpecError(source=source, field=at, why=f"{value!r} is of another kind")


def _member(kind: type[StrEnum], value: object, *, at: str, source: str) -> StrEnum:
    for member in kind:
        if value == member.value:
            return member
    choices = ", ".join(kind)
    raise BadSpecError(source=source, field=at, why=f"{value!r} is none of: {choices}")


def _is_required(field_: dataclasses.Field[object]) -> bool:
    missing = dataclasses.MISSING
    return field_.default is missing and field_.default_factory is missing


def _fits(kind: type, value: object) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, kind) or (kind is float and isinstance(value, int))
