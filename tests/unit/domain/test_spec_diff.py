"""Where two specs differ, and what a spec leaves to its model."""

import dataclasses

import pytest

from repoint.domain.errors import BadSpecError
from repoint.domain.spec import AnnSpec, Distance, HybridSpec, ModelSpec, ReleaseSpec, TextSpec
from repoint.domain.spec_completion import complete
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


def completed(draft: ReleaseSpec, *, remote: bool = False) -> ReleaseSpec:
    return complete(draft, dimensions=64, revision="r1", remote=remote, libraries={"l": "1"})


def with_model(*, dimensions: int = 0, revision: str = "", digest: str = "") -> ReleaseSpec:
    model = ModelSpec(provider="onnx", dimensions=dimensions, revision=revision, digest=digest)
    return dataclasses.replace(SPEC, model=model)


def test_a_local_model_fills_in_dimensions_digest_and_libraries() -> None:
    spec = completed(with_model())
    assert (spec.model.dimensions, spec.model.digest, spec.libraries) == (64, "r1", {"l": "1"})
    assert completed(spec) == spec


def test_a_remote_model_has_a_revision_and_no_digest() -> None:
    assert completed(with_model(), remote=True).model.revision == "r1"
    kept = completed(with_model(revision="mine"), remote=True).model
    assert (kept.revision, kept.digest) == ("mine", "")


def test_fewer_dimensions_stay_and_more_are_refused() -> None:
    assert completed(with_model(dimensions=32)).model.dimensions == 32
    with pytest.raises(BadSpecError, match="the model has 64 dimensions, not 65"):
        completed(with_model(dimensions=65))


def test_the_digest_of_other_files_is_refused() -> None:
    with pytest.raises(BadSpecError, match=r"model\.digest"):
        completed(with_model(digest="0" * 64))
