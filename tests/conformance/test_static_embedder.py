import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from repoint import model_files
from repoint.domain.spec import ModelSpec
from repoint.embedders.static import StaticEmbedder
from repoint.testing.embedder import EmbedderSuite, Opening
from repoint.wiring.clock import SystemClock

WORDLLAMA = ModelSpec(
    provider="static",
    dimensions=256,
    location="package:wordllama",
    options={
        "weights_file": "weights/l2_supercat_256.safetensors",
        "tokenizer_file": "tokenizers/l2_supercat_tokenizer_config.json",
    },
)
TOKENLEARN = ModelSpec(
    provider="static",
    dimensions=64,
    location="package:tokenlearn-static-model/model",
    options={"weights_file": "model.safetensors", "tokenizer_file": "tokenizer.json"},
)


@pytest.mark.models
@pytest.mark.parametrize("model", [WORDLLAMA, TOKENLEARN], ids=["wordllama", "tokenlearn"])
class TestStaticEmbedder(EmbedderSuite):
    @pytest.fixture
    def opening(self, model: ModelSpec, tmp_path: Path) -> Opening:
        folder = model_files.locate("static", model.location)
        for name in model.options.values():
            changed = tmp_path / str(name)
            changed.parent.mkdir(exist_ok=True)
            shutil.copy(folder / str(name), changed)
            changed.write_bytes(changed.read_bytes() + b" ")
        other = replace(model, location=str(tmp_path))
        return Opening(
            opened=lambda: StaticEmbedder.open(model, clock=SystemClock()),
            altered=lambda: StaticEmbedder.open(other, clock=SystemClock()),
        )
