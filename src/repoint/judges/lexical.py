"""Word support: a judge without a model or a network, the same every time.

A sentence counts as supported when one passage holds most of its content words and all of its
numbers. It is honest about what it is: it sees words, not meaning. A paraphrase counts as
unsupported, a sentence that turns a passage's words round ("is not caused by") as supported,
and nothing here knows what is true. It tells a release that retrieves the sources of an answer
from one that does not, which is what a changed model or a damaged collection changes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from repoint.domain.errors import BadInputError
from repoint.domain.grounding import Passage, Support, sentences_of
from repoint.ports.judge import Verdict

#: The share of a sentence's content words that one passage must hold.
THRESHOLD: Final = 0.6

_TOKEN: Final = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['\u2019][^\W\d_]+)?|\w")
#: Scripts written without spaces, in which a run of characters is no word.
_UNSPACED: Final = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
#: A list's number or bullet, and a mark that names a passage: no part of what is said.
_MARKS: Final = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+|\[\d{1,2}\]")
#: Words that say nothing by themselves; those of other languages count as any word.
_FUNCTION: Final = frozenset(
    [
        "a",
        "about",
        "after",
        "all",
        "also",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "may",
        "might",
        "more",
        "most",
        "must",
        "no",
        "not",
        "of",
        "on",
        "one",
        "only",
        "or",
        "other",
        "our",
        "shall",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "too",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)


class LexicalJudge:
    """Holds each sentence's words against each passage's."""

    identity: Final = f"lexical-support/1, {THRESHOLD:.0%} of content words"
    parallel: Final = 1

    def judge(self, question: str, answer: str, passages: Sequence[Passage]) -> Verdict:
        """Return which sentences no passage supports by its words.

        Raises:
            BadInputError: the answer has no sentence to judge.
        """
        del question  # its words are no evidence
        sentences = sentences_of(answer)
        if not sentences:
            raise BadInputError("the answer has no sentence to judge")
        held = [frozenset(_words(passage.text)) for passage in passages]
        unsupported = tuple(
            place
            for place, sentence in enumerate(sentences)
            if not any(_supports(words, _claimed(sentence)) for words in held)
        )
        return Verdict(support=Support(sentences=len(sentences), unsupported=unsupported))

    def close(self) -> None:
        """Hold nothing, release nothing."""


def _supports(held: frozenset[str], claimed: frozenset[str]) -> bool:
    numbers = {word for word in claimed if word[0].isdigit()}
    return numbers <= held and len(claimed & held) >= THRESHOLD * len(claimed)


def _claimed(sentence: str) -> frozenset[str]:
    """Return a sentence's content words, or all of them where it has no others."""
    words = frozenset(_words(_MARKS.sub(" ", sentence))) or frozenset(_words(sentence))
    return words - _FUNCTION or words


def _words(text: str) -> list[str]:
    found: list[str] = []
    for token in _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold()):
        if _UNSPACED.search(token) and len(token) > 1:
            found += [token[place : place + 2] for place in range(len(token) - 1)]
        else:
            found.append(token)
    return found
