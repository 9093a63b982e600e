"""Content that stays with its source: nothing is embedded under a hash that is not its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from repoint.client.feeding import Feeding
from repoint.domain.document import Document, LogRow
from repoint.domain.errors import (
    ContentElsewhereError,
    RefusedError,
    SourceUnavailableError,
)
from repoint.domain.ids import DocumentId, Lsn, QuerySetName, ReleaseName
from repoint.domain.readiness import Status
from repoint.domain.source import SqlSettings
from repoint.operations import diff, query_sets
from repoint.operations.in_step import catch_up
from repoint.operations.rollback import Replay, RollbackOptions, RollbackReport
from repoint.operations.sync import AppliedNow, Limits, apply_now, sync
from repoint.testing.faults import PowerCut, fuses
from repoint.testing.stage import INDEX, Stage
from repoint.text.preparation import Preparation

DAY = "2029-12-31"
PRIVATE = "the patient whom nobody may name"


class Crm:
    """A team's database whose content is kept by reference, and two releases."""

    def __init__(self, stage: Stage, file: Path) -> None:
        self.stage = stage
        self.file = file
        self.clock = 0
        self.execute(
            "CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT, body TEXT, lang TEXT, "
            "updated_at TEXT, deleted_at TEXT)"
        )
        self.feeding = Feeding(stage.session, INDEX)
        for number in range(30):
            self.put(number, f"{PRIVATE}: case {number} was seen at the clinic. More follows.")
        self.feeding.add(
            "crm",
            SqlSettings(
                url=f"sqlite:///{file}",
                table="articles",
                id="id",
                text=("body",),
                title="title",
                version="updated_at",
                deleted="deleted_at",
                metadata=("lang",),
                by_reference=True,
            ),
        )
        self.feeding.poll("crm")
        for name, seed in (("v1", 1), ("v2", 2)):
            stage.create(name, seed=seed)
            stage.revive(name)
            self.sync(name)
        stage.clock.advance(timedelta(seconds=1))

    def execute(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.file)) as line, line:
            line.execute(statement, values)

    def put(self, number: int, body: str, *, gone: bool = False) -> None:
        self.clock += 1
        at = f"{DAY} 10:{self.clock // 60:02}:{self.clock % 60:02}"
        self.execute(
            "INSERT OR REPLACE INTO articles VALUES (?, ?, ?, 'de', ?, ?)",
            *(number, f"Title {number}", body, at, at if gone else None),
        )

    def sync(self, name: str) -> int:
        return catch_up(self.stage.session, self.stage.space(name))

    def held(self, name: str) -> dict[str, list[str]]:
        """Return the digests of every document that a release holds."""
        found: dict[str, dict[int, str]] = {}
        for batch in self.stage.space(name).collection.scan():
            for one, slot, digest in zip(
                batch.documents, batch.slots.tolist(), batch.digests, strict=True
            ):
                found.setdefault(one, {})[slot] = digest
        return {one: [slots[slot] for slot in sorted(slots)] for one, slots in found.items()}

    def wanted(self, name: str) -> dict[str, list[str]]:
        """Return what it should hold, made from the team's own rows."""
        preparer = Preparation.of(self.stage.release(name).spec)
        with closing(sqlite3.connect(self.file)) as line:
            rows = line.execute(
                "SELECT id, title, body FROM articles WHERE deleted_at IS NULL"
            ).fetchall()
        return {
            str(id_): [
                chunk.digest
                for chunk in preparer.prepare(
                    Document(id=DocumentId(str(id_)), title=title, text=body)
                )
            ]
            for id_, title, body in rows
        }

    def clean(self, name: str) -> bool:
        upto = Lsn(self.watermark(name))
        return diff.compare(self.stage.store, self.stage.space(name), upto=upto).clean

    def rows(self) -> Sequence[LogRow]:
        with self.stage.store.read() as view:
            return view.log.rows(INDEX, above=Lsn(0), upto=view.log.head(INDEX))

    def watermark(self, name: str) -> int:
        with self.stage.store.read() as view:
            return view.catchup.watermark(INDEX, ReleaseName(name))

    def letters(self, name: str) -> dict[str, str]:
        with self.stage.store.read() as view:
            found = view.dead_letters.all(INDEX, ReleaseName(name))
        return {one.document: one.code for one in found}

    def hide(self) -> None:
        """Take the database away."""
        self.file.rename(self.file.with_suffix(".away"))

    def show(self) -> None:
        self.file.with_suffix(".away").rename(self.file)

    def again(self, name: str, *ids: str) -> AppliedNow:
        return apply_now(
            self.stage.store,
            self.stage.space(name),
            [DocumentId(one) for one in ids],
            clock=self.stage.clock,
        )

    def rollback(self, replay: Replay = Replay.AUTO) -> RollbackReport:
        return self.stage.rollback(options=RollbackOptions(replay=replay))


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[Crm]:
    with Stage(folder=tmp_path / "stage") as stage:
        yield Crm(stage, tmp_path / "crm.db")


