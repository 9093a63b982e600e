"""Where two specs differ."""

import dataclasses

from repoint.domain.spec import AnnSpec, Distance, HybridSpec, ModelSpec, ReleaseSpec, TextSpec
from repoint.domain.spec_diff import Difference, spec_diff

SPEC = ReleaseSpec(model=ModelSpec(provider="onnx", dimensions=64))


def test_equal_specs_differ_nowhere() -> None:
    assert spec_diff(SPEC, dataclasses.replace(SPEC)) == []


def test_differences_come_in_the_order_of_a_spec_file() -> None:
    other = dataclasses.replace(
        SPEC,
        model=dataclasses.replace(SPEC.model, dimensions=32, location="here", options={"f": 1}),
        text=TextSpec(steps=("lowercase",)),
        distance=Distance.DOT,
        ann=AnnSpec(build={"m": 16}),
    )
    assert spec_diff(SPEC, other) == [
        Difference("model.dimensions", 64, 32, matters=True),
        Difference("model.location", "", "here", matters=False),
        Difference("model.options.f", None, 1, matters=True),
        Difference("text.steps", [], ["lowercase"], matters=True),
        Difference("distance", "cosine", "dot", matters=True),
        Difference("ann.build.m", None, 16, matters=True),
    ]


def test_a_section_that_one_lacks_differs_in_each_of_its_fields() -> None:
    found = spec_diff(SPEC, dataclasses.replace(SPEC, hybrid=HybridSpec()))
    assert ("hybrid.rrf_k", None, 60, True) in found
    assert {difference.field.split(".")[0] for difference in found} == {"hybrid"}


def test_what_differs_in_the_fingerprint_is_what_matters() -> None:
    other = dataclasses.replace(SPEC, model=dataclasses.replace(SPEC.model, api_key_env="KEY"))
    assert not any(difference.matters for difference in spec_diff(SPEC, other))
    assert other.fingerprint() == SPEC.fingerprint()
