import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

STAND_INS: Final = "('lance_namespace', 'lance_namespace_urllib3_client', 'overrides')"

WHAT_WE_USE: Final = f"""
import sys
import repoint.backends.lancedb.engine
left = [m for m in sys.modules if m.partition('.')[0] in {STAND_INS}]
assert not left, left

import lancedb
folder = sys.argv[1]
db = lancedb.connect(folder)
table = db.create_table("t", [{{"id": n, "vector": [float(n), 1.0]}} for n in range(5)])
merge = table.merge_insert("id").when_not_matched_insert_all()
merge.execute([{{"id": 9, "vector": [9.0, 1.0]}}])
assert [row["id"] for row in table.search([9.0, 1.0]).limit(1).to_list()] == [9]
assert db.open_table("t").count_rows() == 6
assert db.list_tables().tables == ["t"]
"""

THE_REAL_ONES: Final = """
import repoint.backends.lancedb.engine
import lancedb.namespace
import lance_namespace
from lance_namespace_urllib3_client.models.query_table_request import QueryTableRequest
assert lance_namespace.__file__
real = lance_namespace.ListTablesResponse(tables=["t"])
assert type(real).__module__.startswith("lance_namespace_urllib3_client")
picked = lancedb.namespace.ListTablesResponse
assert type(picked(tables=["t"])) is type(real)
assert isinstance(real, picked)
assert picked.model_fields.keys() == type(real).model_fields.keys()
"""

PLAINLY: Final = """
import sys
import repoint.backends.lancedb.engine
assert "lance_namespace" in sys.modules
import lance_namespace
import lancedb.db
assert lancedb.db.ListTablesResponse is lance_namespace.ListTablesResponse
"""

ALREADY_THERE: Final = """
import lancedb
before = lancedb
import repoint.backends.lancedb.engine
import lancedb.db, lance_namespace
assert before is lancedb
assert lancedb.db.ListTablesResponse is lance_namespace.ListTablesResponse
"""

#: Of a folder with something that calls itself pandas; pyarrow takes it for too old a one.
DATA_FRAMES: Final = """
import sys
sys.path.insert(0, sys.argv[1])
from repoint import own_process
if sys.argv[2] == "own":
    own_process.declare()
import repoint.backends.lancedb.engine
import pyarrow as pa
pa.array([1, 2])
assert ("pandas" in sys.modules) is (sys.argv[2] != "own"), sys.argv
import pandas
assert pandas.__version__ == "0.1"
"""

FROM_THREADS: Final = """
import threading
failed = []
def work():
    try:
        from repoint.backends.lancedb import LanceBackend
        assert LanceBackend
    except BaseException as error:
        failed.append(error)
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failed, failed
"""

COLLECTING: Final = """
import gc, sys
assert gc.isenabled()
import repoint.backends.lancedb.engine
assert gc.isenabled()
assert not [f for f in sys.meta_path if type(f).__module__.startswith("repoint")]
"""

#: The vector index grows part by part, until the engine splits a partition; then, asked for
#: its whole, it has every row. At last something else that the engine warns of.
GROWING: Final = """
import os, sys
from repoint.backends.lancedb.engine import run
assert os.environ.get("LANCEDB_LOG") == (sys.argv[2] or None)
import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import IvfFlat

chance = np.random.default_rng(0)

def rows(start, count):
    vectors = chance.normal(size=(count, 4)).astype("float32")
    column = pa.FixedSizeListArray.from_arrays(vectors.ravel(), 4)
    return pa.table({"id": np.arange(start, start + count), "vector": column})

async def grow(folder):
    db = await lancedb.connect_async(folder)
    table = await db.create_table("t", rows(0, 9_000))
    await table.create_index("vector", config=IvfFlat(num_partitions=64))
    for turn in range(5):
        await table.add(rows(9_000 + turn * 1_500, 1_500))
        await table.optimize()
    stats = await table.index_stats("vector_idx")
    assert (stats.num_indexed_rows, stats.num_unindexed_rows) == (16_500, 0), stats
    by_index = table.query().nearest_to([0.0] * 4).nprobes(1_000).limit(20_000)
    found = (await by_index.select(["id"]).to_arrow())["id"].to_pylist()
    assert sorted(found) == list(range(16_500)), len(found)

run(grow(sys.argv[1]))
"""
PARTITION: Final = "lance::index::vector::builder] partition index"
OTHER: Final = "lance::dataset::scanner] Deprecation warning"


def run(code: str, *arguments: str, **environment: str) -> str:
    """Run a program that must succeed, and return what it wrote to standard error."""
    inherited = {name: value for name, value in os.environ.items() if name != "LANCEDB_LOG"}
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


def test_the_engine_works_without_what_was_left_out(tmp_path: Path) -> None:
    run(WHAT_WE_USE, str(tmp_path / "db"))


def test_others_get_the_real_packages_afterwards() -> None:
    run(THE_REAL_ONES)


def test_a_variable_imports_the_engine_as_it_is() -> None:
    run(PLAINLY, REPOINT_PLAIN_LANCEDB_IMPORT="1")


@pytest.mark.parametrize("whose", ["own", "another"])
def test_only_a_process_of_our_own_leaves_data_frames_out(tmp_path: Path, whose: str) -> None:
    (tmp_path / "pandas.py").write_text('__version__ = "0.1"\nclass DataFrame: ...\n')
    run(DATA_FRAMES, str(tmp_path), whose)


def test_an_engine_that_is_already_there_is_left_alone() -> None:
    run(ALREADY_THERE)


def test_threads_that_import_at_once_get_the_same() -> None:
    run(FROM_THREADS)


def test_an_import_leaves_nothing_of_itself_behind() -> None:
    run(COLLECTING)


def test_a_growing_index_has_every_row_and_alarms_nobody(tmp_path: Path) -> None:
    said = run(GROWING, str(tmp_path / "db"), "")
    assert PARTITION not in said
    assert OTHER in said  # what else the engine warns of is still heard


def test_whoever_asks_for_the_engines_log_gets_it(tmp_path: Path) -> None:
    said = run(GROWING, str(tmp_path / "db"), "warn", LANCEDB_LOG="warn")
    assert PARTITION in said
    assert OTHER in said
