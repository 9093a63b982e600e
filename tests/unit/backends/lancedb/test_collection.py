import dataclasses
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import lancedb
import numpy as np
import pytest

from repoint.backends.lancedb import LanceBackend
from repoint.domain.errors import (
    BackendUnavailableError,
    CollectionMissingError,
    CorruptionError,
    FingerprintMismatchError,
    UnsupportedError,
)
from repoint.domain.filters import Compare, Comparison
from repoint.domain.spec import AnnKind, AnnSpec
from repoint.ports.backend import Collection, CollectionSpec
from repoint.testing.collections import (
    NAME,
    SPACE,
    Version,
    contents,
    put,
    query,
    spec,
    standing,
)

pytestmark = pytest.mark.backend("lancedb")

ROWS: Final = 600

A_WRITER: Final = """
import sys
from pathlib import Path
from repoint.backends.lancedb import LanceBackend
from repoint.testing.collections import NAME, SPACE, Version, put
number = int(sys.argv[2])
collection = LanceBackend(Path(sys.argv[1])).open(NAME, fingerprint=SPACE)
print("ready", flush=True)
sys.stdin.readline()
for turn in range(5):
    lsn = 1 + (number + turn) % 3
    field = {f"f{lsn}": lsn}
    put(collection, *(
        Version(document=f"t{turn}-{n}", lsn=lsn, vectors=[[lsn, 1, 1]], metadata=field)
        for n in range(15)
    ))
"""

