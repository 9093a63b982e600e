"""The promises of ``ports.judge``, each as a test.

Subclass ``JudgeSuite`` and give it one fixture, ``judge``. Texts are such that any judge
agrees on them: a passage that says a sentence word for word, or is about something else.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from repoint.domain.errors import BadInputError
from repoint.domain.grounding import Passage, sentences_of
from repoint.domain.ids import DocumentId
from repoint.ports.judge import Judge
from repoint.testing.conformance import Suite

_LAVA: Final = "Basalt forms when lava cools quickly at the surface."
_NEST: Final = "Penguins nest on glaciers through the long winter."
_QUESTION: Final = "what is basalt?"


def _passages(*texts: str) -> list[Passage]:
    return [Passage(DocumentId(f"d{n}"), text) for n, text in enumerate(texts)]


class JudgeSuite(Suite):
    """What every judge of groundedness promises."""

    def test_every_sentence_is_judged_once(self, judge: Judge) -> None:
        """[every-sentence-once]: also of answers too long for one question to a model."""
        for answer in (_LAVA, f"{_LAVA} {_NEST}", " ".join([_LAVA, _NEST] * 40)):
            support = judge.judge(_QUESTION, answer, _passages(_LAVA)).support
            sentences = sentences_of(answer)
            assert support.sentences == len(sentences)
            wrong = tuple(place for place, one in enumerate(sentences) if one == _NEST)
            assert support.unsupported == wrong

    def test_no_passage_supports_nothing(self, judge: Judge) -> None:
        """[no-passage-no-support]: an answer rests on something, or on nothing."""
        assert judge.judge(_QUESTION, f"{_LAVA} {_NEST}", []).support.share == 0.0

    def test_an_answer_without_a_sentence_is_refused(self, judge: Judge) -> None:
        """[errors-are-not-zeros]: what cannot be judged has no verdict."""
        for answer in ("", " … ", "\n— —\n"):
            with pytest.raises(BadInputError):
                judge.judge(_QUESTION, answer, _passages(_LAVA))

    def test_many_threads_get_their_own_verdicts(self, judge: Judge) -> None:
        """[safe-in-threads]: as many as it says that it takes."""
        answers = [_LAVA, _NEST] * 8
        with ThreadPoolExecutor(judge.parallel) as pool:
            found = pool.map(
                lambda one: judge.judge(_QUESTION, one, _passages(_LAVA)).support.share, answers
            )
            assert list(found) == [1.0, 0.0] * 8

    def test_it_says_who_it_is(self, judge: Judge) -> None:
        """[identity-is-stable]: verdicts are compared by it."""
        assert judge.identity.strip()
        assert judge.identity == judge.identity
