"""Who judges whether an answer rests on its passages, and who makes answers from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from repoint.domain.grounding import Passage, Support


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a judge says of one answer, and what it took."""

    support: Support
    #: Tokens that a model took for it, as far as it says.
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer as it was made, and what it took."""

    text: str
    tokens: int = 0


class Judge(Protocol):
    """Says which sentences of an answer its passages support [safe-in-threads].

    A judge that cannot tell raises; it never counts as unsupported what it did not judge
    [errors-are-not-zeros].
    """

    @property
    def identity(self) -> str:
        """What judges, and by which version of its rules [identity-is-stable]."""
        ...

    @property
    def parallel(self) -> int:
        """How many answers it may be asked about at the same time."""
        ...

    def judge(self, question: str, answer: str, passages: Sequence[Passage]) -> Verdict:
        """Return the verdict on every sentence of the answer [every-sentence-once].

        Against no passage at all no sentence is supported [no-passage-no-support].

        Raises:
            BadInputError: the answer has no sentence to judge.
            InputRejectedError: the judge will never take this answer.
            MissingModelError: its key, model or path is wrong.
            UnavailableError: no usable verdict; ask again.
        """
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


class Answerer(Protocol):
    """Makes an answer from a filled prompt. Safe to use from many threads."""

    @property
    def identity(self) -> str:
        """What answers."""
        ...

    @property
    def parallel(self) -> int:
        """How many answers it may be asked for at the same time."""
        ...

    def answer(self, prompt: str) -> Answered:
        """Return the answer; raises as ``Judge.judge``."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


class Judges(Protocol):
    """Opens judges and answerers by the names that a workspace gives them."""

    def judge(self, name: str) -> Judge:
        """Return the judge of that name.

        Raises:
            NotFoundError: there is none; the error lists those there are.
            MissingModelError: the variable for its key is not set.
        """
        ...

    def answerer(self, name: str) -> Answerer:
        """Return what makes answers under that name; raises as ``judge``."""
        ...