A_FULL_DISK: Final = """
import resource, signal, sys
from pathlib import Path
from repoint.backends.lancedb import LanceBackend
from repoint.domain.errors import BackendUnavailableError
from repoint.testing.collections import Version, contents, put, spec
collection = LanceBackend(Path(sys.argv[1])).create(spec(dimensions=64))
put(collection, Version(document="before", lsn=1, vectors=[[1.0] * 64]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, most))
try:
    put(collection, *(Version(document=f"d{n}", lsn=n, vectors=[[n] * 64]) for n in range(500)))
except BackendUnavailableError as error:
    assert "no space" in error.message, error
    assert error.hint
else:
    raise SystemExit("it was written")
assert contents(collection) == {("before", 0): 1}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vectors"


def indexed(kind: AnnKind, **build: float) -> CollectionSpec:
    return dataclasses.replace(spec(dimensions=16), ann=AnnSpec(kind=kind, build=build))


def fill(
    collection: Collection, *, rows: int = ROWS
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    matrix = np.random.default_rng(7).standard_normal((rows, 16)).astype(np.float32)
    versions = [
        Version(document=f"d{n}", lsn=n + 1, vectors=[row], metadata={"rest": n % 100})
        for n, row in enumerate(matrix.tolist())
    ]
    put(collection, *versions)
    return matrix


@pytest.fixture(params=[AnnKind.IVF_FLAT, AnnKind.HNSW])
def approximate(request: pytest.FixtureRequest, folder: Path) -> Collection:
    collection = LanceBackend(folder).create(indexed(request.param))
    fill(collection)
    collection.optimise()
    assert collection.counts().unindexed == 0
    return collection


@pytest.fixture
def writers(folder: Path) -> Iterator[list[subprocess.Popen[str]]]:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", A_WRITER, str(folder), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    yield started
    for writer in started:
        writer.kill()
        writer.communicate()


def test_processes_that_write_the_same_documents_double_nothing(
    folder: Path, request: pytest.FixtureRequest
) -> None:
    collection = LanceBackend(folder).create(spec())
    writers: list[subprocess.Popen[str]] = request.getfixturevalue("writers")
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.wait(timeout=240) for writer in writers] == [0, 0, 0]
    assert contents(collection) == {(f"t{t}-{n}", 0): 3 for t in range(5) for n in range(15)}
    newest, stale = (Compare(f"f{lsn}", Comparison.EQUAL, lsn) for lsn in (3, 1))
    assert len(collection.search(query(3, 1, 1), limit=500, where=newest)) == 5 * 15
    assert collection.search(query(3, 1, 1), limit=500, where=stale) == []


def test_an_approximate_index_finds_the_nearest(approximate: Collection) -> None:
    found, right = 0, 0
    for wanted in np.random.default_rng(8).standard_normal((20, 16)).tolist():
        hits = approximate.search(query(*wanted), limit=10)
        exact = approximate.search(query(*wanted), limit=10, exact=True)
        found += len({hit.document for hit in hits} & {hit.document for hit in exact})
        right += len(exact)
    assert found / right >= 0.95


def test_a_filter_through_an_approximate_index_finds_all_that_match(
    folder: Path,
) -> None:
    collection = LanceBackend(folder).create(indexed(AnnKind.IVF_FLAT, num_partitions=60))
    fill(collection, rows=6_000)
    collection.optimise()
    where = Compare("rest", Comparison.EQUAL, 42)
    assert len(collection.search(query(*[1.0] * 16), limit=60, where=where)) == 60


def test_an_approximate_index_never_finds_what_was_emptied(approximate: Collection) -> None:
    put(
        approximate, *(Version(document=f"d{n}", lsn=9_000, slots=1) for n in range(ROWS - 100))
    )
    for _ in range(2):  # before and after the index took up the emptied slots alone
        hits = approximate.search(query(*[1.0] * 16), limit=ROWS)
        assert {hit.document for hit in hits} == {f"d{n}" for n in range(ROWS - 100, ROWS)}
        approximate.optimise()
    assert approximate.counts().unindexed == 0


def test_an_index_of_nothing_but_emptied_slots_goes(approximate: Collection) -> None:
    put(approximate, *(Version(document=f"d{n}", lsn=9_000, slots=1) for n in range(ROWS)))
    approximate.optimise()
    approximate.optimise()
    assert approximate.counts().unindexed is None
    put(approximate, Version(document="new", lsn=9_001, vectors=[[1.0] * 16]))
    approximate.optimise()
    assert [hit.document for hit in approximate.search(query(*[1.0] * 16), limit=9)] == ["new"]


def test_what_was_written_after_the_index_is_found(approximate: Collection) -> None:
    put(approximate, Version(document="new", lsn=9_000, vectors=[[3.0] * 16]))
    assert approximate.counts().unindexed == 1
    assert approximate.search(query(*[1.0] * 16), limit=1)[0].document == "new"


@pytest.mark.parametrize(
    ("kind", "build"), [(AnnKind.FLAT, {"m": 1}), (AnnKind.IVF_FLAT, {"ef_construction": 9})]
)
def test_an_unknown_parameter_is_refused_by_name(
    folder: Path, kind: AnnKind, build: Mapping[str, float]
) -> None:
    with pytest.raises(UnsupportedError, match=next(iter(build))):
        LanceBackend(folder).create(indexed(kind, **build))


def test_a_text_index_that_a_crash_left_out_is_made_at_the_next_opening(folder: Path) -> None:
    LanceBackend(folder).create(spec(lexical=True))
    lancedb.connect(folder).open_table(NAME).drop_index("text_idx")
    collection = LanceBackend(folder).open(NAME, fingerprint=SPACE)
    put(collection, Version(document="d", lsn=1, vectors=[[1, 2, 3]], texts=["zebra"]))
    assert [hit.document for hit in collection.search_text("zebra", limit=5)] == ["d"]


def test_a_table_of_somebody_else_is_neither_listed_nor_opened(folder: Path) -> None:
    lancedb.connect(folder).create_table(NAME, [{"document": "d", "vector": [1.0, 2.0]}])
    backend = LanceBackend(folder)
    assert backend.collections() == []
    with pytest.raises(FingerprintMismatchError) as caught:
        backend.open(NAME, fingerprint=SPACE)
    assert caught.value.found is None


def test_a_file_that_is_gone_is_corruption_not_an_outage(folder: Path) -> None:
    collection = LanceBackend(folder).create(spec())
    put(collection, Version(document="d", lsn=1, vectors=[[1, 2, 3]]))
    for file in (folder / f"{NAME}.lance" / "data").iterdir():
        file.unlink()
    with pytest.raises(CorruptionError, match="data/"):
        LanceBackend(folder).open(NAME, fingerprint=SPACE).search(query(1, 2, 3), limit=5)


def test_a_handle_of_a_dropped_collection_says_so_and_makes_nothing(folder: Path) -> None:
    collection = LanceBackend(folder).create(spec())
    LanceBackend(folder).drop(NAME)
    version = Version(document="d", lsn=1, vectors=[[1, 2, 3]])
    for call in (
        lambda: put(collection, version),
        lambda: collection.search(query(1, 2, 3), limit=1),
    ):
        with pytest.raises(CollectionMissingError):
            call()
    assert LanceBackend(folder).collections() == []


def test_a_full_disk_is_named_and_leaves_what_was_there(folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", A_FULL_DISK, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way of the folder")
    with pytest.raises(BackendUnavailableError, match="file"):
        LanceBackend(tmp_path / "file" / "vectors").create(spec())


def test_text_that_is_no_unicode_is_refused_before_anything_is_written(folder: Path) -> None:
    collection = LanceBackend(folder).create(spec())
    with pytest.raises(UnsupportedError, match="surrogate"):
        put(collection, Version(document="a\ud800", lsn=1, slots=1))
    assert standing(collection, "a") == {}
