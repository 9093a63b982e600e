"""Documents from files: what is read, what is refused and where, and how far it got."""

import gzip
import io
import json
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.document import Document
from repoint.domain.errors import BadInputError, BadLineError, NotFoundError, UnsupportedError
from repoint.domain.ids import DocumentId
from repoint.sources.files import lines
from repoint.sources.files.opening import SourceFormat, open_source
from repoint.sources.files.record import document_of
from repoint.sources.files.seen import SeenIds


class Write(Protocol):
    def __call__(self, *rows: object, name: str = "docs.jsonl") -> Path: ...


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(*rows: object, name: str = "docs.jsonl") -> Path:
        path = tmp_path / name
        content = b"".join(
            row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows
        )
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return written


def read(path: Path, *, start_line: int = 1) -> list[tuple[int, Document]]:
    with open_source(path, start_line=start_line) as source:
        return list(source)


def refused(path: Path) -> BadLineError:
    with pytest.raises(BadLineError) as caught:
        read(path)
    assert caught.value.source == str(path)
    return caught.value


def doc(id_: str, text: str = "t", title: str = "", **metadata: str | float | bool) -> Document:
    return Document(id=DocumentId(id_), text=text, title=title, metadata=metadata)


def test_a_beir_line_is_a_document(write: Write) -> None:
    path = write(
        {"_id": "1", "title": "A", "text": "b", "metadata": {"lang": "de"}},
        {"id": "2", "text": "c", "title": None, "metadata": None},
    )
    assert read(path) == [(1, doc("1", "b", "A", lang="de")), (2, doc("2", "c"))]


def test_other_keys_join_the_metadata(write: Write) -> None:
    path = write({"_id": "1", "text": "t", "url": "u", "metadata": {"lang": "de"}})
    assert read(path) == [(1, doc("1", lang="de", url="u"))]


def test_a_title_alone_is_enough(write: Write) -> None:
    assert read(write({"_id": "1", "title": "A"})) == [(1, doc("1", "", "A"))]


def test_blank_lines_a_byte_order_mark_and_a_missing_last_line_end_are_fine(
    write: Write,
) -> None:
    path = write(b'\xef\xbb\xbf{"_id":"1","text":"t"}\r\n\n  \n{"_id":"2","text":"t"}')
    assert [line for line, _ in read(path)] == [1, 4]


def test_a_text_of_a_megabyte_is_fine(write: Write) -> None:
    ((_, document),) = read(write({"_id": "1", "text": "é" * 1_000_000}))
    assert len(document.text) == 1_000_000


def nested(depth: int) -> object:
    return [nested(depth - 1)] if depth else 1


BAD_LINES: list[tuple[bytes | object, str]] = [
    (b"{\n", "no JSON"),
    (b'{"_id":"1","text":"t"} x\n', "trailing"),
    ([1], "a list is no document"),
    (b'"x"\n', "a text is no document"),
    (b"null\n", "null is no document"),
    ({"text": "t"}, "id is missing or empty"),
    ({"_id": "", "text": "t"}, "id is missing or empty"),
    ({"_id": 7, "text": "t"}, "the id is a number"),
    ({"_id": "x" * 513, "text": "t"}, "513 characters"),
    ({"_id": "a\nb", "text": "t"}, "control character"),
    ({"_id": "1", "id": "2", "text": "t"}, '"_id" and "id" differ'),
    ({"_id": "1"}, "there is no text"),
    ({"_id": "1", "text": "", "title": " "}, "both empty"),
    ({"_id": "1", "text": ["t"]}, "the text is a list"),
    ({"_id": "1", "text": "t", "title": 3}, "the title is a number"),
    ({"_id": "1", "text": "x" * 16_000_001}, "more than 16,000,000"),
    ({"_id": "1", "text": "t", "metadata": []}, "the metadata is a list"),
    ({"_id": "1", "text": "t", "a": 1, "metadata": {"a": 2}}, "beside the metadata and in it"),
    ({"_id": "1", "text": "t", "metadata": {"a": nested(20)}}, "nested deeper than 16"),
    (b'{"_id":"1","text":"t","metadata":{"a":NaN}}\n', "NaN and Infinity"),
    (b'{"_id":"1","text":"t","metadata":{"a":-Infinity}}\n', "NaN and Infinity"),
    (b'{"_id":"1","text":"t","metadata":{"a":1e999}}\n', "out of range"),
    (b'{"_id":"1","text":"\xff"}\n', "byte 20 of the line is no UTF-8"),
    (b'{"_id":"1","text":"a\\ud800b"}\n', "surrogate"),
    (b'{"_id":"1","text":"t","metadata":' + b"[" * 99_999 + b"\n", "nested too deeply"),
]


