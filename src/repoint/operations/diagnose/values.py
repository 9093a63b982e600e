"""How a diagnosis looks, and what it tells while it does."""

from __future__ import annotations

from dataclasses import dataclass

from repoint.domain.diagnosis import Expense
from repoint.domain.errors import BadInputError
from repoint.domain.filters import Filter
from repoint.domain.queries import Questions


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Questions, and where they come from, for people."""

    questions: Questions
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How far a diagnosis goes."""

    #: The depth that counts.
    k: int = 10
    #: Questions that both releases are asked at most.
    questions: int = 150
    #: Failing questions, and others beside them, that causes are measured on.
    failing: int = 40
    others: int = 20
    #: Documents of the pool.
    documents: int = 400
    #: Stored documents that are embedded again.
    sample: int = 48
    #: Texts of documents that may be embedded in all.
    budget_texts: int = 4_000
    where: Filter | None = None
    #: The filter as it was written.
    filter_text: str = ""
    seed: int = 0

    def checked(self) -> Options:
        """Return the options if they make sense.

        Raises:
            BadInputError: a number is out of bounds.
        """
        if not 1 <= self.k <= 100:  # noqa: PLR2004 - the bound is in the message
            raise BadInputError(f"a depth of {self.k} is out of bounds", hint="1 to 100")
        for name in ("questions", "failing", "documents", "budget_texts"):
            if getattr(self, name) < 1:
                raise BadInputError(f"{name} must be at least 1")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a diagnosis is at."""

    says: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a diagnosis would look at and take, at most."""

    baseline: str
    source: str
    judged: bool
    documents: int
    expense: Expense
    budget_texts: int
