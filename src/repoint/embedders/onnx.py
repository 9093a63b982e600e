"""Transformer models on this machine: an ONNX graph and a tokenizer, without torch.

The graph is opened when it is first needed, so a release can be looked at on a machine
that has no memory for its model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Encoding, Tokenizer

from repoint import model_files
from repoint.domain.errors import BadSpecError, InputRejectedError, MissingModelError
from repoint.domain.options import Options
from repoint.domain.spec import ModelSpec, Pooling
from repoint.ports.backend import FloatMatrix
from repoint.ports.clock import Clock
from repoint.ports.embedder import EmbedderTraits, Purpose

_Integer: TypeAlias = type[np.int64] | type[np.int32]
_Column: TypeAlias = npt.NDArray[np.int64 | np.int32]

#: Texts in one run of the graph; they are neighbours in length, so little is padding.
_RUN: Final = 16
_TOKENIZER_ENDINGS: Final = ("tokenizer.json", "tokenizer_config.json")
#: Inputs that this driver can fill.
_INPUTS: Final = ("input_ids", "attention_mask", "token_type_ids")
_INTEGERS: Final[Mapping[str, _Integer]] = {
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
#: What exporters call the output that is wanted, where a graph has several that fit.
_USUAL_OUTPUTS: Final = ("last_hidden_state", "token_embeddings", "sentence_embedding")


class _Node(Protocol):
    """An input or output of a graph."""

    name: str
    type: str
    shape: list[int | str | None]


class _Session(Protocol):
    """The part of onnxruntime's session in use here; the engine ships no types."""

    def get_inputs(self) -> list[_Node]: ...
    def get_outputs(self) -> list[_Node]: ...
    def run(
        self, outputs: list[str], feed: Mapping[str, _Column]
    ) -> list[npt.NDArray[np.float32]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graph:
    """An opened graph with the names to feed and to fetch."""

    session: _Session
    inputs: Mapping[str, _Integer]
    output: str
    dimensions: int | None


class OnnxEmbedder:
    """A model file and a tokenizer file, run by onnxruntime."""

    def __init__(
        self,
        model: ModelSpec,
        *,
        model_file: Path,
        tokenizer_file: Path,
        output: str,
        threads: int,
    ) -> None:
        self._model = model
        self._name = model.name or model_file.stem
        self._model_file = model_file
        self._tokenizer_file = tokenizer_file
        self._output = output
        self._threads = threads
        self._lock = Lock()
        self._graph: _Graph | None = None
        self._tokenizers: tuple[Tokenizer, Tokenizer] | None = None
        self._revision = ""

    @classmethod
    def open(cls, model: ModelSpec, *, clock: Clock) -> OnnxEmbedder:
        """Return the embedder that the spec describes, its files found and not yet read.

        Options: ``model_file``, within the location; ``tokenizer``, the location of
        another package's or folder's tokenizer, or of the file itself; ``output``, by
        name; ``threads``, 0 for as many as there are cores; ``truncate``.

        Raises:
            BadSpecError: an option is unknown or of the wrong type.
            MissingModelError: a file or package is not there.
        """
        del clock  # nothing here waits or tells the time
        name = model.name or "onnx"
        options = Options(model.options, source=f"model {name}")
        model_file = options.text("model_file")
        tokenizer = options.text("tokenizer") or model.location
        output = options.text("output")
        threads = options.integer("threads", 0, least=0)
        options.flag("truncate", default=False)  # read by operations.embedding
        options.finish()
        folder = model_files.locate(name, model.location)
        return cls(
            model,
            model_file=model_files.pick(
                name, folder, named=model_file, endings=(".onnx",), option="model_file"
            ),
            tokenizer_file=model_files.pick_at(
                name, tokenizer, endings=_TOKENIZER_ENDINGS, option="tokenizer"
            ),
            output=output,
            threads=threads,
        )

    @property
    def dimensions(self) -> int:
        """The last axis of the graph's output; what the spec says where the graph is silent."""
        return self._opened().dimensions or self._model.dimensions

    @property
    def revision(self) -> str:
        """SHA-256 over the graph, weights kept beside it, and the tokenizer."""
        with self._lock:
            if not self._revision:
                # Graphs over 2 GB keep their weights in model.onnx_data or model.onnx.data.
                beside = sorted(
                    self._model_file.parent.glob(f"{self._model_file.name}[._]data*")
                )
                files = [self._model_file, *beside, self._tokenizer_file]
                self._revision = model_files.digest(files)
            return self._revision

    @property
    def traits(self) -> EmbedderTraits:
        """One call keeps every core busy; a batch may change the last bits."""
        return EmbedderTraits(batch=128, parallel=1, remote=False, bit_stable=False)

    @property
    def tokenizer(self) -> Path:
        """The file to count tokens with where chunks are measured in them."""
        return self._tokenizer_file

    def embed(self, texts: Sequence[str], *, purpose: Purpose) -> FloatMatrix:
        """Return one row a text, in order; runs are made of texts of like length.

        Raises:
            InputRejectedError: a text is no Unicode, or longer than the graph can take.
        """
        del purpose
        graph = self._opened()
        rows = np.empty((len(texts), self.dimensions), dtype=np.float32)
        if not texts:
            return rows
        encodings = self._encode(self._tokenizer(), texts)
        order = np.argsort([len(one.ids) for one in encodings], kind="stable")
        for start in range(0, len(order), _RUN):
            places = order[start : start + _RUN]
            rows[places] = self._run(graph, [encodings[place] for place in places])
        return rows

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens before truncation, special tokens included."""
        return [len(one.ids) for one in self._encode(self._tokenizer(whole=True), texts)]

    def close(self) -> None:
        """Let graph and tokenizer go; the next call opens them again."""
        with self._lock:
            self._graph = None
            self._tokenizers = None

    def _encode(self, tokenizer: Tokenizer, texts: Sequence[str]) -> list[Encoding]:
        try:
            return tokenizer.encode_batch_fast(list(texts))
        except (TypeError, UnicodeEncodeError) as error:
            why = "a text is no valid Unicode"
            raise InputRejectedError(model=self._name, why=why, texts=len(texts)) from error

    def _run(self, graph: _Graph, encodings: Sequence[Encoding]) -> FloatMatrix:
        longest = max(1, *(len(one.ids) for one in encodings))
        shape = (len(encodings), longest)
        columns: dict[str, _Column] = {
            name: np.zeros(shape, dtype=kind) for name, kind in graph.inputs.items()
        }
        mask = np.zeros(shape, dtype=np.float32)
        for row, one in enumerate(encodings):
            length = len(one.ids)
            mask[row, :length] = one.attention_mask
            columns["input_ids"][row, :length] = one.ids
            if "attention_mask" in columns:
                columns["attention_mask"][row, :length] = one.attention_mask
            if "token_type_ids" in columns:
                columns["token_type_ids"][row, :length] = one.type_ids
        try:
            (found,) = graph.session.run([graph.output], columns)
        except Exception as error:  # its errors have no common base that it exports
            raise InputRejectedError(
                model=self._name,
                why=f"the graph failed on {len(encodings)} texts of up to {longest} tokens; "
                "if that is longer than it can take, set max_tokens",
                texts=len(encodings),
            ) from error
        return self._pool(np.asarray(found, dtype=np.float32), mask)

    def _pool(self, found: FloatMatrix, mask: FloatMatrix) -> FloatMatrix:
        match self._model.pooling:
            case Pooling.NONE:
                return found
            case Pooling.CLS:
                first: FloatMatrix = found[:, 0]
                return first
            case Pooling.MEAN:
                summed = np.einsum("btd,bt->bd", found, mask)
                counts = np.maximum(mask.sum(axis=1, keepdims=True), 1)
                mean: FloatMatrix = summed / counts
                return mean

    def _tokenizer(self, *, whole: bool = False) -> Tokenizer:
        with self._lock:
            if self._tokenizers is None:
                self._tokenizers = (self._read_tokenizer(), self._read_tokenizer())
                if self._model.max_tokens is not None:
                    self._tokenizers[0].enable_truncation(self._model.max_tokens)
            return self._tokenizers[whole]

    def _read_tokenizer(self) -> Tokenizer:
        try:
            tokenizer = Tokenizer.from_file(str(self._tokenizer_file))
        except Exception as error:  # it raises nothing narrower
            raise MissingModelError(
                model=self._name,
                why=f"{self._tokenizer_file} is no tokenizer: {error}",
                hint="set the option tokenizer to a tokenizer.json",
            ) from error
        # A file may carry its author's batch settings; the spec alone decides here.
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    def _opened(self) -> _Graph:
        with self._lock:
            if self._graph is None:
                self._graph = self._open_graph()
            return self._graph

    def _open_graph(self) -> _Graph:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = self._threads
        settings.log_severity_level = 3
        # Threads that spin while they wait take the cores from whatever else runs here.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session: _Session = onnxruntime.InferenceSession(
                str(self._model_file), settings, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no common base that it exports
            raise MissingModelError(
                model=self._name,
                why=f"{self._model_file} is no ONNX graph that onnxruntime can run: {error}",
                hint="restore the file; see its digest in the release",
            ) from error
        inputs: dict[str, _Integer] = {}
        for node in session.get_inputs():
            if node.name not in _INPUTS or node.type not in _INTEGERS:
                raise self._unfit(f"the graph asks for {node.name} ({node.type})")
            inputs[node.name] = _INTEGERS[node.type]
        if "input_ids" not in inputs:
            raise self._unfit("the graph does not ask for input_ids")
        output = self._choose(session.get_outputs())
        width = output.shape[-1]
        return _Graph(
            session=session,
            inputs=inputs,
            output=output.name,
            dimensions=width if isinstance(width, int) else None,
        )

    def _choose(self, outputs: Sequence[_Node]) -> _Node:
        rank = 2 if self._model.pooling is Pooling.NONE else 3
        fit = [one for one in outputs if "float" in one.type and len(one.shape) == rank]
        if self._output:
            fit = [one for one in fit if one.name == self._output]
        usual = [one for one in fit if one.name in _USUAL_OUTPUTS]
        if len(fit) == 1 or len(usual) == 1:
            return (usual or fit)[0]
        raise BadSpecError(
            source=f"model {self._name}",
            field="options.output",
            why=f"{len(fit)} outputs of the graph fit pooling {self._model.pooling.value!r}",
            hint=f"outputs: {', '.join(_described(outputs))}",
        )

    def _unfit(self, why: str) -> MissingModelError:
        return MissingModelError(
            model=self._name,
            why=f"{why}, so it is no text model that this driver can run",
            hint=f"inputs must be among {', '.join(_INPUTS)}",
        )


def _described(nodes: Iterable[_Node]) -> list[str]:
    return [f"{node.name} {node.type} of {len(node.shape)} axes" for node in nodes]
