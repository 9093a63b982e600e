"""Documents of files read by their ids: where they stand, and what they say now."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repoint.domain.ids import DocumentId
from repoint.domain.source import FileSettings
from repoint.sources.files.opening import open_source
from repoint.sources.files.places import Places
from repoint.sources.folder import FolderReader

ROWS = 40


def _jsonl() -> bytes:
    lines = [json.dumps({"_id": f"d{n}", "text": f"text {n} é"}) for n in range(ROWS)]
    lines[3:3] = ["", "no JSON at all", '{"_id": "d1", "text": "a second time"}', "  "]
    return b"\xef\xbb\xbf" + "\n".join(lines).encode()


def _plain(path: Path) -> None:
    path.with_suffix(".jsonl").write_bytes(_jsonl())


def _packed(path: Path) -> None:
    path.with_suffix(".jsonl.gz").write_bytes(gzip.compress(_jsonl()))


def _csv(path: Path) -> None:
    rows = "".join(f'd{n},"text {n} é"\n' for n in range(ROWS))
    path.with_suffix(".csv").write_text("id,text\n" + rows, encoding="utf-8")


def _parquet(path: Path) -> None:
    table = pa.table(
        {"id": [f"d{n}" for n in range(ROWS)], "text": [f"text {n} é" for n in range(ROWS)]}
    )
    pq.write_table(table, path.with_suffix(".parquet"), row_group_size=7)


def _ids(*names: str) -> list[DocumentId]:
    return [DocumentId(one) for one in names]


def _texts(reader: FolderReader, *names: str) -> dict[str, str | None]:
    found = reader.fetch(_ids(*names))
    return {
        name: None if one.document is None else one.document.text for name, one in found.items()
    }


@pytest.mark.parametrize("write", [_plain, _packed, _csv, _parquet])
def test_documents_are_read_where_they_stand(
    tmp_path: Path, write: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repoint.sources.folder._APART", 5)
    write(tmp_path / "1")
    reader = FolderReader(FileSettings(folder=str(tmp_path)))
    wanted = ["d39", "d0", "nobody", "d1", "d3", "d20"]
    expected = {name: f"text {name[1:]} é" for name in wanted if name != "nobody"}
    assert _texts(reader, *wanted) == expected
    assert reader.present(_ids("d5", "nobody")) == {"d5"}


def test_the_last_file_that_says_something_of_a_document_counts(tmp_path: Path) -> None:
    _plain(tmp_path / "1")
    (tmp_path / "2.jsonl").write_text(
        '{"_id": "d1", "text": "newer"}\n{"_id": "d2", "gone": true}\n'
        '{"_id": "d3", "text": "still here", "gone": 1}\n'
    )
    reader = FolderReader(FileSettings(folder=str(tmp_path), deleted="gone"))
    found = {"d0": "text 0 é", "d1": "newer", "d2": None, "d3": None}
    assert _texts(reader, "d0", "d1", "d2", "d3") == found
    assert reader.present(_ids("d0", "d2")) == {"d0"}


def test_a_file_is_read_through_once_for_all_pages_until_it_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []

    def counted(path: Path, **how: object) -> object:
        opened.append(path)
        return open_source(path, **how)  # type: ignore[arg-type]  # as the reader gave it

    monkeypatch.setattr("repoint.sources.folder.open_source", counted)
    _plain(tmp_path / "1")
    places = Places()
    settings = FileSettings(folder=str(tmp_path))
    for number in range(ROWS):
        reader = FolderReader(settings, places=places)
        assert _texts(reader, f"d{number}") == {f"d{number}": f"text {number} é"}
    assert len(opened) == 1
    (tmp_path / "1.jsonl").write_text('{"_id": "d7", "text": "moved and changed"}\n')
    reader = FolderReader(settings, places=places)
    assert _texts(reader, "d7", "d8") == {"d7": "moved and changed"}
    assert len(opened) == 2


def test_a_file_that_was_changed_without_a_trace_gives_no_other_document(
    tmp_path: Path,
) -> None:
    file = tmp_path / "1.jsonl"
    a, b = '{"_id": "a", "text": "one"}\n', '{"_id": "b", "text": "two"}\n'
    file.write_text(a + b)
    stamp = file.stat()
    reader = FolderReader(FileSettings(folder=str(tmp_path)))
    assert _texts(reader, "a", "b") == {"a": "one", "b": "two"}
    file.write_text(b + a)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert _texts(reader, "a", "b") == {"a": "one", "b": "two"}
    file.unlink()
    assert _texts(reader, "a", "b") == {}