def test_the_log_has_hash_version_and_metadata_and_no_text(crm: Crm) -> None:
    row = next(one for one in crm.rows() if one.id == "7")
    assert row.document is not None
    assert row.document.reference is not None
    assert (row.document.text, row.document.title) == ("", "")
    assert row.document.metadata == {"lang": "de"}
    assert row.document.reference.source == "crm"
    assert row.document.reference.version == f'"{DAY} 10:00:08"'
    crm.stage.promote("v1")
    crm.stage.promote("v2")
    crm.stage.clock.advance(timedelta(seconds=1))
    crm.put(3, f"{PRIVATE}: edited")
    crm.feeding.poll("crm")
    crm.rollback()
    for file in crm.stage.folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert PRIVATE.encode() not in content, file
            assert b"Title 7" not in content, file


def test_both_releases_hold_what_the_source_says(crm: Crm) -> None:
    assert crm.held("v1") == crm.wanted("v1")
    assert crm.held("v2") == crm.wanted("v2")
    assert crm.clean("v1")
    assert crm.feeding.poll("crm").written == 0


def test_an_edit_between_poll_and_sync_is_never_embedded_under_the_older_hash(
    crm: Crm,
) -> None:
    crm.put(1, "first edit")
    crm.feeding.poll("crm")
    before = {row.id: row.lsn for row in crm.rows()}
    crm.put(1, "second edit, which no poll has seen")
    crm.sync("v1")
    assert crm.clean("v1")
    now = {row.id: row.lsn for row in crm.rows()}
    assert now[DocumentId("1")] > before[DocumentId("1")]  # taken in, at a position of its own
    crm.sync("v1")
    assert crm.held("v1") == crm.wanted("v1")
    assert crm.feeding.poll("crm").written == 0


def test_a_storm_of_edits_between_poll_and_sync_comes_to_rest(crm: Crm) -> None:
    for number in range(30):
        crm.put(number, f"edit of {number}")
    crm.feeding.poll("crm")
    for number in range(30):
        crm.put(number, f"another edit of {number}")
    for _ in range(2):
        crm.sync("v1")
        crm.sync("v2")
    for name in ("v1", "v2"):
        assert crm.held(name) == crm.wanted(name)
        assert crm.letters(name) == {}


def test_a_row_that_changes_at_every_reading_is_a_dead_letter_and_stops_nothing(
    crm: Crm,
) -> None:
    crm.feeding.add(
        "noise",
        SqlSettings(
            url=f"sqlite:///{crm.file}",
            query="SELECT 'n1' AS id, hex(randomblob(8)) AS body UNION ALL "
            "SELECT 'n2', 'quiet'",
            id="id",
            text=("body",),
            by_reference=True,
        ),
    )
    crm.feeding.poll("noise")
    crm.sync("v1")
    assert crm.letters("v1") == {"n1": "no-content"}
    assert "n2" in crm.held("v1")
    assert "n1" not in crm.held("v1")
    assert crm.clean("v1")
    head = len(crm.rows())
    crm.sync("v1")
    assert (len(crm.rows()), crm.watermark("v1")) == (head, max(r.lsn for r in crm.rows()))


