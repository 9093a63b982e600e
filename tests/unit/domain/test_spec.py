"""A spec is the same value after it became plain values, whatever is in it."""

import json

import pytest

from repoint.domain.errors import BadSpecError
from repoint.domain.spec import (
    AnnKind,
    AnnSpec,
    ChunkingSpec,
    ChunkUnit,
    Distance,
    HybridSpec,
    ModelSpec,
    Pooling,
    PromptSpec,
    ReleaseSpec,
    RerankSpec,
    TextSpec,
    as_tree,
    from_tree,
)

SMALL = ReleaseSpec(model=ModelSpec(provider="hashing", dimensions=8))
LARGE = ReleaseSpec(
    model=ModelSpec(
        provider="onnx",
        dimensions=384,
        pooling=Pooling.CLS,
        max_tokens=256,
        price_per_million_tokens=1,
        options={"file": "m.onnx", "threads": 2, "fast": True, "scale": 0.5},
    ),
    text=TextSpec(template="{text}", steps=("nfkc", "strip_html")),
    chunking=ChunkingSpec(size=200, overlap=20, unit=ChunkUnit.TOKENS),
    distance=Distance.L2,
    ann=AnnSpec(kind=AnnKind.HNSW, build={"m": 16}, search={"ef": 64.5}),
    hybrid=HybridSpec(vector_weight=1, lexical_weight=0.5),
    min_score=0,
    rerank=RerankSpec(provider="cross", options={"top": 3}),
    prompt=PromptSpec(template="{hits} é", version="2"),
    libraries={"unicodedata": "14.0.0"},
)


@pytest.mark.parametrize("spec", [SMALL, LARGE])
def test_a_spec_survives_json_with_its_fingerprint(spec: ReleaseSpec) -> None:
    again = from_tree(json.loads(json.dumps(as_tree(spec))))

    assert again == spec
    assert again.fingerprint() == spec.fingerprint()


def test_a_field_that_is_not_in_the_tree_has_its_default() -> None:
    assert from_tree({"model": {"provider": "hashing", "dimensions": 8}}) == SMALL


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"model": {"provider": "hashing"}}, "model.dimensions"),
        ({"model": {"provider": "hashing", "dimensions": "8"}}, "model.dimensions"),
        ({"model": {"provider": "hashing", "dimensions": True}}, "model.dimensions"),
        ({"model": "hashing"}, "model"),
        ({"distance": "far"}, "distance"),
        ({"distance": None}, "distance"),
        ({"hybrid": {"fusion": "cold"}}, "hybrid.fusion"),
        ({"hybrid": {"weight": 1}}, "hybrid.weight"),
        ({"text": {"steps": "nfkc"}}, "text.steps"),
        ({"libraries": ["a"]}, "libraries"),
    ],
)
def test_what_is_no_spec_is_refused_by_its_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(BadSpecError) as caught:
        from_tree({**as_tree(SMALL), **change}, source="there")

    assert (caught.value.field, caught.value.source) == (field, "there")


def test_a_tree_without_a_model_is_refused() -> None:
    with pytest.raises(BadSpecError, match="model: is missing"):
        from_tree({})
