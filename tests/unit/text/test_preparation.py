"""From documents to chunks: steps, template, offsets, and what a release records of it."""

import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from repoint.domain.document import Document
from repoint.domain.errors import BadSpecError, InputRejectedError
from repoint.domain.ids import DocumentId
from repoint.domain.spec import ChunkingSpec, ChunkUnit, ModelSpec, ReleaseSpec, TextSpec
from repoint.ports.text import Preparer
from repoint.text.preparation import Preparation
from repoint.text.splitting import Splitter
from repoint.text.steps import STEPS


def spec(
    *steps: str, template: str = "{title}\n{text}", chunking: ChunkingSpec | None = None
) -> ReleaseSpec:
    return ReleaseSpec(
        model=ModelSpec(provider="hashing", dimensions=8),
        text=TextSpec(template=template, steps=steps),
        chunking=chunking or ChunkingSpec(),
    )


def document(text: str, title: str = "") -> Document:
    return Document(id=DocumentId("d"), text=text, title=title)


def chunked(size: int, overlap: int = 0) -> Preparation:
    return Preparation.of(spec(chunking=ChunkingSpec(size=size, overlap=overlap)))


def test_a_preparation_is_a_preparer() -> None:
    preparer: Preparer = Preparation.of(spec())
    assert preparer.prepare(document("b", "a"))[0].text == "a\nb"


def test_without_a_chunk_size_a_document_is_one_chunk() -> None:
    (chunk,) = Preparation.of(spec()).prepare(document("word " * 9_999))
    assert (chunk.start, chunk.end) == (0, 49_994)


def test_blank_space_around_the_whole_is_stripped_and_a_blank_document_has_no_chunk() -> None:
    for chunking in (ChunkingSpec(), ChunkingSpec(size=10)):
        preparer = Preparation.of(spec(chunking=chunking))
        assert [chunk.text for chunk in preparer.prepare(document(" a \n"))] == ["a"]
        assert preparer.prepare(document(" \n\u2003\x1c\t")) == []


def test_a_template_is_filled_literally_and_in_one_pass() -> None:
    preparer = Preparation.of(spec(template="{title!r} {0} {{text}} T: {title} | {text}"))
    prepared = preparer.prepared(document("{title} {x}", "{text}"))
    assert prepared == "{title!r} {0} {{title} {x}} T: {text} | {title} {x}"


def test_a_template_that_takes_nothing_of_the_document_is_refused() -> None:
    with pytest.raises(BadSpecError, match="every document would be the same"):
        Preparation.of(spec(template="passage: {body}"))


def test_a_question_goes_through_the_steps_but_not_the_template() -> None:
    preparer = Preparation.of(spec("lowercase", template="T: {text}"))
    assert preparer.prepare_query("  WHAT Is It? ") == "what is it?"


def test_an_unknown_step_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadSpecError, match="strip_html") as caught:
        Preparation.of(spec("strip_htm"))
    assert caught.value.field == "text.steps"


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("unicode_nfc", "e\u0301 ﬁ", "é ﬁ"),
        ("unicode_nfkc", "e\u0301 ﬁ", "é fi"),
        ("collapse_whitespace", " a\n\n b\u00a0\u2003c\t", "a b c"),
        ("lowercase", "ÀÉ", "àé"),
        ("strip_control", "a\x00b\tc\nd\x9fe\u200d", "ab\tc\nde\u200d"),
        ("strip_html", "<p>foo<b>bar</b> &amp; &lt;x&gt;", "\nfoobar & <x>\n"),
        ("strip_html", "<script>x()</script><style>p{}</style>a<template>b</template>", "a"),
        ("strip_html", "2 < 3 & 4", "2 < 3 & 4"),
        ("strip_html", "no\r\nmarkup", "no\r\nmarkup"),
        ("strip_html", "<html><head><title>T</title></head>x</html>", "\nT\nx"),
        ("strip_html", "<!-- only a comment -->", ""),
    ],
)
def test_each_step_does_what_its_name_says(step: str, before: str, after: str) -> None:
    assert STEPS[step].apply(before) == after


def test_words_in_neighbouring_blocks_stay_two_words() -> None:
    html = "<div>one</div><div>two</div><table><tr><td>three</td><td>four</td></tr></table>"
    assert STEPS["strip_html"].apply(html).split() == ["one", "two", "three", "four"]


def test_steps_are_applied_in_the_order_given() -> None:
    given_text = document("<P>A&nbsp;B</P>")
    assert (
        Preparation.of(spec("strip_html", "collapse_whitespace")).prepared(given_text) == "A B"
    )
    assert Preparation.of(spec("lowercase", "strip_html")).prepared(given_text) == "a\u00a0b"


