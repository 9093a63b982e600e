"""What a sync takes at a time fits model and backlog; what a caller says comes first."""

import pytest

from repoint.operations.sync import Limits
from repoint.operations.sync.sizes import USUAL, Sizes
from repoint.ports.embedder import EmbedderTraits

MANY = 1_000_000


def traits(*, batch: int, parallel: int = 1, remote: bool = False) -> EmbedderTraits:
    return EmbedderTraits(batch=batch, parallel=parallel, remote=remote, bit_stable=True)


@pytest.mark.parametrize(
    ("model", "dimensions", "wanted"),
    [
        (traits(batch=128), 384, USUAL),
        (traits(batch=512, parallel=2), 256, 4096),
        # Long vectors: more texts would be a larger request, not a cheaper one.
        (traits(batch=512), 1024, USUAL),
        # Another company's machine is paid for each text that a crash repeats.
        (traits(batch=2048, remote=True), 256, USUAL),
    ],
)
def test_a_cheap_local_model_takes_more_at_a_time(
    model: EmbedderTraits, dimensions: int, wanted: int
) -> None:
    sizes = Sizes.of(Limits(), model, waiting=MANY, dimensions=dimensions)
    assert (sizes.range_rows, sizes.texts) == (wanted, wanted)


def test_a_short_backlog_is_cut_so_that_writing_and_embedding_overlap() -> None:
    model = traits(batch=64, parallel=2)
    assert Sizes.of(Limits(), model, waiting=1600, dimensions=8).range_rows == 200
    assert Sizes.of(Limits(), model, waiting=100, dimensions=8).range_rows == 64
    assert Sizes.of(Limits(), model, waiting=0, dimensions=8).range_rows == 64


def test_what_the_caller_says_is_never_exceeded() -> None:
    limits = Limits(range_rows=4, slab_texts=6)
    sizes = Sizes.of(limits, traits(batch=512), waiting=MANY, dimensions=8)
    assert (sizes.range_rows, sizes.texts) == (4, 6)
