"""A writer waits for what it asked for, and is told when that would never come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from repoint import Repoint
from repoint.client import Index
from repoint.domain.errors import BadSpecError, RefusedError
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.operations.promote import PromoteOptions


def spec(seed: int) -> ReleaseSpec:
    model = ModelSpec(provider="hashing", dimensions=16, options={"seed": seed})
    return ReleaseSpec(model=model, backend="memory")


@pytest.fixture
def docs(tmp_path: Path) -> Iterator[Index]:
    with Repoint.init(tmp_path / "home") as repoint:
        index = repoint.create_index("docs")
        index.upsert([{"id": "1", "text": "one"}])
        for number, name in enumerate(("v1", "v2", "v3")):
            index.create_release(name, spec(number))
            index.sync(name)
        for name in ("v1", "v2"):
            index.promote(name, options=PromoteOptions(without_evaluation="a test"))
        yield index


def lags(docs: Index) -> dict[str, int]:
    return {release.name: release.lag for release in docs.status().releases}


def test_waiting_for_all_waits_for_the_fallback_and_the_candidate_too(docs: Index) -> None:
    docs.upsert([{"id": "2", "text": "two"}], wait="all")
    assert lags(docs) == {"v1": 0, "v2": 0, "v3": 0}


def test_waiting_for_the_active_release_makes_a_document_searchable(docs: Index) -> None:
    docs.upsert([{"id": "2", "text": "two"}], wait="active")
    assert docs.search("two", k=1).hits[0].document == "2"
    docs.delete(["2"], wait="active")
    assert all(hit.document != "2" for hit in docs.search("two", k=5).hits)


def test_a_paused_release_is_named_rather_than_waited_for(docs: Index) -> None:
    docs.set_pace("v3", paused=True)
    with pytest.raises(RefusedError, match="'v3' is paused"):
        docs.upsert([{"id": "2", "text": "two"}], wait="all")
    docs.wait("active")


def test_a_release_that_a_freeze_keeps_back_is_named_rather_than_waited_for(
    docs: Index,
) -> None:
    docs.freeze(reason="an incident")
    with pytest.raises(RefusedError, match="'v3' is kept back"):
        docs.upsert([{"id": "2", "text": "two"}], wait="all")
    docs.wait("active")
    assert lags(docs)["v2"] == 0


def test_a_provider_that_does_not_know_its_dimensions_asks_for_them(docs: Index) -> None:
    with pytest.raises(BadSpecError, match=r"model\.dimensions"):
        docs.create_release(
            "v4", ReleaseSpec(model=ModelSpec(provider="hashing", dimensions=0))
        )


def test_an_option_that_a_driver_cannot_take_is_named_with_its_file_and_line(
    docs: Index, tmp_path: Path
) -> None:
    file = tmp_path / "v4.yaml"
    file.write_text(
        "model: {provider: hashing, dimensions: 8}\n"
        "rerank:\n  provider: lexical\n  options:\n    length_share: 1.5\n",
        encoding="utf-8",
    )
    with pytest.raises(BadSpecError) as caught:
        docs.create_release("v4", file)
    error = caught.value
    assert (error.source, error.line, error.field) == (
        str(file),
        5,
        "rerank.options.length_share",
    )
    assert "1.5 is above 1" in error.message
    with pytest.raises(
        BadSpecError, match=r"spec, line 1: model\.options\.sed: no such option"
    ):
        docs.create_release(
            "v4", "model: {provider: hashing, dimensions: 8, options: {sed: 1}}"
        )
    assert "v4" not in {one.name for one in docs.releases()}
