"""A power cut at any call of an erasure leaves what the next command finishes, with proof."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from repoint.domain.ids import DocumentId, QuerySetName
from repoint.operations import ending, query_sets, reconcile
from repoint.operations.erase import erase, unfinished
from repoint.testing import invariants
from repoint.testing.faults import PowerCut, fuses
from repoint.testing.stage import INDEX, Stage

TEXT: Final = "Frau Zwetschgenbaum lives in the Kirschallee. She has a rare illness, they say."
WHO: Final = DocumentId("person-0001")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """v1 answers, v2 failed and is held, v3 is behind; a query set is made of the corpus."""
    with Stage(folder=tmp_path_factory.mktemp("prepared")) as stage:
        stage.write({f"d{n}": f"document {n} is about something" for n in range(4)})
        stage.write({WHO: TEXT})
        for seed, name in enumerate(("v1", "v2", "v3"), start=1):
            stage.create(name, seed=seed)
        stage.revive("v1")
        stage.promote("v1")
        stage.revive("v2")
        stage.promote("v2")
        stage.rollback()
        stage.revive("v3")
        ending.abort(stage.session, INDEX, reason="")
        query_sets.known_items(stage.session, INDEX, QuerySetName("items"), count=5, seed=0)
        stage.write({"d1": "an edit that waits"})
        yield stage


@pytest.mark.slow
def test_an_erasure_cut_anywhere_is_finished_by_the_next_command(
    prepared: Stage, tmp_path: Path
) -> None:
    cuts = 0
    for fuse in fuses():
        with prepared.twin(tmp_path / f"{fuse.at}-{fuse.after}") as stage:
            dying = stage.open(fuse=fuse)
            with suppress(PowerCut):
                assert erase(dying, INDEX, [WHO], reason="request 1").verified
            stage.kill(dying)
            with stage.store.read() as view:
                began = view.erasures.count() == 1
            if began:
                reconcile.reconcile(stage.session)
            else:
                assert erase(stage.session, INDEX, [WHO], reason="request 1").verified

            assert unfinished(stage.session, INDEX) == [], fuse
            gone(stage, repr(fuse))
        cuts += fuse.blown
    assert cuts > 20


def gone(stage: Stage, when: str) -> None:
    for file in stage.folder.rglob("*"):
        if file.is_file():
            assert b"Zwetschgenbaum" not in file.read_bytes(), (when, file)
    with stage.store.read() as view:
        records = [one for one in view.audit.records(index=INDEX) if one.action == "erase"]
        releases = view.releases.all(INDEX)
        rows = view.log.scan(INDEX, after=None, limit=100)
    assert [one.details["what"] for one in records] == ["begun", "proven"], when
    for release in releases:
        collection = stage.backend.open(release.collection, fingerprint=release.fingerprint)
        assert not collection.stored([WHO]).documents, (when, release.name)
    written = {str(row.id): row.document for row in rows}
    broken = invariants.broken(stage.store, stage.session.spaces, INDEX, written=written)
    assert broken == [], when
