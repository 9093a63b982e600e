"""``sync`` beside the bare loop: embed a batch, write a batch, with the same model.

The bare loop is the simplest that one would write: its texts are in memory already, it does
not normalise, and it adds to a plain LanceDB table: no log, no order, no crash safety. Sync
reads its texts from the log, prepares and normalises them, writes by a comparison that late
writers lose, and records how far it is. Both use the same model object's code and batches.

From 20,000 chunks on, sync also builds the approximate index that a search over so many
wants; ``share_with_index`` lets the bare loop build the same. Below, neither builds any.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence

import lancedb
import pyarrow as pa
from bench.models import MINILM, STATIC
from bench.texts import documents
from bench.workspaces import fill, in_step, workspace
from lancedb.index import IvfFlat

from repoint.backends.lancedb.indexes import EXACT_BELOW, ITERATIONS, SAMPLE_RATE
from repoint.domain.document import Document
from repoint.domain.spec import ReleaseSpec
from repoint.embedders.onnx import OnnxEmbedder
from repoint.embedders.static import StaticEmbedder
from repoint.ports.embedder import Embedder, Purpose
from repoint.wiring.clock import SystemClock


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return documents a second of both, and sync's share of the bare loop's speed."""
    figures: dict[str, float] = {}
    for name, spec, size in (
        ("minilm", MINILM, 256 if smoke else 3_000),
        ("static", STATIC, 1_000 if smoke else 15_000),
        ("static_large", STATIC, 1_000 if smoke else 40_000),
    ):
        corpus = documents(size, seed=seed)
        embedder = _embedder(spec)
        embedder.embed(["warm"], purpose=Purpose.DOCUMENT)
        if seed % 2:  # whoever goes second finds a warmer machine: take turns
            ours = _ours(spec, corpus)
            bare, index = _bare(embedder, corpus)
        else:
            bare, index = _bare(embedder, corpus)
            ours = _ours(spec, corpus)
        figures[f"{name}_bare_docs_per_s"] = size / bare
        figures[f"{name}_sync_docs_per_s"] = size / ours
        figures[f"{name}_sync_share"] = bare / ours
        figures[f"{name}_share_with_index"] = (bare + index) / ours
    return figures


def _embedder(spec: ReleaseSpec) -> Embedder:
    clock = SystemClock()
    if spec.model.provider == "onnx":
        return OnnxEmbedder.open(spec.model, clock=clock)
    return StaticEmbedder.open(spec.model, clock=clock)


def _ours(spec: ReleaseSpec, corpus: Sequence[Document]) -> float:
    with workspace() as (repoint, _):
        index = repoint.create_index("docs")
        fill(index, corpus)
        return in_step(repoint, "docs", "v1", spec)


def _bare(embedder: Embedder, corpus: Sequence[Document]) -> tuple[float, float]:
    """Return the seconds of the loop, and those of the index that sync would build."""
    batch = max(embedder.traits.batch, 256)
    with tempfile.TemporaryDirectory(prefix="repoint-bench-") as folder:
        table = lancedb.connect(folder).create_table(
            "bare",
            schema=pa.schema(
                [
                    ("id", pa.string()),
                    ("text", pa.string()),
                    ("group", pa.string()),
                    ("vector", pa.list_(pa.float32(), embedder.dimensions)),
                ]
            ),
        )
        began = time.perf_counter()
        for start in range(0, len(corpus), batch):
            part = corpus[start : start + batch]
            vectors = embedder.embed([d.text for d in part], purpose=Purpose.DOCUMENT)
            flat = pa.array(vectors.reshape(-1), pa.float32())
            table.add(
                pa.table(
                    {
                        "id": [d.id for d in part],
                        "text": [d.text for d in part],
                        "group": [str(d.metadata["group"]) for d in part],
                        "vector": pa.FixedSizeListArray.from_arrays(flat, embedder.dimensions),
                    }
                )
            )
        written = time.perf_counter()
        if len(corpus) >= EXACT_BELOW:
            config = IvfFlat(
                distance_type="cosine",
                num_partitions=round(len(corpus) ** 0.5),
                sample_rate=SAMPLE_RATE,
                max_iterations=ITERATIONS,
            )
            table.create_index("vector", config=config)
        return written - began, time.perf_counter() - written
