"""One release's text preparation: template, steps, then chunks (``ports.text.Preparer``)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from repoint.domain.document import Chunk, Document
from repoint.domain.errors import BadSpecError, InputRejectedError, RefusedError
from repoint.domain.spec import ChunkingSpec, ChunkUnit, ReleaseSpec
from repoint.text.splitting import Splitter, Tokenizer
from repoint.text.steps import STEPS, TextStep, library_version

_PLACE: Final = re.compile(r"\{(title|text)\}")


class Preparation:
    """Turns documents into chunks as one release wants them. Safe to use from many threads."""

    def __init__(
        self,
        *,
        model: str,
        template: str,
        steps: Sequence[TextStep],
        splitter: Splitter,
        libraries: Mapping[str, str],
    ) -> None:
        self._model = model
        self._template = template
        self._steps = tuple(step.apply for step in steps)
        self._splitter = splitter
        self._libraries = libraries

    @classmethod
    def of(cls, spec: ReleaseSpec, *, tokenizer: Tokenizer | None = None) -> Preparation:
        """Return the preparation that a release asks for.

        ``tokenizer`` is needed where chunks are counted in tokens.

        Raises:
            BadSpecError: a step is unknown, the template takes nothing of the document, or
                the chunking cannot be done.
        """
        unknown = [name for name in spec.text.steps if name not in STEPS]
        if unknown:
            raise BadSpecError(
                source="release spec",
                field="text.steps",
                why=f"there is no step {unknown[0]!r}",
                hint=f"steps: {', '.join(STEPS)}",
            )
        if _PLACE.search(spec.text.template) is None:
            raise BadSpecError(
                source="release spec",
                field="text.template",
                why="it takes neither {title} nor {text}, so every document would be the same",
            )
        steps = [STEPS[name] for name in spec.text.steps]
        return cls(
            model=spec.model.name or spec.model.provider,
            template=spec.text.template,
            steps=steps,
            splitter=Splitter(spec.chunking, tokenizer=tokenizer),
            libraries=_libraries(steps, spec.chunking, tokenizer),
        )

    @property
    def libraries(self) -> Mapping[str, str]:
        """Versions of the libraries in use that decide the text."""
        return self._libraries

    def prepared(self, document: Document) -> str:
        """Return the whole text that chunks are cut from.

        Raises:
            InputRejectedError: it holds half of a surrogate pair, which no model reads.
            RefusedError: its content is kept elsewhere, and nobody read it.
        """
        if document.reference is not None:  # an empty text would pass for its content
            raise RefusedError(f"the content of {document.id!r} was not read from its source")
        parts = {"title": document.title, "text": document.text}
        # In one pass, so that a title with "{text}" in it stays what it is.
        return self._stepped(_PLACE.sub(lambda place: parts[place[1]], self._template))

    def prepare(self, document: Document) -> list[Chunk]:
        """Return the chunks in order; none when nothing is left of the text.

        Raises:
            InputRejectedError: it holds half of a surrogate pair, which no model reads.
        """
        return [
            Chunk.of(text, start=start, end=start + len(text))
            for start, text in self._splitter.split(self.prepared(document))
        ]

    def prepare_query(self, text: str) -> str:
        """Return the question after the same steps, without template and chunking.

        Raises:
            InputRejectedError: it holds half of a surrogate pair, which no model reads.
        """
        return self._stepped(text)

    def _stepped(self, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputRejectedError(
                model=self._model,
                why=f"half of a surrogate pair at character {error.start + 1}",
            ) from error
        for step in self._steps:
            text = step(text)
        return text.strip()


def _libraries(
    steps: Sequence[TextStep], chunking: ChunkingSpec, tokenizer: Tokenizer | None
) -> Mapping[str, str]:
    names = {step.library for step in steps if step.library}
    if chunking.size is not None:
        names.add("semantic-text-splitter")
        if chunking.unit is ChunkUnit.TOKENS and isinstance(tokenizer, Path):
            names.add("tokenizers")
    return MappingProxyType({name: library_version(name) for name in sorted(names)})