@pytest.mark.parametrize(
    ("bad", "why"), BAD_LINES, ids=[f"{n}: {why}" for n, (_, why) in enumerate(BAD_LINES)]
)
def test_a_bad_line_is_named_with_its_number_and_can_be_skipped(
    write: Write, bad: bytes | object, why: str
) -> None:
    path = write({"_id": "a", "text": "t"}, bad, {"_id": "b", "text": "t"})
    error = refused(path)
    assert error.line == 2
    assert why in error.why

    rejects: list[tuple[BadLineError, bytes]] = []
    with open_source(path, on_bad_line=lambda e, raw: rejects.append((e, raw))) as source:
        assert [document.id for _, document in source] == ["a", "b"]
    ((again, raw),) = rejects
    assert (again.line, again.why) == (2, error.why)
    assert raw == path.read_bytes().splitlines(keepends=True)[1]


def test_a_line_longer_than_any_text_is_skipped_without_reading_it_whole(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 100)
    monkeypatch.setattr("repoint.sources.files.jsonl.LONGEST_LINE", 100)
    path = write(
        {"_id": "a", "text": "t"}, {"_id": "b", "text": "t" * 990}, {"_id": "c", "text": "t"}
    )
    rejects: list[tuple[BadLineError, bytes]] = []
    with open_source(path, on_bad_line=lambda e, raw: rejects.append((e, raw))) as source:
        assert [(line, document.id) for line, document in source] == [(1, "a"), (3, "c")]
        assert source.position_bytes == source.size_bytes
    ((error, raw),) = rejects
    assert (error.line, len(raw)) == (2, 100)
    assert "longer than 100 bytes" in error.why


def test_an_id_that_stands_twice_names_both_lines_and_the_first_stands(write: Write) -> None:
    path = write(
        {"_id": "a", "text": "1"}, {"_id": "b", "text": "2"}, {"_id": "a", "text": "3"}
    )
    error = refused(path)
    assert (error.line, "'a' stands already in line 1" in error.why) == (3, True)
    with open_source(path, on_bad_line=lambda *_: None) as source:
        assert [document.text for _, document in source] == ["1", "2"]


def test_reading_goes_on_where_an_earlier_attempt_stopped(write: Write) -> None:
    path = write(*({"_id": str(n), "text": "t"} for n in range(5)))
    assert [(line, d.id) for line, d in read(path, start_line=4)] == [(4, "3"), (5, "4")]


def test_the_position_rises_to_the_size(write: Write) -> None:
    path = write(*({"_id": str(n), "text": "t"} for n in range(9)))
    with open_source(path) as source:
        positions = [source.position_bytes for _ in source]
        assert positions == sorted(set(positions))
        assert positions[-1] == source.size_bytes == path.stat().st_size


def test_a_gzipped_file_is_unpacked_and_a_cut_one_refused(write: Write) -> None:
    path = write(*({"_id": str(n), "text": "t"} for n in range(99)), name="docs.jsonl.gz")
    assert len(read(path)) == 99
    with open_source(path) as source:
        assert list(source)
        assert source.position_bytes == source.size_bytes
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadInputError, match="cannot be read to its end"):
        read(path)


def test_standard_input_is_json_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(b'{"_id":"1","text":"t"}\n{'))
    monkeypatch.setattr(sys, "stdin", stream)
    source = open_source("-")
    documents = iter(source)
    assert next(documents) == (1, doc("1"))
    assert (source.size_bytes, source.position_bytes) == (None, 23)
    with pytest.raises(BadLineError, match="standard input, line 2"):
        next(documents)
    with pytest.raises(UnsupportedError):
        open_source("-", format=SourceFormat.PARQUET)


def test_what_cannot_be_opened_is_refused(write: Write, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_source(tmp_path / "missing.jsonl")
    with pytest.raises(BadInputError, match="is a folder"):
        open_source(tmp_path, format=SourceFormat.CSV)
    with pytest.raises(BadInputError, match="--format jsonl, csv, parquet"):
        open_source(tmp_path / "docs.txt")
    path = write({"_id": "1", "text": "t"}, name="docs.txt")
    with open_source(path, format=SourceFormat.JSONL) as source:
        assert list(source) == [(1, doc("1"))]


def test_csv_columns_are_metadata_typed_by_their_names(write: Write) -> None:
    path = write(
        b"id,title,text,lang,year:number,open:boolean,a:b\n",
        b'1,A,"two\nlines",de,2020,true,x\n',
        b"\n",
        b"2,,t,,1.5,no,\n",
        name="docs.csv",
    )
    assert read(path) == [
        (2, doc("1", "two\nlines", "A", lang="de", year=2020, open=True, **{"a:b": "x"})),
        (5, doc("2", year=1.5, open=False)),
    ]
    assert [line for line, _ in read(path, start_line=3)] == [5]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"1,t\n", "2 cells, not 3"),
        (b"1,t,x\n", "column 'year': 'x' is no number"),
        (b"1,t,nan\n", "is nan"),
        (b"1,\xe9,1\n", "column 'text': byte 0xe9 is no UTF-8"),
        (b'1,"a"b,1\n', "no CSV"),
        (b",t,1\n", "id is missing or empty"),
        (b"a,t,1\n", "stands already in line 2"),
    ],
)
def test_a_bad_csv_row_is_named_with_its_line_and_can_be_skipped(
    write: Write, bad: bytes, why: str
) -> None:
    path = write(b"id,text,year:number\n", b"a,t,1\n", bad, b"b,t,1\n", name="docs.csv")
    error = refused(path)
    assert error.line == 3
    assert why in error.why
    rejects: list[bytes] = []
    with open_source(path, on_bad_line=lambda _, raw: rejects.append(raw)) as source:
        assert [document.id for _, document in source] == ["a", "b"]
    assert rejects == [bad]


