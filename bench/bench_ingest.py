"""``ingest`` of a BEIR file into the log, reading and checking included."""

from __future__ import annotations

import json
import time

from bench.texts import documents
from bench.workspaces import fill, workspace

from repoint.sources.files.opening import open_source


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return documents a second, from the file's first byte to the last durable row."""
    corpus = documents(2_000 if smoke else 100_000, seed=seed)
    with workspace() as (repoint, home):
        file = home / "corpus.jsonl"
        with file.open("w", encoding="utf-8") as out:
            for one in corpus:
                line = {"_id": one.id, "text": one.text, "metadata": dict(one.metadata)}
                out.write(json.dumps(line) + "\n")
        index = repoint.create_index("docs")
        began = time.perf_counter()
        with open_source(str(file)) as source:
            fill(index, (document for _, document in source))
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        with open_source(str(file)) as source:
            fill(index, (document for _, document in source))
        again = time.perf_counter() - began
    return {
        "ingest_docs_per_s": len(corpus) / seconds,
        "unchanged_again_docs_per_s": len(corpus) / again,
    }
