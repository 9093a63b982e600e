"""Tables of token vectors: a text is the mean of its tokens' rows.

A thousand times faster than a transformer on this machine, and often good enough; also
what a weak model looks like when a release has to be rolled back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from tokenizers import Encoding, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import BertPreTokenizer

from repoint import model_files
from repoint.domain.errors import BadSpecError, InputRejectedError, MissingModelError
from repoint.domain.options import Options
from repoint.domain.spec import ModelSpec
from repoint.ports.backend import FloatMatrix
from repoint.ports.clock import Clock
from repoint.ports.embedder import EmbedderTraits, Purpose

_TOKENIZER_ENDINGS: Final = ("tokenizer.json", "tokenizer_config.json")
_WORD_ENDINGS: Final = (".txt", ".parquet")
#: Rows gathered at once: few enough to stay in the processor's cache, twice as fast as many.
_GATHERED: Final = 2_048
#: Stands for every word that the table lacks; no text can hold it as a word.
_UNKNOWN: Final = "\0"
#: A table has rows and columns.
_TABLE_AXES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """Rows by token id, perhaps through a second table of row numbers and weights."""

    rows: FloatMatrix
    mapping: npt.NDArray[np.int64] | None
    weights: npt.NDArray[np.float32] | None
    tokenizer: Tokenizer

    @property
    def tokens(self) -> int:
        return len(self.rows) if self.mapping is None else len(self.mapping)

    def gather(self, ids: npt.NDArray[np.int64]) -> FloatMatrix:
        found: FloatMatrix = self.rows[ids if self.mapping is None else self.mapping[ids]]
        if self.weights is None:
            return found
        weighted: FloatMatrix = found * self.weights[ids, None]
        return weighted


class StaticEmbedder:
    """A table of vectors and the tokenizer that names its rows, all in numpy."""

    def __init__(
        self, model: ModelSpec, *, weights_file: Path, tokens_file: Path, tensor: str
    ) -> None:
        self._model = model
        self._name = model.name or weights_file.stem
        self._weights_file = weights_file
        self._tokens_file = tokens_file
        self._tensor = tensor
        self._lock = Lock()
        self._table: _Table | None = None
        self._revision = ""

    @classmethod
    def open(cls, model: ModelSpec, *, clock: Clock) -> StaticEmbedder:
        """Return the embedder that the spec describes, its files found and not yet read.

        Options: ``weights_file``, within the location, ``.safetensors`` or ``.npy``;
        ``tokenizer_file``, or for tables of whole words ``words_file`` (one word a row,
        ``.txt`` or ``.parquet``); ``tensor``, by name. Fewer ``dimensions`` than the
        table has columns take the first ones.

        Raises:
            BadSpecError: an option is unknown or of the wrong type.
            MissingModelError: a file or package is not there.
        """
        del clock  # nothing here waits or tells the time
        name = model.name or "static"
        options = Options(model.options, source=f"model {name}")
        weights, tensor = options.text("weights_file"), options.text("tensor")
        tokenizer, words = options.text("tokenizer_file"), options.text("words_file")
        options.finish()
        folder = model_files.locate(name, model.location)
        return cls(
            model,
            weights_file=model_files.pick(
                name,
                folder,
                named=weights,
                endings=(".safetensors", ".npy"),
                option="weights_file",
            ),
            tokens_file=model_files.pick(
                name,
                folder,
                named=words or tokenizer,
                endings=_WORD_ENDINGS if words else _TOKENIZER_ENDINGS,
                option="words_file" if words else "tokenizer_file",
            ),
            tensor=tensor,
        )

    @property
    def dimensions(self) -> int:
        """As many columns as the spec takes; all of them where it does not say."""
        return self._model.dimensions or self._loaded().rows.shape[1]

    @property
    def revision(self) -> str:
        """SHA-256 over the table and the tokenizer."""
        with self._lock:
            if not self._revision:
                self._revision = model_files.digest([self._weights_file, self._tokens_file])
            return self._revision

    @property
    def traits(self) -> EmbedderTraits:
        """A sum does not depend on its neighbours; one call alone uses a core and a half."""
        return EmbedderTraits(batch=512, parallel=2, remote=False, bit_stable=True)

    def tokenizer(self, text: str) -> int:
        """Return the number of tokens, where chunks are measured in them."""
        return self.count_tokens([text])[0]

    def embed(self, texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        """Return one row a text, in order; zeros for one without a known token.

        Raises:
            InputRejectedError: a text is no Unicode.
        """
        del purpose
        table = self._loaded()
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        ids = [self._known(table, one) for one in self._encode(table.tokenizer, texts)]
        ends = np.cumsum([len(one) for one in ids], dtype=np.int64)
        start = 0
        while start < len(ids):
            base = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, base + _GATHERED, side="right")))
            rows[start:stop] = _means(table, ids[start:stop], self.dimensions)
            start = stop
        return rows

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens, unknown ones included, before truncation."""
        return [len(one.ids) for one in self._encode(self._loaded().tokenizer, texts)]

    def close(self) -> None:
        """Let the table go; the next call reads it again."""
        with self._lock:
            self._table = None

    def _encode(self, tokenizer: Tokenizer, texts: Sequence[str]) -> list[Encoding]:
        try:
            return tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        except (TypeError, UnicodeEncodeError) as error:
            why = "a text is no valid Unicode"
            raise InputRejectedError(model=self._name, why=why, texts=len(texts)) from error

    def _known(self, table: _Table, encoding: Encoding) -> npt.NDArray[np.int64]:
        ids = np.array(encoding.ids, dtype=np.int64)
        known: npt.NDArray[np.int64] = ids[ids < table.tokens][: self._model.max_tokens]
        return known

    def _loaded(self) -> _Table:
        with self._lock:
            if self._table is None:
                self._table = self._read()
            return self._table

    def _read(self) -> _Table:
        try:
            rows, mapping, weights = self._tensors()
            tokenizer = _tokenizer(self._tokens_file)
        except (SafetensorError, ValueError, OSError) as error:
            raise MissingModelError(
                model=self._name,
                why=f"its files cannot be read: {error}",
                hint="restore the files; see their digest in the release",
            ) from error
        if rows.shape[1] < self._model.dimensions:
            raise BadSpecError(
                source=f"model {self._name}",
                field="dimensions",
                why=f"the table has only {rows.shape[1]} columns",
            )
        columns = np.ascontiguousarray(rows[:, : self._model.dimensions or None])
        return _Table(rows=columns, mapping=mapping, weights=weights, tokenizer=tokenizer)

    def _tensors(
        self,
    ) -> tuple[FloatMatrix, npt.NDArray[np.int64] | None, npt.NDArray[np.float32] | None]:
        if self._weights_file.suffix == ".npy":
            return (
                np.load(self._weights_file, allow_pickle=False).astype(np.float32),
                None,
                None,
            )
        with safe_open(self._weights_file, framework="np") as stored:
            names = list(stored.keys())
            tables = [n for n in names if len(stored.get_slice(n).get_shape()) == _TABLE_AXES]
            wanted = [n for n in tables if not self._tensor or n == self._tensor]
            if len(wanted) != 1:
                raise BadSpecError(
                    source=f"model {self._name}",
                    field="options.tensor",
                    why=f"{len(wanted)} tables in {self._weights_file.name} could be it",
                    hint=f"tables: {', '.join(tables)}",
                )
            # Small vocabularies keep one row for many tokens: token -> row, token -> weight.
            mapping = stored.get_tensor("mapping") if "mapping" in names else None
            weights = stored.get_tensor("weights") if "weights" in names else None
            return (
                stored.get_tensor(wanted[0]).astype(np.float32),
                None if mapping is None else mapping.astype(np.int64),
                None if weights is None else weights.astype(np.float32),
            )