def test_what_the_source_marks_as_deleted_is_deleted_everywhere(crm: Crm) -> None:
    crm.put(1, "edited")
    crm.feeding.poll("crm")
    crm.put(1, "edited", gone=True)
    for name in ("v1", "v1", "v2"):
        crm.sync(name)  # the first finds the delete, and takes it in at the head
    assert "1" not in crm.held("v1")
    assert next(row for row in crm.rows() if row.id == "1").document is None
    assert crm.held("v2") == crm.wanted("v2")


def test_a_row_that_vanished_is_a_dead_letter_until_a_sweep_deletes_it(crm: Crm) -> None:
    crm.put(1, "edited")
    crm.feeding.poll("crm")
    crm.execute("DELETE FROM articles WHERE id = 1")
    crm.sync("v1")
    assert crm.letters("v1") == {"1": "no-content"}
    assert crm.feeding.poll("crm", sweep=True).swept == 1
    crm.sync("v1")
    crm.sync("v2")
    assert crm.letters("v1") == {}
    assert crm.held("v2") == crm.wanted("v2")


def test_a_source_that_lost_its_rows_stops_a_sync_and_deletes_nothing(crm: Crm) -> None:
    for number in range(30):
        crm.put(number, f"edit of {number}")
    crm.feeding.poll("crm")
    mark = crm.watermark("v1")
    crm.execute("CREATE TABLE kept AS SELECT * FROM articles")
    crm.execute("DELETE FROM articles")
    with pytest.raises(SourceUnavailableError, match="no row for 30 of 30"):
        crm.sync("v1")
    assert crm.watermark("v1") == mark
    assert len(crm.held("v1")) == 30
    crm.execute("INSERT INTO articles SELECT * FROM kept")
    crm.sync("v1")
    assert crm.held("v1") == crm.wanted("v1")


def test_small_steps_see_that_a_source_lost_its_rows_too(crm: Crm) -> None:
    for number in range(30):
        crm.put(number, f"edit of {number}")
    crm.feeding.poll("crm")
    crm.execute("DELETE FROM articles")
    stage = crm.stage
    with pytest.raises(SourceUnavailableError, match="no row for"):
        sync(
            stage.store,
            stage.space("v1"),
            owner=stage.session.process.id,
            clock=stage.clock,
            limits=Limits(range_rows=4, heed_pace=False),
        )
    assert len(crm.letters("v1")) <= 16


def test_without_the_source_nothing_is_marked_as_done(crm: Crm) -> None:
    crm.put(1, "edited")
    crm.feeding.poll("crm")
    mark = crm.watermark("v1")
    crm.hide()
    with pytest.raises(SourceUnavailableError, match="'crm'"):
        crm.sync("v1")
    assert crm.watermark("v1") == mark
    crm.show()
    crm.sync("v1")
    assert crm.held("v1") == crm.wanted("v1")


@pytest.mark.parametrize("replay", [Replay.AUTO, Replay.AFTER])
def test_without_the_source_a_rollback_moves_and_says_the_lag(crm: Crm, replay: Replay) -> None:
    crm.stage.promote("v1")
    crm.stage.promote("v2")
    crm.stage.clock.advance(timedelta(seconds=1))
    for number in (2, 3, 4):
        crm.put(number, f"edited after the promotion {number}")
    crm.put(5, "gone", gone=True)
    crm.feeding.poll("crm")
    crm.sync("v2")
    crm.hide()
    report = crm.rollback(replay)
    assert (report.active, report.late) == ("v1", 3)
    found = {one.check: one.status for one in report.findings}
    assert (found["lag"], report.verified, report.frozen) == (Status.FAILED, False, True)
    assert found["golden"] is Status.WARNING
    assert found["deleted-document"] is not Status.FAILED
    assert "5" not in crm.held("v1")
    crm.show()
    crm.sync("v1")
    assert crm.held("v1") == crm.wanted("v1")


