"""The written form of a release spec: which keys there are, what they take, what they mean.

Pydantic checks at the edge; past it only the domain's dataclasses are used. The defaults
here equal those of ``domain.spec``, and a test compares them.
"""

from __future__ import annotations

from typing import Annotated, Final, Self, TypeAlias, get_args
from urllib.parse import parse_qsl, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from repoint.domain.spec import (
    AnnKind,
    AnnSpec,
    ChunkingSpec,
    ChunkUnit,
    Distance,
    Fusion,
    HybridSpec,
    ModelSpec,
    Pooling,
    PromptSpec,
    ReleaseSpec,
    RerankSpec,
    TextSpec,
)
from repoint.text.steps import STEPS

Option: TypeAlias = str | int | float | bool
Name: TypeAlias = Annotated[str, Field(min_length=1)]
#: In the name of a URL's parameter: its value is a secret.
_SECRETS: Final = ("key", "token", "secret", "password", "signature")


def _without_secret(location: str) -> str:
    """Refuse a URL with a password or key: a spec is stored, shown and kept as evidence."""
    parts = urlsplit(location)
    names = [name.lower() for name, _ in parse_qsl(parts.query)]
    if parts.password or any(word in name for name in names for word in _SECRETS):
        message = (
            "a spec is stored and shown, so no password or key may stand in it; name an "
            "environment variable in api_key_env"
        )
        raise ValueError(message)
    return location


Location: TypeAlias = Annotated[str, AfterValidator(_without_secret)]


class Section(BaseModel):
    """A part of a spec file: unknown keys and values of another type are refused."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        protected_namespaces=(),
    )


def section_of(field: FieldInfo) -> type[Section] | None:
    """Return the section that a field holds, None when it holds a value."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind
    return None


class ModelSection(Section):
    """Which model makes the vectors, and how its texts and vectors are treated."""

    provider: Name = Field(description="The kind of driver: `hashing`, `onnx`, `openai` …")
    name: str = Field("", description="The model's name at its provider")
    revision: str = Field("", description="Which version of the model, where it has any")
    digest: str = Field(
        "",
        pattern="^([0-9a-f]{64})?$",
        description="SHA-256 over the model's own files; filled in when the release is made",
    )
    dimensions: int = Field(
        0,
        ge=0,
        le=65_536,
        description=(
            "Length of the vectors; needed for `hashing`, else 0 or left out asks the model"
        ),
    )
    normalise: bool = Field(True, description="Whether vectors are given the length 1")  # noqa: FBT003  # pydantic takes the default first
    query_prefix: str = Field("", description="Put before every question")
    document_prefix: str = Field("", description="Put before every chunk")
    pooling: Pooling = Field(
        Pooling.MEAN, strict=False, description="How token vectors become one text vector"
    )
    max_tokens: int | None = Field(
        None, ge=1, description="Tokens after which a text is cut; null asks the model"
    )
    location: Location = Field(
        "", description="Folder, installed package or URL; not in the fingerprint"
    )
    api_key_env: str = Field(
        "",
        pattern="^([A-Za-z_][A-Za-z0-9_]*)?$",
        max_length=128,
        description="Name of the environment variable with the key; not in the fingerprint",
    )
    price_per_million_tokens: float | None = Field(
        None, ge=0, description="Money for a million tokens; not in the fingerprint"
    )
    options: dict[str, Option] = Field(
        default_factory=dict, description="The driver's own options that decide the vectors"
    )

    @model_validator(mode="after")
    def _dimensions_are_known(self) -> Self:
        if self.provider == "hashing" and not self.dimensions:
            message = "the provider hashing needs dimensions, for instance 64"
            raise ValueError(message)
        return self


class TextSection(Section):
    """How a document's title and text become the text that is chunked."""

    template: str = Field(
        "{title}\n{text}", description="`{title}` and `{text}` are replaced, nothing else"
    )
    steps: tuple[str, ...] = Field(
        (), strict=False, description="Applied in order: " + ", ".join(f"`{s}`" for s in STEPS)
    )

    @field_validator("template")
    @classmethod
    def _takes_the_document(cls, template: str) -> str:
        if "{title}" not in template and "{text}" not in template:
            message = "takes neither {title} nor {text}, so every document would be the same"
            raise ValueError(message)
        return template


