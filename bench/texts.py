"""Texts for benchmarks: passages of the language reference that ships with Python."""

from __future__ import annotations

import random
import re
from functools import lru_cache
from pydoc_data.topics import topics

from repoint.domain.document import Document
from repoint.domain.ids import DocumentId

#: About a hundred tokens, about six hundred characters.
WORDS = 85


@lru_cache(maxsize=1)
def words() -> list[str]:
    """Return the words of the language reference, in order."""
    return re.findall(r"\S+", " ".join(topics[name] for name in sorted(topics)))


def passages(count: int, *, seed: int, length: int = WORDS) -> list[str]:
    """Return passages that begin at random places; hardly two are equal."""
    pool = words()
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    starts = [chance.randrange(len(pool) - length) for _ in range(count)]
    return [
        f"{number}: " + " ".join(pool[at : at + length]) for number, at in enumerate(starts)
    ]


def documents(count: int, *, seed: int) -> list[Document]:
    """Return documents with a field to filter on."""
    return [
        Document(id=DocumentId(f"d{number}"), text=text, metadata={"group": f"g{number % 10}"})
        for number, text in enumerate(passages(count, seed=seed))
    ]
