"""A source's changes reach the log once, in order, through late commits and power cuts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from repoint.client.feeding import Feeding
from repoint.domain.audit import Outcome
from repoint.domain.document import Json, LogRow
from repoint.domain.errors import (
    AlreadyExistsError,
    BadInputError,
    ConflictError,
    KeyReusedError,
    NotFoundError,
    NotPermittedError,
    SourceUnavailableError,
    SweepRefusedError,
)
from repoint.domain.ids import Actor, DocumentId, Lsn
from repoint.domain.source import FileSettings, SqlSettings
from repoint.operations import feeding
from repoint.testing.faults import PowerCut, fuses
from repoint.testing.stage import INDEX, Stage
from repoint.wiring.sources import open_reader

DAY = "2029-12-31"


class Crm:
    """A team's database, and the index that it feeds."""

    def __init__(self, stage: Stage, file: Path) -> None:
        self.stage = stage
        self.file = file
        self.execute(
            "CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT, body TEXT, lang TEXT, "
            "price DECIMAL, updated_at TEXT, deleted_at TEXT)"
        )
        self.feeding = Feeding(stage.session, INDEX)
        self.settings = SqlSettings(
            url=f"sqlite:///{file}",
            table="articles",
            id="id",
            text=("body",),
            title="title",
            version="updated_at",
            deleted="deleted_at",
            metadata=("lang", "price"),
        )

    def execute(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.file)) as line, line:
            line.execute(statement, values)

    def put(
        self, number: int, body: str | None, *, at: str = "10:00:00", gone: bool = False
    ) -> None:
        """Write a row, as of a time of the day."""
        self.execute(
            "INSERT OR REPLACE INTO articles VALUES (?, ?, ?, 'de', 1.5, ?, ?)",
            number,
            f"T{number}" if body else None,
            body,
            f"{DAY} {at}",
            at if gone else None,
        )

    def texts(self) -> dict[str, str]:
        """Return the documents that the log has."""
        return {row.id: row.document.text for row in self.rows() if row.document is not None}

    def rows(self) -> Sequence[LogRow]:
        with self.stage.store.read() as view:
            return view.log.rows(INDEX, above=Lsn(0), upto=view.log.head(INDEX))


@pytest.fixture
def crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crm]:
    monkeypatch.setattr("repoint.sources.sql.reader._PAGE", 3)
    monkeypatch.setattr("repoint.sources.folder._PAGE", 3)
    with Stage(folder=tmp_path / "stage") as stage:
        crm = Crm(stage, tmp_path / "crm.db")
        for number in range(8):
            crm.put(number, f"body {number}")
        crm.feeding.add("crm", crm.settings)
        yield crm


def test_rows_become_documents_with_title_and_metadata(crm: Crm) -> None:
    report = crm.feeding.poll("crm")
    assert (report.read, report.written, report.clean) == (8, 8, True)
    row = next(one for one in crm.rows() if one.id == "3")
    assert row.document is not None
    assert (row.document.title, row.document.text) == ("T3", "body 3")
    assert row.document.metadata == {"lang": "de", "price": 1.5}


def test_what_did_not_change_takes_no_place_in_the_log(crm: Crm) -> None:
    crm.feeding.poll("crm")
    before = crm.rows()
    report = crm.feeding.poll("crm")
    assert (report.written, report.unchanged) == (0, 8)  # all within the overlap
    assert crm.rows() == before


def test_only_what_lies_within_the_overlap_is_read_again(crm: Crm) -> None:
    crm.feeding.poll("crm")
    crm.put(20, "newer", at="11:00:00")
    assert crm.feeding.poll("crm").read == 9
    assert crm.feeding.poll("crm").read == 1


def test_a_row_that_was_committed_late_is_not_missed(crm: Crm) -> None:
    crm.put(20, "newer", at="10:04:00")
    crm.feeding.poll("crm")
    crm.put(21, "began before, committed after", at="10:00:30")
    crm.feeding.poll("crm")
    assert crm.texts()["21"] == "began before, committed after"


def test_many_rows_of_one_version_are_all_read(crm: Crm) -> None:
    assert crm.feeding.poll("crm").read == 8  # pages of three, one version