@pytest.mark.parametrize(
    "header", [b"", b"text,title\n", b"id,lang\n", b"id,text,text\n", b"id,text,\n"]
)
def test_a_csv_header_that_cannot_be_meant_stops_everything(
    write: Write, header: bytes
) -> None:
    path = write(header, b"1,t,1\n", name="docs.csv")
    with (
        pytest.raises(BadLineError, match="line 1"),
        open_source(path, on_bad_line=lambda *_: None) as source,
    ):
        list(source)


def test_parquet_rows_are_documents(tmp_path: Path) -> None:
    path = tmp_path / "docs.parquet"
    rows = [
        {"id": "1", "text": "t", "lang": "de", "day": date(2026, 1, 2), "metadata": {"n": 1}},
        {"id": "2", "text": "u", "lang": None, "day": None, "metadata": {"n": None}},
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert read(path) == [(1, doc("1", lang="de", day="2026-01-02", n=1)), (2, doc("2", "u"))]


def test_parquet_is_read_on_from_a_row_and_says_how_far_it_is(tmp_path: Path) -> None:
    path = tmp_path / "docs.parquet"
    table = pa.table({"id": [str(n) for n in range(1_000)], "text": ["t"] * 1_000})
    pq.write_table(table, path, row_group_size=300)
    assert [line for line, _ in read(path)] == list(range(1, 1_001))
    assert [d.id for _, d in read(path, start_line=650)] == [str(n) for n in range(649, 1_000)]
    assert read(path, start_line=1_001) == []
    with open_source(path) as source:
        assert len(list(source)) == 1_000
        assert source.position_bytes == source.size_bytes


def test_a_bad_parquet_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "docs.parquet"
    at = datetime(2026, 1, 2, tzinfo=UTC)
    rows = [
        {"id": "1", "text": "t", "score": 0.5, "at": at, "price": None},
        {"id": "2", "text": "t", "score": float("nan"), "at": at, "price": None},
        {"id": "3", "text": "t", "score": 0.5, "at": at, "price": Decimal("1.5")},
        {"id": None, "text": "t", "score": 0.5, "at": at, "price": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    found: list[BadLineError] = []
    with open_source(path, on_bad_line=lambda error, _: found.append(error)) as source:
        assert [d.metadata["at"] for _, d in source] == ["2026-01-02T00:00:00+00:00"]
    assert [error.line for error in found] == [2, 3, 4]
    assert "is nan" in found[0].why
    assert "Decimal" in found[1].why


def test_a_parquet_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "docs.parquet"
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(BadInputError, match="is no Parquet file"):
        open_source(path)
    pq.write_table(pa.table({"name": ["x"]}), path)
    with pytest.raises(BadInputError, match="lacks the columns"):
        open_source(path)


json_values: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(["_id", "id", "text", "title", "metadata", "x"])


@given(st.dictionaries(keys, json_values) | json_values)
def test_any_record_is_a_document_or_a_bad_line(record: object) -> None:
    try:
        document = document_of(record, source="f", line=3)
    except BadLineError as error:
        message = str(error)
        assert message.startswith("f, line 3: ")  # one of two right outcomes
    else:
        json.dumps(document.metadata, allow_nan=False)
        assert document.id
        assert (document.text + document.title).strip()


@given(st.lists(st.integers(0, 20_000)))
def test_the_first_line_of_every_id_is_remembered(numbers: list[int]) -> None:
    seen, expected = SeenIds(), dict[str, int]()
    for line, number in enumerate([*range(5_000), *numbers], start=1):
        id_ = str(number)
        assert seen.first(id_, line) == expected.get(id_, 0)
        expected.setdefault(id_, line)