def _means(table: _Table, ids: Sequence[npt.NDArray[np.int64]], dimensions: int) -> FloatMatrix:
    lengths = np.array([len(one) for one in ids])
    means = np.zeros((len(ids), dimensions), dtype=np.float32)
    filled = np.flatnonzero(lengths)
    if filled.size:
        # Texts without tokens are left out: reduceat gives a neighbour's row for them.
        starts = np.concatenate(([0], np.cumsum(lengths[filled])[:-1]))
        gathered = table.gather(np.concatenate([one for one in ids if len(one)]))
        sums = np.add.reduceat(gathered, starts, axis=0)
        means[filled] = sums / lengths[filled, None].astype(np.float32)
    return means


def _tokenizer(path: Path) -> Tokenizer:
    if path.suffix == ".json":
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # it raises nothing narrower
            raise ValueError(f"{path} is no tokenizer: {error}") from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer
    words = _words(path)
    # The unknown word's number lies behind the table, so it is dropped like any such.
    numbers = {word: number for number, word in enumerate(words)} | {_UNKNOWN: len(words)}
    whole = Tokenizer(WordLevel(numbers, unk_token=_UNKNOWN))
    whole.normalizer = Lowercase()
    whole.pre_tokenizer = BertPreTokenizer()
    return whole


def _words(path: Path) -> list[str]:
    if path.suffix == ".parquet":
        from pyarrow import parquet  # noqa: PLC0415 - slow to import, rarely needed

        column: list[str] = parquet.read_table(path).column(0).to_pylist()
        return column
    return path.read_text("utf-8").splitlines()
