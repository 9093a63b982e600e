from pathlib import Path

import pytest

from repoint.demo.corpus import DOCUMENTS, Corpus, read_corpus

REST = (
    "It goes on for long enough to be found, which takes a hundred characters, "
    "and then some more of them."
)
MODULE = f'''"""Says what the module is for, briefly. {REST} One."""


class Shelf:
    """Holds books in the order of their arrival. {REST} Two."""

    if True:

        def _take(self):
            """Takes the oldest book from the shelf. {REST} Three."""


async def read(book):
    """Short."""


def longer():
    """Explains a great deal of things at length.

    {REST} {REST}

    {REST} {REST}
    """
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "library.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "broken.py").write_text("def (", encoding="utf-8")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "left_out.py").write_text(MODULE, encoding="utf-8")
    return tmp_path


def _texts(corpus: Corpus) -> dict[str, str]:
    return {document.id: document.text for document in corpus.documents}


def test_the_first_sentence_asks_for_the_rest(folder: Path) -> None:
    corpus = read_corpus(folder)
    asked = {str(question.document): question.text for question in corpus.questions}
    assert asked["library.Shelf"] == "Holds books in the order of their arrival"
    assert _texts(corpus)["library.Shelf"] == f"{REST} Two."


def test_a_long_docstring_becomes_several_documents_and_no_question(folder: Path) -> None:
    corpus = read_corpus(folder)
    assert {"library.longer", "library.longer#2"} <= set(_texts(corpus))
    assert "library.longer" not in {question.document for question in corpus.questions}


def test_names_kinds_and_privacy_can_be_filtered_on(folder: Path) -> None:
    metadata = {str(one.id): one.metadata for one in read_corpus(folder).documents}
    assert metadata["library"]["kind"] == "module"
    assert metadata["library.Shelf._take"] == {
        "module": "library",
        "package": "library",
        "kind": "function",
        "private": True,
    }


def test_a_sentence_that_two_docstrings_begin_with_asks_for_neither(folder: Path) -> None:
    other = MODULE.replace(REST, REST.upper())
    (folder / "other.py").write_text(other, encoding="utf-8")
    assert not read_corpus(folder).questions


def test_a_limit_keeps_what_answers_a_question(folder: Path) -> None:
    corpus = read_corpus(folder, limit=3, questions=2)
    assert len(corpus.documents) == 3
    assert {question.document for question in corpus.questions} <= set(_texts(corpus))


@pytest.mark.campaign
def test_this_python_has_the_whole_corpus_and_it_is_always_the_same() -> None:
    corpus = read_corpus()
    assert len(corpus.documents) == DOCUMENTS >= 8_000
    assert len({document.id for document in corpus.documents}) == DOCUMENTS
    assert read_corpus() == corpus
