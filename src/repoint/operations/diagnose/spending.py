"""What a diagnosis may spend, and what it spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from repoint.domain.diagnosis import Expense
from repoint.domain.spec import ModelSpec
from repoint.operations.embedding import Embedding


@dataclass(slots=True)
class Purse:
    """Texts that may still be embedded, and everything that was asked for so far."""

    #: How many texts all documents together may cost.
    texts: int
    spent: int = 0
    questions: int = 0
    searches: int = 0
    tokens: int = 0
    money: float | None = None
    #: What was not looked at, and why.
    left_out: list[str] = field(default_factory=list)

    def allows(self, texts: int, *, what: str) -> bool:
        """Return whether so many texts may be embedded; a no is noted."""
        if self.spent + texts <= self.texts:
            return True
        self.left_out.append(
            f"{what}: {texts:,} texts to embed, and {self.texts - self.spent:,} of "
            f"{self.texts:,} are left (--budget-texts)"
        )
        return False

    def pay(self, model: ModelSpec, embedding: Embedding, texts: Sequence[str]) -> None:
        """Note documents that were embedded."""
        self.spent += len(texts)
        self._count(model, embedding.count_tokens(texts))

    def pay_questions(
        self, model: ModelSpec, embedding: Embedding, texts: Sequence[str]
    ) -> None:
        """Note questions that were embedded."""
        self.questions += len(texts)
        self._count(model, embedding.count_query_tokens(texts))

    def expense(self) -> Expense:
        """Return what it was."""
        return Expense(
            questions=self.questions,
            searches=self.searches,
            texts=self.spent,
            tokens=self.tokens,
            money=self.money,
        )

    def _count(self, model: ModelSpec, tokens: int) -> None:
        self.tokens += tokens
        price = model.price_per_million_tokens
        if price is not None:
            self.money = (self.money or 0.0) + price * tokens / 1_000_000
