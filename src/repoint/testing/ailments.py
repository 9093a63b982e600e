"""Every fault that a diagnosis must tell apart, made for real on real releases.

Each ailment is a release and, where the spec alone does no harm, damage done to its
collection past repoint. The models come from whoever uses this: the table in the docs is
made with real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from repoint.domain.diagnosis import Fault
from repoint.domain.spec import (
    AnnKind,
    AnnSpec,
    ChunkingSpec,
    Distance,
    ModelSpec,
    PromptSpec,
    ReleaseSpec,
    RerankSpec,
)
from repoint.testing.injuries import Ward, shortened

#: What another model's questions are published to begin with.
INSTRUCTION: Final = (
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\n"
    "Query: "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """What releases are made with."""

    #: In service; its vectors have lengths that say nothing of relevance.
    good: ModelSpec
    weak: ModelSpec
    #: Two of equal dimensions, in two spaces; None leaves out what needs them.
    one: ModelSpec | None = None
    other: ModelSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """Where a provider is, and how to change what it serves."""

    url: str
    serve: Callable[[ModelSpec], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ailment:
    """One fault and how it is made."""

    #: None: nothing is wrong.
    fault: Fault | None
    says: str
    spec: ReleaseSpec
    baseline: str = "v1"
    #: Before the release is brought into step.
    before: Callable[[], None] | None = None
    #: After it.
    harm: Callable[[Ward], None] | None = None


@dataclass(slots=True)
class Clinic:
    """The baselines, and all ailments beside them."""

    models: Models
    home: Path
    #: A field of the corpus that can be filtered on.
    filter_field: str
    #: What a cut-off is set to that fits the good model and not another one.
    cut_off: float
    remote: Remedy | None = None
    #: What the first transformer was told to read, in tokens.
    few_tokens: int = 8
    small_chunk: int = 40
    partitions: int = 64
    baselines: dict[str, ReleaseSpec] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Name the baselines."""
        good = self.models.good
        plain = ReleaseSpec(model=good)
        self.baselines = {
            "v1": plain,
            "dot": replace(plain, distance=Distance.DOT),
            "raw": replace(plain, model=replace(good, normalise=False)),
        }
        if self.models.one is not None:
            self.baselines["one"] = ReleaseSpec(model=self.models.one)

    def of_one_model(self) -> Iterator[Ailment]:
        """Yield those that a model alone can have, the healthy one first."""
        plain, good = self.baselines["v1"], self.models.good
        yield Ailment(fault=None, says="the same spec again", spec=plain)
        yield from self._migration(plain)
        yield from self._settings(plain, good)

    def of_two_models(self) -> Iterator[Ailment]:
        """Yield those that take two models of equal dimensions."""
        if self.models.one is not None and self.models.other is not None:
            yield from self._two_models(self.models.one, self.models.other)

    def _migration(self, plain: ReleaseSpec) -> Iterator[Ailment]:
        dot = self.baselines["dot"]
        yield Ailment(
            fault=Fault.MISSING_DOCUMENTS,
            says="30 % of the documents are removed from the collection",
            spec=plain,
            harm=lambda ward: ward.lose(0.3),
        )
        yield Ailment(
            fault=Fault.STALE_DOCUMENTS,
            says="40 % of the documents stand there in an older version",
            spec=plain,
            harm=lambda ward: ward.outdate(0.4, shortened),
        )
        yield Ailment(
            fault=Fault.DOUBLED_CHUNKS,
            says="every row is loaded three times",
            spec=plain,
            harm=lambda ward: ward.double(times=3, home=self.home),
        )
        yield Ailment(
            fault=Fault.FILTER_FIELD,
            says=f"the field {self.filter_field!r} is not written",
            spec=plain,
            harm=lambda ward: ward.strip(self.filter_field),
        )
        yield Ailment(
            fault=Fault.NORMALISATION,
            says="vectors are stored with the lengths that the model gives them",
            spec=dot,
            baseline="dot",
            harm=Ward.stretch,
        )

    def _settings(self, plain: ReleaseSpec, good: ModelSpec) -> Iterator[Ailment]:
        yield Ailment(
            fault=Fault.BAD_MODEL, says="a weak model", spec=ReleaseSpec(model=self.models.weak)
        )
        yield Ailment(
            fault=Fault.QUERY_PREFIX,
            says="questions begin with the instruction of another model",
            spec=replace(plain, model=replace(good, query_prefix=INSTRUCTION)),
        )
        yield Ailment(
            fault=Fault.NORMALISATION,
            says="normalise: false, compared by inner product",
            spec=replace(plain, distance=Distance.DOT, model=replace(good, normalise=False)),
            baseline="dot",
        )
        yield Ailment(
            fault=Fault.DISTANCE,
            says="inner product in place of cosine, on vectors of any length",
            spec=replace(self.baselines["raw"], distance=Distance.DOT),
            baseline="raw",
        )
        ann = AnnSpec(
            kind=AnnKind.IVF_FLAT,
            build={"num_partitions": self.partitions},
            search={"nprobes": 1},
        )
        yield Ailment(
            fault=Fault.ANN_PARAMETERS,
            says=f"one of {self.partitions} partitions is searched",
            spec=replace(plain, ann=ann),
            harm=lambda ward: ward.space.collection.optimise(),
        )
        yield Ailment(
            fault=Fault.CHUNKING,
            says=f"chunks of {self.small_chunk} characters",
            spec=replace(plain, chunking=ChunkingSpec(size=self.small_chunk)),
        )
        yield Ailment(
            fault=Fault.TRUNCATION,
            says=f"the model reads {self.few_tokens} tokens",
            spec=replace(plain, model=replace(good, max_tokens=self.few_tokens)),
        )
        yield Ailment(
            fault=Fault.CUT_OFF,
            says=f"a cut-off at {self.cut_off:g}",
            spec=replace(plain, min_score=self.cut_off),
        )
        rerank = RerankSpec(
            provider="lexical", options={"saturation": 1000.0, "length_share": 0.001}
        )
        yield Ailment(
            fault=Fault.RERANKER,
            says="a reranker that prefers long texts which repeat a word",
            spec=replace(plain, rerank=rerank),
        )
        yield Ailment(
            fault=Fault.PROMPT,
            says="another prompt, and nothing else",
            spec=replace(plain, prompt=PromptSpec(template="{hits}", version="2")),
        )

    def _two_models(self, one: ModelSpec, other: ModelSpec) -> Iterator[Ailment]:
        yield Ailment(
            fault=None, says="another model that is no worse", spec=ReleaseSpec(model=other)
        )
        for share in (1.0, 0.5):
            yield Ailment(
                fault=Fault.OTHER_MODEL,
                says=f"{share:.0%} of the vectors are by another model of equal dimensions",
                spec=ReleaseSpec(model=other),
                baseline="one",
                harm=lambda ward, share=share: ward.embed_by(one, share),  # type: ignore[misc]
            )
        yield Ailment(
            fault=Fault.TRUNCATION,
            says="documents were cut to their first 8 tokens before they were embedded",
            spec=ReleaseSpec(model=one),
            baseline="one",
            harm=lambda ward: ward.embed_by(replace(one, max_tokens=8)),
        )
        if self.remote is not None:
            served = self.remote
            yield Ailment(
                fault=Fault.PROVIDER_CHANGED,
                says="the provider serves another model under the same name",
                spec=ReleaseSpec(
                    model=ModelSpec(
                        provider="openai",
                        name="embed-1",
                        dimensions=other.dimensions,
                        location=served.url,
                    )
                ),
                baseline="one",
                before=lambda: served.serve(other),
                harm=lambda _: served.serve(one),
            )
