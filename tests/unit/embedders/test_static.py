from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from repoint.domain.errors import BadSpecError, MissingModelError
from repoint.domain.spec import ModelSpec
from repoint.embedders.static import StaticEmbedder
from repoint.ports.backend import FloatMatrix
from repoint.ports.embedder import Purpose
from repoint.wiring.clock import SystemClock

WORDS = ["red", "green", "blue"]
TABLE = np.array([[1, 0, 0], [0, 2, 0], [0, 0, 4]], dtype=np.float16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tokenizer = Tokenizer(
        WordLevel({**{w: n for n, w in enumerate(WORDS)}, "?": 3}, unk_token="?")  # noqa: S106 - no password
    )
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_padding(length=8)
    tokenizer.enable_truncation(1)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    save_file({"embedding.weight": TABLE}, tmp_path / "model.safetensors")
    return tmp_path


def embed(
    folder: Path, *texts: str, options: Mapping[str, str] | None = None, dimensions: int = 3
) -> FloatMatrix:
    model = ModelSpec(
        provider="static", dimensions=dimensions, location=str(folder), options=options or {}
    )
    embedder = StaticEmbedder.open(model, clock=SystemClock())
    return embedder.embed(texts, purpose=Purpose.DOCUMENT)


def test_a_text_is_the_mean_of_its_tokens_and_the_files_own_batch_settings_are_ignored(
    folder: Path,
) -> None:
    found = embed(folder, "red green", "", "blue", "unheard", "red unheard red blue")
    expected = [[0.5, 1, 0], [0, 0, 0], [0, 0, 4], [0, 0, 0], [2 / 3, 0, 4 / 3]]
    assert found.tolist() == pytest.approx(np.array(expected))


def test_fewer_dimensions_take_the_first_columns(folder: Path) -> None:
    assert embed(folder, "green", dimensions=2).tolist() == [[0, 2]]
    with pytest.raises(BadSpecError, match="only 3 columns"):
        embed(folder, "green", dimensions=4)


def test_max_tokens_cuts_a_text(folder: Path) -> None:
    model = ModelSpec(provider="static", dimensions=3, location=str(folder))
    cut = StaticEmbedder.open(replace(model, max_tokens=1), clock=SystemClock())
    assert cut.embed(["green red"], purpose=Purpose.QUERY).tolist() == [[0, 2, 0]]
    assert cut.count_tokens(["green red"]) == [2]


def test_many_long_texts_are_summed_in_parts_and_stay_in_order(folder: Path) -> None:
    texts = [WORDS[number % 3] + " red" * (number * 40) for number in range(60)]
    alone = np.concatenate([embed(folder, text) for text in texts])
    assert np.array_equal(embed(folder, *texts), alone)


def test_tokens_may_share_rows_and_have_weights(folder: Path) -> None:
    save_file(
        {
            "embeddings": np.array([[1, 1, 0], [0, 0, 2]], dtype=np.int8),
            "mapping": np.array([0, 1, 0], dtype=np.int64),
            "weights": np.array([1, 0.5, 3], dtype=np.float32),
        },
        folder / "model.safetensors",
    )
    assert embed(folder, "red", "green", "blue").tolist() == [[1, 1, 0], [0, 0, 1], [3, 3, 0]]


@pytest.mark.parametrize("ending", ["txt", "parquet"])
def test_a_table_of_whole_words_needs_no_tokenizer(tmp_path: Path, ending: str) -> None:
    np.save(tmp_path / "table.npy", TABLE)
    if ending == "txt":
        (tmp_path / "words.txt").write_text("\n".join(WORDS))
    else:
        parquet.write_table(pa.table({"index": WORDS}), tmp_path / "words.parquet")
    found = embed(tmp_path, "Red, unheard GREEN!", options={"words_file": f"words.{ending}"})
    assert found.tolist() == [[0.5, 1, 0]]


def test_of_two_tables_one_must_be_named(folder: Path) -> None:
    save_file({"a": TABLE, "b": TABLE * 2}, folder / "model.safetensors")
    with pytest.raises(BadSpecError, match="tables: a, b"):
        embed(folder, "red")
    assert embed(folder, "red", options={"tensor": "b"}).tolist() == [[2, 0, 0]]


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_broken_file_is_a_missing_model(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"{ broken")
    with pytest.raises(MissingModelError, match="cannot be read"):
        embed(folder, "red")


def test_files_that_are_not_there_are_missed_when_opening(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(MissingModelError, match="weights_file"):
        embed(folder)
