"""Spec files: every default written out, every mistake named with its line and a hint."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.errors import BadSpecError
from repoint.domain.spec import (
    AnnKind,
    AnnSpec,
    ChunkingSpec,
    ChunkUnit,
    Distance,
    Fusion,
    HybridSpec,
    ModelSpec,
    Pooling,
    PromptSpec,
    ReleaseSpec,
    RerankSpec,
    TextSpec,
)
from repoint.text.steps import STEPS
from repoint.wiring.spec_file import dump_spec, load_spec
from repoint.wiring.spec_model import SpecFile
from repoint.wiring.spec_reference import spec_reference, spec_schema

SHORTEST = "model: {provider: hashing, dimensions: 64}\n"


def test_the_shortest_spec_takes_every_default_of_the_domain() -> None:
    assert load_spec(SHORTEST) == ReleaseSpec(
        model=ModelSpec(provider="hashing", dimensions=64)
    )


def test_every_section_at_its_defaults_equals_the_domains() -> None:
    text = SHORTEST + "hybrid: {}\nrerank: {provider: x}\nprompt: {template: t, version: '1'}\n"
    assert load_spec(text) == ReleaseSpec(
        model=ModelSpec(provider="hashing", dimensions=64),
        hybrid=HybridSpec(),
        rerank=RerankSpec(provider="x"),
        prompt=PromptSpec(template="t", version="1"),
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", HybridSpec()),
        ("false", None),
        ("null", None),
        ("{rrf_k: 9}", HybridSpec(rrf_k=9)),
    ],
)
def test_hybrid_is_a_switch_or_a_section(written: str, meant: HybridSpec | None) -> None:
    assert load_spec(f"{SHORTEST}hybrid: {written}").hybrid == meant


def test_anchors_are_followed_and_dates_stay_text() -> None:
    spec = load_spec(
        "model: {provider: onnx, revision: 2026-01-02, query_prefix: &p 'q: ',"
        " document_prefix: *p}"
    )
    assert spec.model == ModelSpec(
        provider="onnx",
        dimensions=0,
        revision="2026-01-02",
        query_prefix="q: ",
        document_prefix="q: ",
    )


def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    for start in (b"", b"\xef\xbb\xbf"):
        (tmp_path / "spec.yaml").write_bytes(start + SHORTEST.encode())
        assert load_spec(tmp_path / "spec.yaml") == load_spec(SHORTEST)


text = st.text(max_size=12)
word = st.text(min_size=1, max_size=12)
number = st.floats(allow_nan=False, allow_infinity=False)
options = st.dictionaries(word, text | st.integers() | number | st.booleans(), max_size=3)
parameters = st.dictionaries(word, st.integers() | number, max_size=2)
weight = st.floats(0.1, 10)
specs = st.builds(
    ReleaseSpec,
    model=st.builds(
        ModelSpec,
        provider=word,
        name=text,
        revision=text,
        digest=st.sampled_from(["", "0" * 64, "1e5" + "0" * 61]),
        dimensions=st.integers(1, 65_536),
        normalise=st.booleans(),
        query_prefix=text,
        document_prefix=text,
        pooling=st.sampled_from(Pooling),
        max_tokens=st.none() | st.integers(1, 9_999),
        location=text,
        api_key_env=st.sampled_from(["", "KEY"]),
        price_per_million_tokens=st.none() | st.floats(0, 99),
        options=options,
    ),
    text=st.builds(
        TextSpec,
        template=text.map(lambda t: t + "{text}"),
        steps=st.lists(st.sampled_from(list(STEPS)), max_size=3).map(tuple),
    ),
    chunking=st.builds(
        ChunkingSpec,
        size=st.integers(10, 99),
        overlap=st.integers(0, 9),
        unit=st.sampled_from(ChunkUnit),
    ),
    distance=st.sampled_from(Distance),
    ann=st.builds(AnnSpec, kind=st.sampled_from(AnnKind), build=parameters, search=parameters),
    hybrid=st.none()
    | st.builds(
        HybridSpec,
        fusion=st.sampled_from(Fusion),
        vector_weight=weight,
        lexical_weight=weight,
        rrf_k=st.integers(1, 99),
        candidates=st.integers(1, 999),
    ),
    min_score=st.none() | number,
    rerank=st.none()
    | st.builds(
        RerankSpec, provider=word, name=text, candidates=st.integers(1, 99), options=options
    ),
    prompt=st.none() | st.builds(PromptSpec, template=text, version=text),
    backend=word,
    libraries=st.dictionaries(word, text, max_size=2),
)


@given(specs)
def test_what_is_written_is_read_back_as_the_same_spec(spec: ReleaseSpec) -> None:
    again = load_spec(dump_spec(spec))
    assert again == spec
    assert again.fingerprint() == spec.fingerprint()


MODEL = "model: {provider: x}\n"
REFUSED = [
    ("", None, "", "empty", "shortest"),
    ("- a", 1, "", "keys with values", "shortest"),
    (f"\n{SHORTEST}modle: 1", 3, "modle", "no such key", "did you mean model?"),
    ("modle: {provider: x}", 1, "modle", "no such key", "did you mean model?"),
    ("text: {}", 1, "model", "is needed", "shortest"),
    ("model: {}", 1, "model.provider", "is needed", ""),
    ("model: {provider: ''}", 1, "model.provider", "is empty", ""),
    ("model:\n  provider: hashing", 1, "model", "needs dimensions", ""),
    ("model:\n  provider: x\n  opions: {}", 3, "model.opions", "no such key", "options?"),
    ("model:\n  zzz: 1\n  provider: x", 2, "model.zzz", "no such key", "keys: provider, name"),
    ("model: {provider: x, options: {a: [1]}}", 1, "model.options.a", "not a list", ""),
    ("model: {provider: x, dimensions: '3'}", 1, "model.dimensions", "not text", ""),
    ("model: {provider: x, dimensions: 3.5}", 1, "model.dimensions", "a whole number", ""),
    ("model: {provider: x, dimensions: true}", 1, "model.dimensions", "not true or", ""),
    ("model: {provider: x, dimensions: -1}", 1, "model.dimensions", "greater", ""),
    ("model: {provider: x, revision: 3}", 1, "model.revision", "the number 3", "in quotes"),
    ("model: {provider: x, digest: abc}", 1, "model.digest", "hexadecimal", "leave it out"),
    ("model: {provider: x, normalise: yes}", 1, "model.normalise", "true or false", ""),
    ("model: 3", 1, "model", "expected keys", ""),
    ("model: {provider: 'x", 1, "", "no YAML", "quotes"),
    (MODEL + "distance: cosin", 2, "distance", "none of its values", "did you mean cosine?"),
    (MODEL + "distance: zzz", 2, "distance", "none of its values", "values: cosine, dot, l2"),
    (MODEL + "hybrid: yes", 2, "hybrid", "not text", ""),
    (MODEL + "hybrid: {vector_weight: .inf}", 2, "hybrid.vector_weight", "finite", ""),
    (MODEL + "hybrid: {vector_weight: 0, lexical_weight: 0}", 2, "hybrid", "above 0", ""),
    (MODEL + "min_score: .nan", 2, "min_score", "finite", ""),
    (MODEL + "text: {steps: strip_html}", 2, "text.steps", "a list", "[strip_html"),
    (MODEL + "text:\n  steps:\n  - strip_htm", 4, "text.steps[0]", "no step", "strip_html?"),
    (MODEL + "text: {template: {title}}", 2, "text.template", "keys with", "in quotes"),
    (MODEL + "text: {template: '{body}'}", 2, "text.template", "neither {title}", ""),
    (MODEL + "chunking: {size: 5, overlap: 5}", 2, "chunking", "not below", ""),
    (MODEL + "chunking: {overlap: 5}", 2, "chunking", "not below", ""),
    (MODEL + "rerank: {name: x}", 2, "rerank.provider", "is needed", ""),
    (MODEL + MODEL, 2, "model", "stands twice, first in line 1", ""),
    ("model: {provider: x, name: a, name: b}", 1, "model.name", "twice", ""),
    (MODEL + "---\n" + MODEL, 2, "", "no YAML", ""),
    (MODEL + "3: x", 2, "", "a key is text", ""),
    (MODEL + "<<: {backend: x}", 2, "<<", "no such key", ""),
    ("model: {provider: !!python/name:os.system x}", 1, "model.provider", "holds no tag", ""),
    ("model: !!python/object:os.x {provider: x}", 1, "model", "holds no tag", ""),
    ("model: !!set {provider}", 1, "model", "holds no tag", ""),
    ("model: {provider: !!int x}", 1, "model.provider", "is no whole number", ""),
    ('model: {provider: "\\ud800"}', 1, "model.provider", "no Unicode text", ""),
    ("model: {provider: *x}", 1, "", "no YAML", ""),
    ("model: &m {provider: x, options: *m}", 1, "model.options", "unfold", ""),
    ("[" * 20_000, None, "", "nested too deeply", ""),
    ("model: {provider: x}\x00", None, "", "no YAML", ""),
    (MODEL + "# " + "x" * 1_000_000, None, "", "longer than", ""),
]


@pytest.mark.parametrize(
    ("written", "line", "field", "why", "hint"),
    REFUSED,
    ids=[f"{n}: {row[3]}" for n, row in enumerate(REFUSED)],
)
def test_a_mistake_is_named_with_its_line_its_field_and_a_hint(
    written: str, line: int | None, field: str, why: str, hint: str
) -> None:
    with pytest.raises(BadSpecError) as caught:
        load_spec(written, source="spec.yaml")
    assert (caught.value.source, caught.value.line) == ("spec.yaml", line)
    assert caught.value.field == field
    assert why in caught.value.why
    assert hint in caught.value.hint


def test_anchors_that_unfold_without_bound_are_refused() -> None:
    levels = ["a: &a [1,2,3,4,5,6,7,8,9]"]
    levels += [
        f"{n}: &{n} [{','.join([f'*{p}'] * 9)}]"
        for p, n in zip("abcdef", "bcdefg", strict=True)
    ]
    with pytest.raises(BadSpecError, match="unfold"):
        load_spec("\n".join(levels))


def test_a_key_in_the_place_of_its_variables_name_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadSpecError) as caught:
        load_spec("model: {provider: x, api_key_env: sk-very-secret}")
    assert "environment variable" in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_how_many_more_mistakes_there_are_is_said() -> None:
    with pytest.raises(BadSpecError, match=r"\(and 2 more\)"):
        load_spec("model: {provider: x, a: 1}\nb: 1\nc: 1")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSpecError, match=r"missing\.yaml: cannot be read"):
        load_spec(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"model:\n  provider: \xe9")
    with pytest.raises(BadSpecError, match=r"latin\.yaml, line 2: byte 20 is no UTF-8"):
        load_spec(tmp_path / "latin.yaml")
    (tmp_path / "long.yaml").write_bytes(b" " * 4_000_001)
    with pytest.raises(BadSpecError, match="longer than"):
        load_spec(tmp_path / "long.yaml")


def test_the_reference_page_has_every_key_with_a_meaning() -> None:
    page = spec_reference()
    assert page == spec_reference()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    keys = {row.split("`")[1] for row in rows}
    assert set(SpecFile.model_fields) <= keys
    assert {"provider", "rrf_k", "overlap", "steps", "version"} <= keys
    assert all(row.rstrip("|").strip().rsplit("|")[-1].strip() for row in rows)
    assert all(f"`{step}`" in page for step in STEPS)


def test_the_json_schema_knows_the_short_form_of_hybrid() -> None:
    schema = spec_schema()
    assert "'boolean'" in str(schema["properties"])


@pytest.mark.parametrize(
    "location", ["http://u:s3cret@host/v1", "https://host/v1?api-key=s3cret&v=1"]
)
def test_a_location_with_a_secret_is_refused_and_not_repeated(location: str) -> None:
    with pytest.raises(BadSpecError, match="api_key_env") as caught:
        load_spec(f"model: {{provider: openai, name: x, location: '{location}'}}")
    assert "location" in caught.value.message
    assert "s3cret" not in caught.value.message