def test_a_row_from_the_future_hides_nothing_that_comes_after_it(crm: Crm) -> None:
    crm.put(50, "from a clock ahead")
    crm.execute("UPDATE articles SET updated_at = '2031-06-01 00:00:00' WHERE id = 50")
    crm.feeding.poll("crm")
    crm.put(51, "afterwards", at="23:59:59")
    crm.execute("UPDATE articles SET updated_at = '2030-01-01 11:59:00' WHERE id = 51")
    crm.feeding.poll("crm")
    assert crm.texts()["51"] == "afterwards"


def test_a_deleted_row_and_an_empty_one_become_tombstones(crm: Crm) -> None:
    crm.feeding.poll("crm")
    crm.put(1, "body 1", at="10:01:00", gone=True)
    crm.put(2, None, at="10:01:00")
    report = crm.feeding.poll("crm")
    assert report.deleted == 2
    assert {"1", "2"}.isdisjoint(crm.texts())
    assert crm.feeding.poll("crm").deleted == 0


def test_a_row_that_comes_back_is_a_document_again(crm: Crm) -> None:
    crm.feeding.poll("crm")
    crm.put(1, "body 1", at="10:01:00", gone=True)
    crm.feeding.poll("crm")
    crm.put(1, "body again", at="10:02:00")
    crm.feeding.poll("crm")
    assert crm.texts()["1"] == "body again"


def test_a_sweep_deletes_what_is_gone_and_nothing_of_others(crm: Crm) -> None:
    crm.stage.write({"by-hand": "written by somebody else"})
    crm.feeding.poll("crm")
    crm.execute("DELETE FROM articles WHERE id = 4")
    assert crm.feeding.poll("crm").swept is None
    assert "4" in crm.texts()
    report = crm.feeding.poll("crm", sweep=True)
    assert report.swept == 1
    assert "4" not in crm.texts()
    assert "by-hand" in crm.texts()
    assert crm.feeding.poll("crm", sweep=True).swept == 0


def test_a_sweep_that_would_delete_everything_asks_first(crm: Crm) -> None:
    crm.feeding.poll("crm")
    crm.execute("DELETE FROM articles")
    with pytest.raises(SweepRefusedError, match="8 of the 8"):
        crm.feeding.poll("crm", sweep=True)
    assert len(crm.texts()) == 8
    assert "sweep-refused" in crm.feeding.all()[0][1].outcome
    assert crm.feeding.poll("crm", sweep=True, allow_deletes=True).swept == 8
    assert crm.texts() == {}


def test_what_arrives_behind_a_sweep_is_not_taken_for_gone(crm: Crm) -> None:
    crm.feeding.poll("crm")
    source, _ = crm.feeding.all()[0]
    reader = open_reader(source, clock=crm.stage.clock)
    keys = list(reader.keys({}))
    crm.execute("DELETE FROM articles WHERE id = 4")
    assert DocumentId("4") in {one for ids, _ in keys for one in ids}
    assert reader.present([DocumentId("3"), DocumentId("4")]) == {"3"}
    reader.close()


def test_a_row_that_is_no_document_is_left_out_and_said(crm: Crm) -> None:
    for number in (30, 31, 32):
        crm.put(number, "fine")
    crm.execute("UPDATE articles SET body = x'00ff' WHERE id = 30")
    crm.execute("UPDATE articles SET price = 'cheap' WHERE id = 31")
    crm.execute("UPDATE articles SET updated_at = NULL WHERE id = 32")
    report = crm.feeding.poll("crm")
    assert (report.bad, report.clean) == (2, False)
    assert report.problems[0] == "30: column 'body' holds no text but bytes"
    assert report.problems[1].startswith("31: document '31': field 'price' is text here")
    assert "'32'" in report.warnings[0]
    assert len(crm.texts()) == 8


def test_without_a_version_every_poll_reads_everything(crm: Crm) -> None:
    everything = SqlSettings(
        url=crm.settings.url,
        query="SELECT id, body || ':00' AS body FROM articles WHERE lang = 'de';",
        id="id",
        text=("body",),
    )
    crm.feeding.add("all", everything)
    assert crm.feeding.poll("all").written == 8
    crm.put(3, "changed", at="09:00:00")
    report = crm.feeding.poll("all")
    assert (report.read, report.written) == (8, 1)
    assert crm.texts()["3"] == "changed:00"