def test_a_rollback_reads_the_lag_from_the_source_and_verifies(crm: Crm) -> None:
    crm.stage.promote("v1")
    crm.stage.promote("v2")
    crm.stage.clock.advance(timedelta(seconds=1))
    for number in (2, 3, 4):
        crm.put(number, f"edited after the promotion {number}")
    crm.put(5, "gone", gone=True)
    crm.feeding.poll("crm")
    crm.sync("v2")
    report = crm.rollback()
    assert report.verified, [(one.check, one.summary) for one in report.findings]
    assert {one.check: one.status for one in report.findings}["golden"] is Status.OK
    assert crm.held("v1") == crm.wanted("v1")


def test_repair_reads_the_source_and_diff_says_what_it_can_without(crm: Crm) -> None:
    crm.stage.space("v1").collection.purge([DocumentId("3")])
    assert not crm.clean("v1")
    assert crm.again("v1", "3").written == 1
    assert crm.clean("v1")
    crm.put(4, "edited, and no poll has seen it")
    assert crm.clean("v1")  # the version that the log has is stored, and its text is gone
    assert crm.again("v1", "4").left == ("4",)
    crm.sync("v1")
    assert crm.held("v1") == crm.wanted("v1")


def test_power_cuts_while_a_newer_version_is_taken_in_lose_nothing(crm: Crm) -> None:
    crm.put(1, "an edit")
    crm.put(2, "an edit")
    crm.feeding.poll("crm")
    crm.put(1, "another one")
    crm.put(2, "", gone=True)
    for fuse in fuses():
        session = crm.stage.open(fuse=fuse)
        try:
            catch_up(session, session.spaces.open(crm.stage.release("v1")))
        except PowerCut:
            pass
        finally:
            crm.stage.kill(session)
        crm.stage.clock.advance(timedelta(seconds=60))
    crm.sync("v1")
    crm.sync("v1")
    assert crm.held("v1") == crm.wanted("v1")
    assert crm.clean("v1")


def test_a_source_that_alone_has_content_is_not_forgotten(crm: Crm) -> None:
    with pytest.raises(RefusedError, match="30 documents"):
        crm.feeding.remove("crm")


def test_content_moves_between_log_and_source_and_back(crm: Crm) -> None:
    source, _ = crm.feeding.all()[0]
    assert isinstance(source.settings, SqlSettings)
    crm.feeding.add("copy", replace(source.settings, by_reference=False))
    assert crm.feeding.poll("copy").written == 30
    assert all(row.document is not None and row.document.text for row in crm.rows())
    crm.sync("v1")
    assert crm.held("v1") == crm.wanted("v1")
    crm.feeding.remove("crm")


def test_questions_are_not_made_of_texts_that_would_be_written_down(crm: Crm) -> None:
    with pytest.raises(ContentElsewhereError):
        query_sets.known_items(crm.stage.session, INDEX, QuerySetName("known"), count=5, seed=0)


def test_named_documents_are_read_at_once_and_no_others(crm: Crm) -> None:
    crm.put(1, "edited")
    crm.put(2, "edited as well")
    crm.execute("DELETE FROM articles WHERE id = 3")
    report = crm.feeding.changed("crm", ["1", "3", "never-heard-of"])
    assert (report.written, report.deleted, report.read) == (1, 1, 2)
    crm.sync("v1")
    wanted = crm.wanted("v1")
    assert crm.held("v1")["1"] == wanted["1"]
    assert crm.held("v1")["2"] != wanted["2"]
    assert "3" not in crm.held("v1")
    assert crm.feeding.poll("crm").written == 1
