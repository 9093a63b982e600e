"""What applications read of a hit."""

from repoint.domain.ids import DocumentId, Lsn
from repoint.ports.backend import ChunkPlace, Hit


def test_a_hit_has_the_names_of_the_json_output() -> None:
    hit = Hit(
        document=DocumentId("7"),
        slot=2,
        lsn=Lsn(9),
        score=0.5,
        text="third chunk",
        start=20,
        end=31,
        metadata={"group": "x"},
    )
    assert hit.id == "7"
    assert hit.chunk == ChunkPlace(number=2, start=20, end=31)
