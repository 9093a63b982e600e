"""What an adopted collection has a place for: refuse the rest before it is embedded."""

from __future__ import annotations

from collections.abc import Mapping

from repoint.domain.adoption import Layout
from repoint.domain.document import Chunk, Document
from repoint.domain.errors import InputRejectedError
from repoint.ports.text import Preparer


class Fitting:
    """A release's preparation, for a collection with one vector a row and its own columns."""

    def __init__(self, preparer: Preparer, layout: Layout, *, model: str) -> None:
        self._preparer = preparer
        self._layout = layout
        self._model = model

    @property
    def libraries(self) -> Mapping[str, str]:
        """Versions of the libraries in use that decide the text."""
        return self._preparer.libraries

    def prepare(self, document: Document) -> list[Chunk]:
        """Return the one chunk, or none when nothing is left of the text.

        Raises:
            InputRejectedError: the team's collection has no place for the document.
        """
        chunks = self._preparer.prepare(document)
        why = self._layout.refuses(document)
        if len(chunks) > 1:
            why = f"its text makes {len(chunks)} chunks, and a row has one vector"
        if chunks and why:
            raise InputRejectedError(
                model=self._model, why=f"{self._layout.collection} cannot hold it: {why}"
            )
        return chunks

    def prepare_query(self, text: str) -> str:
        """Return the question after the same steps, without template and chunking."""
        return self._preparer.prepare_query(text)