def test_a_power_cut_anywhere_loses_nothing_and_the_next_poll_goes_on(
    crm: Crm, tmp_path: Path
) -> None:
    crm.feeding.poll("crm")
    crm.put(1, "changed", at="10:01:00")
    crm.put(2, "gone", at="10:01:00", gone=True)
    crm.execute("DELETE FROM articles WHERE id = 4")
    crm.put(60, "new", at="10:02:00")
    cuts = 0
    for fuse in fuses():
        with crm.stage.twin(tmp_path / f"{fuse.at}-{fuse.after}") as stage:
            dying = Feeding(stage.open(fuse=fuse), INDEX)
            with suppress(PowerCut):
                dying.poll("crm", sweep=True)
            cuts += fuse.blown
            Feeding(stage.session, INDEX).poll("crm", sweep=True)
            with stage.store.read() as view:
                rows = view.log.rows(INDEX, above=Lsn(0), upto=view.log.head(INDEX))
            texts = {str(row.id): row.document.text for row in rows if row.document}
            where = repr(fuse)
            assert texts["1"] == "changed", where
            assert texts["60"] == "new", where
            assert {"2", "4"}.isdisjoint(texts), where
            assert len(texts) == 7, where
    assert cuts > 10


def test_an_interrupted_first_poll_goes_on_where_it_was(crm: Crm) -> None:
    asked = iter([False, True])
    report = crm.feeding.poll("crm", stop=lambda: next(asked))
    assert (report.read, report.complete) == (6, False)
    report = crm.feeding.poll("crm")
    assert (report.read, report.complete) == (2, True)
    assert len(crm.texts()) == 8


def test_two_who_poll_at_once_do_not_undo_each_other(crm: Crm) -> None:
    source, stale = crm.feeding.all()[0]
    crm.feeding.poll("crm")
    with pytest.raises(ConflictError), crm.stage.store.begin() as tx:
        tx.sources.advance(INDEX, source.name, stale)


def test_a_source_that_is_away_is_said_and_changes_nothing(crm: Crm, tmp_path: Path) -> None:
    crm.feeding.poll("crm")
    crm.file.rename(tmp_path / "elsewhere")
    with pytest.raises(NotFoundError):
        crm.feeding.poll("crm")
    crm.file.write_bytes(b"no database at all" * 100)
    with pytest.raises((SourceUnavailableError, BadInputError)):
        crm.feeding.poll("crm")
    assert len(crm.texts()) == 8


def test_a_source_is_looked_at_before_it_is_added(crm: Crm) -> None:
    for wrong in (
        SqlSettings(url=crm.settings.url, table="nope", id="id", text=("body",)),
        SqlSettings(url=crm.settings.url, table="articles", id="id", text=("nope",)),
        SqlSettings(url=crm.settings.url, query="SELEC 1", id="id", text=("x",)),
        SqlSettings(url=crm.settings.url, id="id", text=("x",)),
        SqlSettings(url="env:NOT_SET_HERE", table="t", id="id", text=("x",)),
        SqlSettings(url="nonsense", table="t", id="id", text=("x",)),
        SqlSettings(url="postgresql://u:secret@h/d", table="t", id="id", text=("x",)),
    ):
        with pytest.raises(BadInputError) as refused:
            crm.feeding.add("wrong", wrong)
        assert "secret" not in str(refused.value)
    assert [one.name for one, _ in crm.feeding.all()] == ["crm"]
    with pytest.raises(AlreadyExistsError):
        crm.feeding.add("crm", crm.settings)


def test_nothing_can_be_written_through_a_query(crm: Crm) -> None:
    drop = SqlSettings(
        url=crm.settings.url,
        query="SELECT id FROM articles); DROP TABLE articles; --",
        id="id",
        text=("body",),
    )
    with pytest.raises(BadInputError):
        crm.feeding.add("drop", drop)
    assert crm.feeding.poll("crm").read == 8


def test_a_source_that_is_forgotten_leaves_its_documents(crm: Crm) -> None:
    crm.feeding.poll("crm")
    assert crm.feeding.remove("crm", reason="moved") == 8
    assert len(crm.texts()) == 8
    with pytest.raises(NotFoundError):
        crm.feeding.poll("crm")


