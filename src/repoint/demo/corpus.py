"""The demo's corpus: the docstrings of the standard library of the Python that runs it.

Every machine that can run repoint has them, no network is needed, and they come with
questions whose answer is known: a docstring's first sentence asks for its rest. Sources are
parsed, never imported. The same Python gives the same corpus, document by document.
"""

from __future__ import annotations

import ast
import os
import random
import re
import sysconfig
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from repoint.domain.document import Document, Json
from repoint.domain.ids import DocumentId

#: What every supported Python has, with or without the parts that a system packs apart.
DOCUMENTS: Final = 8_200
QUESTIONS: Final = 300
#: Chooses both, once and for all.
_SEED: Final = 20
#: Folders that some installations lack, or that document nothing.
_LEFT_OUT: Final = frozenset(
    {
        "__pycache__",
        "_bundled",
        "config",
        "dist-packages",
        "idlelib",
        "lib-dynload",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "test",
        "tests",
        "turtledemo",
    }
)
#: Characters after which a docstring is cut, between two of its paragraphs.
_PASSAGE: Final = 300
#: What is shorter says nothing that could be looked for.
_SHORTEST: Final = 12
#: What a question leaves behind is a document of at least this length.
_SHORTEST_ANSWER: Final = 100

_SENTENCE: Final = re.compile(r"(.{25,200}?)[.!?](?=\s|$)")
_BLANK_LINES: Final = re.compile(r"\n\s*\n")

_Named: TypeAlias = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question, and the one document that is known to answer it."""

    text: str
    document: DocumentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Documents, and questions whose answer is known."""

    documents: tuple[Document, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Docstring:
    """What one module, class or function says of itself, as paragraphs."""

    name: str
    module: str
    kind: str
    paragraphs: tuple[str, ...]

    def metadata(self) -> Mapping[str, Json]:
        """Return what a search may be narrowed by."""
        is_private = any(part.startswith("_") for part in self.name.split("."))
        package = self.module.partition(".")[0]
        return {
            "module": self.module,
            "package": package,
            "kind": self.kind,
            "private": is_private,
        }


def read_corpus(
    folder: Path | None = None, *, limit: int = DOCUMENTS, questions: int = QUESTIONS
) -> Corpus:
    """Return the corpus of a folder of sources: this Python's standard library if None.

    It has at most ``limit`` documents: those that answer a question, and a sample of the
    others, in the order of the sources.
    """
    root = folder or Path(sysconfig.get_paths()["stdlib"])
    documents: dict[DocumentId, Document] = {}
    texts: set[str] = set()
    asked: dict[str, list[DocumentId]] = {}
    for docstring in _docstrings(root):
        question, passages = _cut(docstring.paragraphs)
        for passage in passages:
            if passage in texts or len(passage) < _SHORTEST:
                continue
            texts.add(passage)
            name = _free(docstring.name, documents)
            documents[name] = Document(
                id=name, title=docstring.name, text=passage, metadata=docstring.metadata()
            )
            if question:
                asked.setdefault(question, []).append(name)
    # A sentence that two docstrings begin with asks for neither of them.
    fit = [Question(text=text, document=ids[0]) for text, ids in asked.items() if len(ids) == 1]
    chance = random.Random(_SEED)  # noqa: S311 - a sample, not a secret
    chosen = chance.sample(fit, min(questions, limit, len(fit)))
    chosen.sort(key=lambda one: one.document)
    kept = {one.document for one in chosen}
    others = [name for name in documents if name not in kept]
    kept.update(chance.sample(others, min(limit - len(kept), len(others))))
    return Corpus(
        documents=tuple(one for one in documents.values() if one.id in kept),
        questions=tuple(chosen),
    )


def _docstrings(root: Path) -> Iterator[_Docstring]:
    for path in _sources(root):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        module = module.removesuffix(".__init__")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # old sources have odd escapes
                tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, OSError):
            continue  # a template, or unreadable here: not a text of this corpus
        for name, node in [(module, tree), *_named(tree.body, within=module)]:
            text = ast.get_docstring(node)
            if text:
                yield _Docstring(
                    name=name,
                    module=module,
                    kind=_kind(node),
                    paragraphs=tuple(
                        flat
                        for paragraph in _BLANK_LINES.split(text)
                        if (flat := " ".join(paragraph.split()))
                    ),
                )


def _sources(root: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(root):
        # config-3.11-x86_64-linux-gnu and its like end in the machine's name.
        folders[:] = sorted(n for n in folders if n.partition("-3.")[0] not in _LEFT_OUT)
        yield from (Path(parent, name) for name in sorted(files) if name.endswith(".py"))


def _named(body: list[ast.stmt], *, within: str) -> Iterator[tuple[str, _Named]]:
    """Yield classes and functions with their dotted names, also those under if and try."""
    for statement in body:
        if isinstance(statement, _Named):
            name = f"{within}.{statement.name}"
            yield name, statement
            yield from _named(statement.body, within=name)
            continue
        for field in ("body", "orelse", "finalbody", "handlers"):
            for inner in getattr(statement, field, ()):
                if isinstance(inner, ast.ExceptHandler):
                    yield from _named(inner.body, within=within)
                else:
                    yield from _named([inner], within=within)


def _kind(node: _Named | ast.Module) -> str:
    if isinstance(node, ast.Module):
        return "module"
    return "class" if isinstance(node, ast.ClassDef) else "function"


def _cut(paragraphs: tuple[str, ...]) -> tuple[str, list[str]]:
    """Return the question that a docstring begins with, and what is left of it in passages.

    There is no question where the rest is too short to be found, or too long to be one
    document; then the passages are the whole docstring.
    """
    whole = " ".join(paragraphs)
    if sentence := _SENTENCE.match(whole):
        rest = whole[sentence.end() :].strip()
        if _SHORTEST_ANSWER <= len(rest) <= _PASSAGE:
            return sentence.group(1), [rest]
    passages: list[str] = []
    for paragraph in paragraphs:
        if passages and len(passages[-1]) + len(paragraph) < _PASSAGE:
            passages[-1] += " " + paragraph
        else:
            passages.append(paragraph)
    return "", passages


def _free(name: str, taken: Mapping[DocumentId, Document]) -> DocumentId:
    """Return the name, numbered when an earlier passage or namesake has it."""
    number, free = 1, DocumentId(name)
    while free in taken:
        number += 1
        free = DocumentId(f"{name}#{number}")
    return free
