"""Groundedness: what share of an answer's sentences its retrieved passages support.

It says whether an answer rests on what was retrieved, and nothing about truth: a passage may
be wrong, and a true sentence that no passage holds is not grounded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from repoint.domain.ids import DocumentId, QueryId

#: An end of a sentence: a full stop and what may close it, before a space; or a line's end.
#: Chinese and Japanese need no space.
_END: Final = re.compile(
    r"(?<=[.!?…])\s+|(?<=[.!?…][\"'\u201d\u2019)\]])\s+|(?<=[\u3002\uff01\uff1f])|[\r\n\u2028\u2029]+"
)
_WORD: Final = re.compile(r"\w")
#: A piece with fewer letters is no sentence: "Dr.", "1.", "e.g."; it belongs to what follows.
_SHORTEST: Final = 12


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved piece of a document, as an answer may rest on it."""

    document: DocumentId
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """One answer's verdict."""

    #: How many sentences were judged, at least one.
    sentences: int
    #: Which of them no passage supports, counted from 0 in ``sentences_of`` the answer.
    unsupported: tuple[int, ...] = ()

    @property
    def share(self) -> float:
        """The share of sentences that are supported."""
        return 1.0 - len(self.unsupported) / self.sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounding:
    """Whether the answers to a query set rest on what one release retrieved.

    It holds no answer's text.
    """

    #: The name by which the judge was asked for.
    judge: str
    #: What judged: method or model, and the version of its rules or prompt. Verdicts of two
    #: that differ are never compared.
    identity: str
    #: What made the answers, the version of its prompt included; empty: the query set has them.
    answered_by: str = ""
    #: How many passages each answer was held against, at most.
    passages: int
    verdicts: Mapping[QueryId, Support]
    #: Questions whose answer was not made or not judged, and why; they count as neither.
    failed: Mapping[QueryId, str] = field(default_factory=dict)
    #: Tokens that models took for answers and verdicts, as far as they say.
    tokens: int = 0

    @property
    def asked(self) -> int:
        """How many answers were to be judged."""
        return len(self.verdicts) + len(self.failed)

    @property
    def failed_share(self) -> float:
        """The share of them without a verdict."""
        return len(self.failed) / self.asked if self.asked else 0.0

    @property
    def mean(self) -> float | None:
        """The mean groundedness over what was judged; None of nothing."""
        if not self.verdicts:
            return None
        return math.fsum(one.share for one in self.verdicts.values()) / len(self.verdicts)

    def comparable(self, other: Grounding) -> bool:
        """Return whether verdicts of both may stand beside each other.

        What made the answers may differ, because releases have prompts of their own; whether
        they were made may not.
        """
        return (self.identity, self.passages, bool(self.answered_by)) == (
            other.identity,
            other.passages,
            bool(other.answered_by),
        )


def sentences_of(text: str) -> list[str]:
    """Return a text's sentences in order; short pieces belong to what follows them.

    Every letter and digit is in exactly one of them, so a text without any has none.
    """
    found: list[str] = []
    waiting = ""
    for piece in _pieces(text):
        waiting = f"{waiting} {piece}" if waiting else piece
        if len(_WORD.findall(waiting)) >= _SHORTEST:
            found.append(waiting)
            waiting = ""
    if waiting and _WORD.search(waiting):
        if found and len(_WORD.findall(waiting)) < _SHORTEST:
            found[-1] = f"{found[-1]} {waiting}"
        else:
            found.append(waiting)
    return found


def _pieces(text: str) -> Iterator[str]:
    for piece in _END.split(text):
        if piece and piece.strip():
            yield piece.strip()


def batches(sentences: Sequence[str], size: int) -> Iterator[range]:
    """Yield the places of the sentences, so many at a time."""
    for start in range(0, len(sentences), size):
        yield range(start, min(start + size, len(sentences)))