class ChunkingSection(Section):
    """How a prepared text is cut."""

    size: int | None = Field(None, ge=1, description="Largest chunk; null keeps texts whole")
    overlap: int = Field(0, ge=0, description="How much neighbouring chunks share")
    unit: ChunkUnit = Field(
        ChunkUnit.CHARACTERS, strict=False, description="What size and overlap count"
    )

    @model_validator(mode="after")
    def _moves_on(self) -> Self:
        if self.overlap and (self.size is None or self.overlap >= self.size):
            message = f"the overlap of {self.overlap} is not below the chunk size"
            raise ValueError(message)
        return self


class AnnSection(Section):
    """The approximate index."""

    kind: AnnKind = Field(AnnKind.AUTO, strict=False, description="Which index")
    build: dict[str, int | float] = Field(
        default_factory=dict, description="The backend's own parameters for building it"
    )
    search: dict[str, int | float] = Field(
        default_factory=dict, description="The backend's own parameters for searching it"
    )


class HybridSection(Section):
    """How lexical search joins in; `hybrid: true` takes every default."""

    fusion: Fusion = Field(
        Fusion.RRF, strict=False, description="How vector and lexical rankings become one"
    )
    vector_weight: float = Field(1.0, ge=0, description="Weight of the vector ranking")
    lexical_weight: float = Field(1.0, ge=0, description="Weight of the lexical ranking")
    rrf_k: int = Field(60, ge=1, description="Reciprocal rank fusion's constant")
    candidates: int = Field(100, ge=1, description="Hits that each side gives to the fusion")

    @model_validator(mode="after")
    def _weighs_something(self) -> Self:
        if not self.vector_weight and not self.lexical_weight:
            message = "one of vector_weight and lexical_weight is above 0"
            raise ValueError(message)
        return self


class RerankSection(Section):
    """Which reranker puts the first candidates in order."""

    provider: Name = Field(description="The kind of driver")
    name: str = Field("", description="The model's name")
    candidates: int = Field(50, ge=1, description="Hits that it is given")
    options: dict[str, Option] = Field(default_factory=dict, description="The driver's own")


class PromptSection(Section):
    """The prompt that a RAG application fills with the hits; carried for it."""

    template: str = Field(
        description="The prompt; `evaluate --answer-with` fills `{question}` and `{passages}`"
    )
    version: str = Field(description="The name that the application knows it by")


class SpecFile(Section):
    """A whole spec file."""

    model: ModelSection
    text: TextSection = Field(default_factory=TextSection)
    chunking: ChunkingSection = Field(default_factory=ChunkingSection)
    distance: Distance = Field(
        Distance.COSINE, strict=False, description="How two vectors are compared"
    )
    ann: AnnSection = Field(default_factory=AnnSection)
    hybrid: HybridSection | None = None
    min_score: float | None = Field(
        None, description="Hits with a lower score are left out; null keeps all"
    )
    rerank: RerankSection | None = None
    prompt: PromptSection | None = None
    backend: Name = Field("lancedb", description="The database that holds the collection")
    libraries: dict[str, str] = Field(
        default_factory=dict,
        description="Versions of the libraries that decide text; filled in at `release create`",
    )

    @field_validator("hybrid", mode="before")
    @classmethod
    def _true_is_every_default(cls, value: object) -> object:
        if isinstance(value, bool):
            return {} if value else None
        return value

    def spec(self) -> ReleaseSpec:
        """Return it as the domain's value."""
        return ReleaseSpec(
            model=ModelSpec(**dict(self.model)),
            text=TextSpec(**dict(self.text)),
            chunking=ChunkingSpec(**dict(self.chunking)),
            distance=self.distance,
            ann=AnnSpec(**dict(self.ann)),
            hybrid=HybridSpec(**dict(self.hybrid)) if self.hybrid is not None else None,
            min_score=self.min_score,
            rerank=RerankSpec(**dict(self.rerank)) if self.rerank is not None else None,
            prompt=PromptSpec(**dict(self.prompt)) if self.prompt is not None else None,
            backend=self.backend,
            libraries=self.libraries,
        )
