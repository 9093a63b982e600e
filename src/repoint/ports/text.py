"""Who turns a document into the chunks that are embedded, and a question into query text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from repoint.domain.document import Chunk, Document


class Preparer(Protocol):
    """One release's preprocessing and chunking. Pure: the same input gives the same chunks."""

    @property
    def libraries(self) -> Mapping[str, str]:
        """Versions of the libraries in use that decide the text."""
        ...

    def prepare(self, document: Document) -> list[Chunk]:
        """Return the chunks in order; none when nothing is left of the text.

        Offsets are exact: ``prepared[start:end] == chunk.text``. Chunks cover every
        character of the prepared text that is not blank space between chunks.
        """
        ...

    def prepare_query(self, text: str) -> str:
        """Return the question after the same steps, without template and chunking."""
        ...
