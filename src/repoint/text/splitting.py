"""Cutting a prepared text into chunks with exact offsets.

The cuts are semantic-text-splitter's: the largest unit that fits among paragraphs, lines,
sentences, words, graphemes. Its time grows with the square of an unbroken stretch (a megabyte
without a line end takes many seconds), so long texts are cut through a sliding window.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from repoint.domain.errors import BadSpecError
from repoint.domain.spec import ChunkingSpec, ChunkUnit

if TYPE_CHECKING:
    from semantic_text_splitter import TextSplitter

#: Counts a text's tokens, or is the path of a model's ``tokenizer.json``.
Tokenizer: TypeAlias = Callable[[str], int] | Path

#: Characters given to the splitter at once.
_WINDOW = 32_768
#: A window holds at least this many chunks.
_CHUNKS_A_WINDOW = 8


class Splitter:
    """Cuts texts by one chunking spec. Safe to use from many threads."""

    def __init__(self, spec: ChunkingSpec, *, tokenizer: Tokenizer | None) -> None:
        """Make it ready.

        Raises:
            BadSpecError: the overlap is not below the size, or tokens are to be counted
                and the model has no tokenizer here.
        """
        self._size = spec.size
        self._splitter = (
            _splitter(spec, spec.size, tokenizer) if spec.size is not None else None
        )

    def split(self, text: str) -> Iterator[tuple[int, str]]:
        """Yield each chunk with the offset of its first character; blank space is trimmed."""
        if self._splitter is None or self._size is None:
            if text and not text.isspace():
                yield 0, text
            return
        start, window = 0, max(_WINDOW, _CHUNKS_A_WINDOW * self._size)
        while start + window < len(text):
            chunks = self._splitter.chunk_indices(text[start : start + window])
            if len(chunks) == 1:  # a token may be many characters: this window was too small
                window *= 2
                continue
            # The window's end cut its last chunk short: the next window begins with it.
            yield from ((start + offset, chunk) for offset, chunk in chunks[:-1])
            start = start + chunks[-1][0] if chunks else start + window
        for offset, chunk in self._splitter.chunk_indices(text[start:]):
            yield start + offset, chunk


def _splitter(spec: ChunkingSpec, size: int, tokenizer: Tokenizer | None) -> TextSplitter:
    from semantic_text_splitter import TextSplitter  # noqa: PLC0415  # whole texts need none

    if size < 1:
        raise _bad("chunking.size", "a chunk holds at least 1")
    if not 0 <= spec.overlap < size:
        raise _bad("chunking.overlap", f"{spec.overlap} is not below the chunk size {size}")
    if spec.unit is ChunkUnit.CHARACTERS:
        return TextSplitter(size, overlap=spec.overlap)
    if tokenizer is None:
        raise _bad(
            "chunking.unit",
            "this model brings no tokenizer to count with",
            hint="write unit: characters",
        )
    if isinstance(tokenizer, Path):
        return TextSplitter.from_huggingface_tokenizer_str(
            _whole(tokenizer), size, overlap=spec.overlap
        )
    return TextSplitter.from_callback(tokenizer, size, overlap=spec.overlap)


def _whole(path: Path) -> str:
    """Return the tokenizer without its own truncation and padding, which would cap counts."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["truncation"] = content["padding"] = None
        return json.dumps(content, ensure_ascii=False)
    except (OSError, ValueError, TypeError) as error:
        raise _bad("chunking.unit", f"cannot read the tokenizer {path}: {error}") from error


def _bad(field: str, why: str, hint: str = "") -> BadSpecError:
    return BadSpecError(source="release spec", field=field, why=why, hint=hint)
