"""Content that stays in files: read where it stands, never embedded under another hash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repoint.client.feeding import Feeding
from repoint.domain.document import Document
from repoint.domain.errors import SourceUnavailableError
from repoint.domain.ids import DocumentId, Lsn, ReleaseName
from repoint.domain.source import FileSettings
from repoint.operations import diff
from repoint.operations.in_step import catch_up
from repoint.testing.stage import INDEX, Stage
from repoint.text.preparation import Preparation

PRIVATE = "the patient whom nobody may name"


class Dump:
    """A folder of JSON lines and Parquet whose texts stay there, and two releases."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage, self.folder = stage, folder
        folder.mkdir()
        self.texts = {f"d{n}": f"{PRIVATE}: case {n} was seen." for n in range(60)}
        self.write()
        self.feeding = Feeding(stage.session, INDEX)
        self.feeding.add(
            "dump", FileSettings(folder=str(folder), deleted="gone", by_reference=True)
        )
        self.feeding.poll("dump")
        for name, seed in (("v1", 1), ("v2", 2)):
            stage.create(name, seed=seed)
            stage.revive(name)
            self.sync(name)
        stage.clock.advance(timedelta(seconds=1))

    def write(self) -> None:
        """Write the first half as JSON lines, the rest as Parquet."""
        names = sorted(self.texts, key=lambda one: int(one[1:]))
        lines = [{"_id": one, "text": self.texts[one], "lang": "de"} for one in names[:30]]
        self.file.write_text("".join(json.dumps(one) + "\n" for one in lines))
        rest = names[30:]
        table = pa.table({"id": rest, "text": [self.texts[one] for one in rest]})
        pq.write_table(table, self.folder / "2.parquet", row_group_size=8)

    @property
    def file(self) -> Path:
        return self.folder / "1.jsonl"

    def sync(self, name: str) -> int:
        return catch_up(self.stage.session, self.stage.space(name))

    def held(self, name: str) -> set[tuple[str, int, str]]:
        """Return the digests of all chunks that a release holds."""
        return {
            (document, slot, digest)
            for batch in self.stage.space(name).collection.scan()
            for document, slot, digest in zip(
                batch.documents, batch.slots.tolist(), batch.digests, strict=True
            )
        }

    def wanted(self, name: str) -> set[tuple[str, int, str]]:
        """Return what it should hold, made from what the files were written from."""
        preparer = Preparation.of(self.stage.release(name).spec)
        return {
            (one, slot, chunk.digest)
            for one, text in self.texts.items()
            for slot, chunk in enumerate(
                preparer.prepare(Document(id=DocumentId(one), text=text))
            )
        }

    def clean(self, name: str) -> bool:
        with self.stage.store.read() as view:
            upto = Lsn(view.catchup.watermark(INDEX, ReleaseName(name)))
        return diff.compare(self.stage.store, self.stage.space(name), upto=upto).clean

    def letters(self, name: str) -> dict[str, str]:
        with self.stage.store.read() as view:
            found = view.dead_letters.all(INDEX, ReleaseName(name))
        return {one.document: one.code for one in found}


@pytest.fixture
def dump(tmp_path: Path) -> Iterator[Dump]:
    with Stage(folder=tmp_path / "stage") as stage:
        yield Dump(stage, tmp_path / "dump")


def test_releases_hold_what_the_files_say_and_the_log_has_no_text(dump: Dump) -> None:
    assert dump.held("v1") == dump.wanted("v1")
    assert dump.held("v2") == dump.wanted("v2")
    assert dump.clean("v1")
    for file in dump.stage.folder.rglob("control.db*"):
        assert PRIVATE.encode() not in file.read_bytes()


def test_a_file_that_changed_between_poll_and_sync_is_never_embedded_under_older_hashes(
    dump: Dump,
) -> None:
    dump.texts |= {"d3": "the first edit", "d40": "the first edit too"}
    dump.write()
    assert dump.feeding.poll("dump").written == 2
    dump.texts |= {"d3": "the second edit", "d41": "edited after the poll"}
    dump.write()
    dump.sync("v1")  # takes what the file says now of d3 into the log
    assert dump.clean("v1")
    dump.sync("v1")
    third = {one for one in dump.wanted("v1") if one[0] == "d3"}
    assert third <= dump.held("v1")
    assert dump.letters("v1") == {}
    assert dump.feeding.poll("dump").written == 1
    dump.sync("v1")
    dump.sync("v2")
    assert dump.held("v1") == dump.wanted("v1")
    assert dump.held("v2") == dump.wanted("v2")


def test_a_line_that_vanished_is_a_dead_letter_until_a_sweep_deletes_it(dump: Dump) -> None:
    dump.texts |= {"d3": "edited"}
    dump.write()
    dump.feeding.poll("dump")
    del dump.texts["d3"]
    dump.write()
    dump.sync("v1")
    assert dump.letters("v1") == {"d3": "no-content"}
    assert dump.held("v1") == dump.wanted("v1")
    assert dump.feeding.poll("dump", sweep=True).swept == 1
    dump.sync("v1")
    assert dump.letters("v1") == {}
    assert dump.held("v1") == dump.wanted("v1")


def test_a_line_that_says_deleted_is_deleted_everywhere(dump: Dump) -> None:
    dump.texts |= {"d3": "edited"}
    dump.write()
    dump.feeding.poll("dump")
    with dump.file.open("a") as file:
        file.write('{"_id": "d61", "gone": true}\n')
    (dump.folder / "3.jsonl").write_text('{"_id": "d3", "gone": true}\n')
    del dump.texts["d3"]
    for name in ("v1", "v1", "v2"):
        dump.sync(name)  # the first finds the delete, and takes it in at the head
    assert dump.held("v1") == dump.wanted("v1")
    assert dump.held("v2") == dump.wanted("v2")


def test_without_its_files_a_sync_stops_and_goes_on_when_they_are_back(dump: Dump) -> None:
    dump.texts |= {f"d{n}": f"edited {n}" for n in range(20)}
    dump.write()
    dump.feeding.poll("dump")
    away = dump.file.rename(dump.folder / "away")
    with pytest.raises(SourceUnavailableError, match="has no row for 20 of 20"):
        dump.sync("v1")
    hidden = dump.folder.rename(dump.folder.with_name("hidden"))
    with pytest.raises(SourceUnavailableError, match="cannot be read"):
        dump.sync("v1")
    hidden.rename(dump.folder)
    away.rename(dump.file)
    dump.sync("v1")
    assert dump.held("v1") == dump.wanted("v1")
    assert dump.letters("v1") == {}