def test_without_the_role_nothing_is_added_and_it_is_on_record(crm: Crm) -> None:
    stranger = Feeding(crm.stage.open(Actor("bob"), is_owner=False), INDEX)
    with pytest.raises(NotPermittedError):
        stranger.add("other", crm.settings)
    with pytest.raises(NotPermittedError):
        stranger.poll("crm")
    with crm.stage.store.read() as view:
        assert view.audit.records()[-1].outcome is Outcome.DENIED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "dump"
    made.mkdir()
    (made / "README").write_text("not a document", encoding="utf-8")
    (made / "1.jsonl").write_text(
        "".join(f'{{"_id": "f{n}", "text": "text {n}"}}\n' for n in range(7)), encoding="utf-8"
    )
    return made


def test_new_and_changed_files_are_read_and_others_are_not(crm: Crm, folder: Path) -> None:
    crm.feeding.add("dump", FileSettings(folder=str(folder), deleted="gone"))
    assert crm.feeding.poll("dump").written == 7
    assert crm.feeding.poll("dump").read == 0
    (folder / "2.jsonl").write_text(
        '{"_id": "f1", "gone": true}\n{"_id": "f2", "text": "other"}\nnonsense\n',
        encoding="utf-8",
    )
    report = crm.feeding.poll("dump")
    assert (report.written, report.deleted, report.bad) == (1, 1, 1)
    assert "line 3" in report.problems[0]
    assert crm.texts()["f2"] == "other"
    assert "f1" not in crm.texts()


def test_a_file_that_is_gone_is_swept_only_on_command(crm: Crm, folder: Path) -> None:
    crm.feeding.add("dump", FileSettings(folder=str(folder)))
    crm.feeding.poll("dump")
    (folder / "2.jsonl").write_text('{"_id": "g", "text": "new"}\n', encoding="utf-8")
    (folder / "1.jsonl").unlink()
    crm.feeding.poll("dump")
    assert "f3" in crm.texts()
    crm.feeding.poll("dump", sweep=True, allow_deletes=True)
    assert set(crm.texts()) & {"g", "f3"} == {"g"}


def test_a_poll_of_files_that_was_interrupted_goes_on_within_the_file(
    crm: Crm, folder: Path
) -> None:
    crm.feeding.add("dump", FileSettings(folder=str(folder)))
    asked = iter([True])
    assert crm.feeding.poll("dump", stop=lambda: next(asked)).read == 3
    assert crm.feeding.poll("dump").read == 4


def test_a_pattern_stays_in_its_folder(crm: Crm, folder: Path) -> None:
    with pytest.raises(BadInputError, match="leaves the folder"):
        crm.feeding.add("dump", FileSettings(folder=str(folder), pattern="../*"))
    with pytest.raises(NotFoundError):
        crm.feeding.add("dump", FileSettings(folder=str(folder / "nope")))
    crm.feeding.add("dump", FileSettings(folder=str(folder), pattern="*.csv"))
    assert "no file of" in crm.feeding.poll("dump").warnings[0]


def test_the_settings_of_a_source_come_back_as_they_were(crm: Crm) -> None:
    source, state = crm.feeding.all()[0]
    assert source.settings == crm.settings
    assert (state.outcome, state.polled_at) == ("", None)
    assert feeding.look(crm.stage.session, INDEX, source.name)[2] == 0


def test_named_documents_of_files_are_read_wherever_they_stand(crm: Crm, folder: Path) -> None:
    crm.feeding.add("dump", FileSettings(folder=str(folder)))
    crm.feeding.poll("dump")
    (folder / "2.jsonl").write_text('{"_id": "f1", "text": "newer"}\n', encoding="utf-8")
    assert crm.feeding.changed("dump", ["f1", "f3"]).written == 1
    assert crm.texts()["f1"] == "newer"


def test_a_push_is_taken_once_under_its_key(crm: Crm) -> None:
    changes: list[dict[str, Json]] = [{"id": "p", "text": "pushed"}, {"id": "q", "text": "too"}]
    assert crm.feeding.push(changes, key="k").written == 2
    crm.stage.write({"p": "written since"})
    again = crm.feeding.push(changes, key="k")
    assert (again.repeated, again.head) == (True, 2)
    assert crm.texts()["p"] == "written since"
    with pytest.raises(KeyReusedError):
        crm.feeding.push([{"id": "p", "delete": True}], key="k")
    crm.stage.clock.advance(timedelta(days=8))
    assert crm.feeding.push([{"id": "p", "delete": True}], key="k").written == 1
    assert crm.texts() == {"q": "too"}
