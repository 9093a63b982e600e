"""What a LanceDB collection was told to forget is in none of its files."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from repoint.backends.lancedb import forgetting
from repoint.backends.lancedb.backend import LanceBackend
from repoint.backends.lancedb.collection import LanceCollection
from repoint.domain.document import Chunk, Entry
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, Lsn
from repoint.domain.spec import AnnKind, AnnSpec, Distance
from repoint.ports.backend import CollectionSpec, SpaceMatrix, SpaceVector

SPACE: Final = Fingerprint("f" * 64)
NAME: Final = CollectionName("docs_v1")
DIMENSIONS: Final = 8
COUNT: Final = 600
GONE: Final = (7, 8)


def vectors() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(5).standard_normal((COUNT, DIMENSIONS)).astype(np.float32)


def entry(number: int, *, lsn: int, emptied: bool = False) -> Entry:
    words = [f"w{number * step % 299}" for step in range(30)]
    text = " ".join([*words, f"secretword{number}"])
    return Entry(
        document=DocumentId(f"d{number}"),
        lsn=Lsn(lsn),
        chunks=() if emptied else (Chunk.of(text, start=0, end=len(text)),),
        slots=1,
        metadata={"mail": f"person{number}@example.org"},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "collections"


@pytest.fixture
def collection(folder: Path) -> Iterator[LanceCollection]:
    """Six hundred documents with every index there is, in files of many rows."""
    backend = LanceBackend(folder)
    made = backend.create(
        CollectionSpec(
            name=NAME,
            fingerprint=SPACE,
            dimensions=DIMENSIONS,
            distance=Distance.L2,
            ann=AnnSpec(kind=AnnKind.IVF_FLAT),
            lexical=True,
        )
    )
    for start in range(0, COUNT, 200):
        numbers = range(start, start + 200)
        made.put(
            [entry(n, lsn=n + 1) for n in numbers],
            SpaceMatrix(SPACE, vectors()[start : start + 200]),
        )
    made.optimise()
    yield made
    backend.close()


def needles(number: int) -> dict[str, bytes]:
    return {
        "metadata": f"person{number}@example.org".encode(),
        "vector": vectors()[number].tobytes(),
    }


def holding(folder: Path, needle: bytes) -> list[Path]:
    return [
        file for file in folder.rglob("*") if file.is_file() and needle in file.read_bytes()
    ]


def test_emptied_and_purged_rows_leave_every_file(
    folder: Path, collection: LanceCollection
) -> None:
    for what, needle in needles(7).items():
        assert holding(folder, needle), f"the search sees no {what}"
    nothing = SpaceMatrix(SPACE, np.empty((0, DIMENSIONS), dtype=np.float32))
    collection.put([entry(7, lsn=1000, emptied=True)], nothing)
    collection.purge([DocumentId("d8")])

    assert collection.forget() == 0

    for number in GONE:
        for what, needle in needles(number).items():
            assert holding(folder, needle) == [], f"{what} of {number}"
    assert not list((folder / f"{NAME}.lance" / "_deletions").glob("0-*"))
    assert collection.search_text("secretword7", limit=3) == []
    (hit,) = collection.search_text("secretword9", limit=3)
    assert hit.document == "d9"
    query = SpaceVector(SPACE, vectors()[9])
    assert collection.search(query, limit=1, exact=True)[0].document == "d9"
    assert collection.search(query, limit=1)[0].document == "d9"
    assert collection.counts().documents == COUNT - len(GONE)
    assert collection.counts().emptied == 1


def test_forgetting_twice_finds_nothing_more_to_do(collection: LanceCollection) -> None:
    collection.purge([DocumentId("d8")])

    assert collection.forget() == 0
    assert collection.forget() == 0
    assert collection.counts().documents == COUNT - 1


def test_files_of_unfinished_writes_are_told_until_they_are_old_enough_to_go(
    folder: Path, collection: LanceCollection
) -> None:
    at = folder / f"{NAME}.lance"
    left = at / "data" / "written-and-never-committed.lance"
    left.write_bytes(needles(7)["metadata"])
    index = at / "_indices" / "0a1efe97-915b-41c1-be4c-0918b3be7869"
    index.mkdir()

    assert collection.forget() == 2

    old = left.stat().st_mtime - forgetting.ABANDONED.total_seconds()
    os.utime(left, (old, old))
    os.utime(index, (old, old))
    assert collection.forget() == 0
    assert not left.exists()
    assert not index.exists()
    assert collection.counts().documents == COUNT


def test_what_another_process_forgets_disturbs_no_search(
    folder: Path, collection: LanceCollection
) -> None:
    backend = LanceBackend(folder)
    reader = backend.open(NAME, fingerprint=SPACE)
    query = SpaceVector(SPACE, vectors()[9])
    begun, stop = threading.Event(), threading.Event()
    found: set[str] = set()

    def search() -> None:
        while not stop.is_set():
            found.update(hit.document for hit in reader.search(query, limit=1))
            begun.set()

    with ThreadPoolExecutor(max_workers=1) as pool:
        searching = pool.submit(search)
        try:
            assert begun.wait(60)
            for number in (7, 8):
                collection.purge([DocumentId(f"d{number}")])
                assert collection.forget() == 0
        finally:
            stop.set()
        searching.result()
    backend.close()
    assert found == {"d9"}