def test_only_libraries_in_use_are_recorded() -> None:
    assert Preparation.of(spec("collapse_whitespace", "strip_control")).libraries == {}
    assert Preparation.of(spec("lowercase")).libraries == {
        "unicodedata": unicodedata.unidata_version
    }
    assert set(chunked(10).libraries) == {"semantic-text-splitter"}
    assert set(Preparation.of(spec("strip_html")).libraries) == {"selectolax"}


def test_engines_are_not_imported_before_they_are_used() -> None:
    code = (
        "import sys, repoint.text.preparation as p, repoint.domain.spec as s\n"
        "p.Preparation.of(s.ReleaseSpec(model=s.ModelSpec(provider='hashing', dimensions=8)))\n"
        "print({'selectolax', 'semantic_text_splitter', 'tokenizers'} & set(sys.modules))"
    )
    run = subprocess.run(  # our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "set()"


difficult = st.text(
    st.sampled_from("ab. \n\r\té\u0301\u200d👩👧🇩🇪न\u094dि\U00010348\u2028\x1c\x85\u00a0한"),
    max_size=200,
) | st.text(max_size=100)


@given(difficult, st.integers(1, 30), st.data())
def test_offsets_are_exact_and_all_that_is_not_blank_is_covered(
    text: str, size: int, data: st.DataObject
) -> None:
    preparer = chunked(size, data.draw(st.integers(0, size - 1)))
    prepared = preparer.prepared(document(text))
    covered = 0
    for chunk in preparer.prepare(document(text)):
        assert prepared[chunk.start : chunk.end] == chunk.text
        assert 0 < len(chunk.text) <= size
        assert prepared[covered : chunk.start].strip() == ""
        covered = max(covered, chunk.end)
    assert prepared[covered:].strip() == ""


@pytest.mark.parametrize("piece", ["word ", "x", "A sentence with 😀. ", "line\n", "\n"])
def test_a_text_of_many_windows_is_covered_exactly_and_within_size(piece: str) -> None:
    text = "start " + piece * (150_000 // len(piece)) + " end"
    splitter = Splitter(ChunkingSpec(size=200, overlap=20), tokenizer=None)
    covered, last_start = 0, -1
    for start, chunk in splitter.split(text):
        assert text[start : start + len(chunk)] == chunk
        assert len(chunk) <= 200
        assert start > last_start
        assert not text[covered:start].strip()
        covered, last_start = start + len(chunk), start
    assert not text[covered:].strip()


def test_neighbouring_chunks_share_the_overlap() -> None:
    chunks = chunked(20, 10).prepare(document("one two three four five six seven eight nine"))
    assert len(chunks) > 1
    assert all(later.start < earlier.end for earlier, later in pairwise(chunks))


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (10, 10), (10, 11), (10, -1)])
def test_a_chunking_that_cannot_be_done_is_refused(size: int, overlap: int) -> None:
    with pytest.raises(BadSpecError):
        chunked(size, overlap)


TOKENS = ChunkingSpec(size=3, unit=ChunkUnit.TOKENS)


def test_tokens_are_counted_by_the_models_own_counter() -> None:
    preparer = Preparation.of(spec(chunking=TOKENS), tokenizer=lambda text: len(text.split()))
    texts = [chunk.text for chunk in preparer.prepare(document("a b c d e f g"))]
    assert texts == ["a b c", "d e f", "g"]
    assert "tokenizers" not in preparer.libraries  # whose it is, only its owner knows


def test_a_tokenizer_files_own_truncation_does_not_cap_the_count(tmp_path: Path) -> None:
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))  # noqa: S106  # no password
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=2)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    preparer = Preparation.of(spec(chunking=TOKENS), tokenizer=tmp_path / "tokenizer.json")
    assert "tokenizers" in preparer.libraries
    assert [c.text for c in preparer.prepare(document("a b c d e f g"))] == [
        "a b c",
        "d e f",
        "g",
    ]


def test_tokens_without_a_tokenizer_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSpecError, match="unit: characters"):
        Preparation.of(spec(chunking=TOKENS))
    with pytest.raises(BadSpecError, match="cannot read the tokenizer"):
        Preparation.of(spec(chunking=TOKENS), tokenizer=tmp_path / "missing.json")


def test_half_of_a_surrogate_pair_is_rejected_for_good() -> None:
    with pytest.raises(InputRejectedError, match="surrogate"):
        chunked(10).prepare(document("a\ud800"))
    with pytest.raises(InputRejectedError, match="surrogate"):
        chunked(10).prepare_query("a\ud800")


def test_many_threads_get_the_same_chunks() -> None:
    preparer = chunked(50, 10)
    given_text = document("Some sentence. Another one!\n\n" * 200)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: preparer.prepare(given_text), range(8)))
    assert all(chunks == found[0] for chunks in found)
