"""What someone changed in LanceDB itself is found, and repaired where the log knows better."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import lancedb
import pytest

from repoint import Repoint
from repoint.client import Index
from repoint.domain.comparison import Kind
from repoint.domain.errors import (
    BadFilterError,
    FingerprintMismatchError,
    RetiredError,
)
from repoint.domain.spec import ModelSpec, ReleaseSpec

SPEC = ReleaseSpec(model=ModelSpec(provider="hashing", dimensions=32))


@pytest.fixture
def docs(tmp_path: Path) -> Iterator[Index]:
    with Repoint.init(tmp_path / "home") as repoint:
        index = repoint.create_index("docs")
        index.upsert(
            {"id": f"d{n}", "text": f"document {n}", "metadata": {"uid": 2**53 + n}}
            for n in range(20)
        )
        index.create_release("v1", SPEC)
        index.sync("v1")
        yield index


def table(docs: Index, tmp_path: Path) -> lancedb.table.Table:
    folder = tmp_path / "home" / "collections" / "lancedb"
    return lancedb.connect(folder).open_table(docs.release("v1").collection)


def test_rows_that_were_doubled_are_found_and_repaired(docs: Index, tmp_path: Path) -> None:
    raw = table(docs, tmp_path)
    twin = raw.search().where("document = 'd9'").limit(1).to_arrow()
    raw.add(twin)
    raw.add(twin)
    assert docs.diff("v1").counts[Kind.DOUBLED] == 1
    docs.repair("v1")
    assert docs.diff("v1").clean
    assert [h.document for h in docs.search("document 9", k=20, release="v1").hits].count(
        docs.search("document 9", k=1, release="v1").hits[0].document
    ) == 1


def test_a_text_that_was_changed_is_found_and_repaired(docs: Index, tmp_path: Path) -> None:
    table(docs, tmp_path).update(where="document = 'd6'", values={"text": "forged"})
    assert not docs.diff("v1").clean
    docs.repair("v1")
    assert docs.diff("v1").clean


def test_a_table_put_in_the_place_of_another_is_never_read_or_written(
    docs: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repoint.backends.lancedb.collection.OWNED", -1.0)
    other = ModelSpec(provider="hashing", dimensions=32, options={"seed": 7})
    docs.create_release("v2", ReleaseSpec(model=other))
    docs.sync("v2")
    docs.search("document", release="v1")
    folder = tmp_path / "home" / "collections" / "lancedb"
    one, two = (folder / f"{docs.release(name).collection}.lance" for name in ("v1", "v2"))
    one.rename(folder / "aside")
    two.rename(one)
    (folder / "aside").rename(two)
    with pytest.raises(FingerprintMismatchError):
        docs.search("document", release="v1")
    with pytest.raises(FingerprintMismatchError):
        docs.diff("v1")
    docs.upsert([{"id": "new", "text": "written while the tables are swapped"}])
    with pytest.raises(FingerprintMismatchError):
        docs.sync("v1")


def test_a_dropped_release_is_named_as_dropped(docs: Index) -> None:
    docs.abort(reason="a test")
    docs.retire("v1")
    docs.drop("v1")
    with pytest.raises(RetiredError, match="dropped"):
        docs.search("document", release="v1")
    with pytest.raises(RetiredError, match="dropped"):
        docs.diff("v1")


def test_numbers_that_no_database_compares_exactly_are_refused_in_filters(docs: Index) -> None:
    with pytest.raises(BadFilterError, match=r"2\^53"):
        docs.search("document", filter=f"uid = {2**53 + 3}", release="v1")
