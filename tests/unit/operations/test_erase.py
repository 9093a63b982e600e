"""Erasing documents: from every place, proven in each, and nothing else."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from repoint.domain.catchup import DeadLetter
from repoint.domain.document import Document
from repoint.domain.erasure import Stage as ErasureStage
from repoint.domain.errors import BadInputError, NotFoundError, UnavailableError
from repoint.domain.ids import DocumentId, IndexName, Lsn, QuerySetName, ReleaseName, RunId
from repoint.domain.operation import Freeze
from repoint.domain.readiness import Finding, Status
from repoint.domain.release import ReleaseState
from repoint.operations import ending, query_sets, reconcile
from repoint.operations.erase import ErasureReport, erase, finish_open, unfinished
from repoint.operations.session import Session
from repoint.ports.archive import Redacted
from repoint.testing import invariants
from repoint.testing.stage import INDEX, OWNER, Stage
from repoint.testing.store_judging import query_set, run

TEXT: Final = "Frau Zwetschgenbaum lives in the Kirschallee. She has a rare illness, they say."
WHO: Final = DocumentId("person-0001")
OTHER: Final = DocumentId("d3")
WHY: Final = "request 118"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """v3 is retired, v1 failed and is held, v2 answers; all hold the document."""
    with Stage(folder=tmp_path / "stage") as stage:
        stage.write({f"d{n}": f"document {n} is about something. {n}" for n in range(8)})
        stage.write({WHO: TEXT})
        for seed, name in enumerate(("v3", "v1", "v2"), start=1):
            stage.create(name, seed=seed)
        stage.revive("v3")
        stage.promote("v3")
        stage.revive("v1")
        stage.promote("v1")
        stage.rollback()
        stage.revive("v2")
        ending.abort(stage.session, INDEX, reason="")
        yield stage


def erased(stage: Stage, *ids: str, by: Session | None = None) -> ErasureReport:
    named = [DocumentId(one) for one in ids or (WHO,)]
    return erase(by or stage.session, INDEX, named, reason=WHY)


def found(report: ErasureReport, check: str) -> Finding:
    (finding,) = [one for one in report.findings if one.check == check]
    return finding


def standing(stage: Stage, name: str) -> set[str]:
    release = stage.release(name)
    collection = stage.backend.open(release.collection, fingerprint=release.fingerprint)
    return set(collection.stored([WHO, OTHER]).documents)


def files(stage: Stage) -> list[Path]:
    return [
        file
        for file in stage.folder.rglob("*")
        if file.is_file() and b"Zwetschgenbaum" in file.read_bytes()
    ]


def test_every_collection_loses_it_whatever_its_release_is(stage: Stage) -> None:
    stage.retire("v2")
    with stage.store.read() as view:
        held = {one.release for one in view.access.holds(INDEX)}
    assert held == {"v1"}
    assert all(standing(stage, name) == {WHO, OTHER} for name in ("v1", "v2", "v3"))

    report = erased(stage)

    assert report.verified, report.findings
    assert all(standing(stage, name) == {OTHER} for name in ("v1", "v2", "v3"))
    for name in ("v1", "v2", "v3"):
        assert found(report, f"collection:{name}").figures == {"found": 0}
    assert files(stage) == []


def test_the_log_keeps_a_tombstone_and_nothing_else(stage: Stage) -> None:
    report = erased(stage)

    with stage.store.read() as view:
        row = view.log.get(INDEX, [WHO])[WHO]
    assert row.document is None
    assert found(report, "log").figures == {"found": 0, "tombstones": 1}
    assert report.unknown == 0


def test_only_what_was_named_goes(stage: Stage) -> None:
    erased(stage)

    stage.revive("v3")
    with stage.store.read() as view:
        rows = view.log.scan(INDEX, after=None, limit=100)
    written = {str(row.id): row.document for row in rows}
    assert invariants.broken(stage.store, stage.session.spaces, INDEX, written=written) == []
    assert {row.id for row in rows if row.document is not None} == {f"d{n}" for n in range(8)}


def test_what_releases_are_measured_with_forgets_it(stage: Stage) -> None:
    items = QuerySetName("items")
    made, _ = query_sets.known_items(stage.session, INDEX, items, count=9, seed=0)
    asked = {query.id: query.text for query in made.questions.queries}
    assert any("Zwetschgenbaum" in text for text in asked.values())
    answers = dict.fromkeys(asked, (OTHER, WHO))
    with stage.store.begin() as tx:
        tx.runs.add(
            replace(
                run(),
                release=ReleaseName("v1"),
                query_set=items,
                ranked=answers,
                exact=answers,
                stages={},
                refused={},
            )
        )

    report = erased(stage)

    with stage.store.read() as view:
        left = view.query_sets.get(INDEX, items).questions
        stored = view.runs.get(INDEX, RunId("r-1"))
    assert len(left.queries) == len(asked) - 1
    assert all("Zwetschgenbaum" not in query.text for query in left.queries)
    assert set(stored.ranked) == {query.id for query in left.queries}
    assert all(one[0] == OTHER and one[1] != WHO for one in stored.ranked.values())
    assert found(report, "query-sets").figures["queries"] == 1
    assert found(report, "runs").figures["rewritten"] == 1


def test_a_judgement_of_it_counts_on_without_its_name(stage: Stage) -> None:
    with stage.store.begin() as tx:
        one = query_set()
        judged = replace(
            one.questions,
            qrels={query: {WHO: 2} for query in one.questions.qrels},
        )
        tx.query_sets.add(replace(one, questions=judged))

    erased(stage)

    with stage.store.read() as view:
        (grades,) = view.query_sets.get(INDEX, one.name).questions.qrels.values()
    assert list(grades.values()) == [2]
    assert WHO not in grades


def test_baselines_and_dead_letters_forget_it(stage: Stage) -> None:
    with stage.store.begin() as tx:
        tx.dead_letters.put(
            [
                DeadLetter(
                    index=INDEX,
                    release=ReleaseName("v3"),
                    document=WHO,
                    lsn=Lsn(9),
                    code="input-rejected",
                    reason=f"cannot embed {TEXT}",
                    attempts=1,
                    at=stage.clock.now(),
                )
            ]
        )
        before = tx.releases.baseline(INDEX, ReleaseName("v3"))
    assert before is not None
    assert WHO in {one for answer in before.answers.values() for one in answer}

    report = erased(stage)

    with stage.store.read() as view:
        after = view.releases.baseline(INDEX, ReleaseName("v3"))
        assert view.dead_letters.all(INDEX, ReleaseName("v3")) == []
    assert after is not None
    assert WHO not in {one for answer in after.answers.values() for one in answer}
    assert not any("Zwetschgenbaum" in query for query in after.answers)
    assert found(report, "dead-letters").figures == {"found": 0, "removed": 1}


def test_evidence_forgets_it_and_keeps_everything_else(stage: Stage) -> None:
    folder = stage.folder / "evidence"
    (file,) = folder.glob("*.json")
    tree = json.loads(file.read_text(encoding="utf-8"))
    tree["seen"] = {"document": WHO, "note": f"it says: {TEXT}", "rows": 7}
    file.write_text(json.dumps(tree), encoding="utf-8")
    (folder / "bundle.bin").write_bytes(b"\xff\xfe nothing of it")

    report = erased(stage)

    after = json.loads(file.read_text(encoding="utf-8"))
    assert after["operation"] == tree["operation"]
    assert after["seen"]["rows"] == 7
    assert WHO not in file.read_text(encoding="utf-8")
    assert "Zwetschgenbaum" not in file.read_text(encoding="utf-8")
    assert report.verified
    assert found(report, "evidence").figures["rewritten"] == 1


def test_evidence_that_cannot_be_rewritten_is_named_and_nothing_is_called_done(
    stage: Stage,
) -> None:
    left = stage.folder / "evidence" / "bundle.tar"
    left.write_bytes(b"\xff\xfe " + TEXT.encode())

    report = erased(stage)

    assert not report.verified
    assert "bundle.tar" in found(report, "evidence").summary
    assert len(unfinished(stage.session, INDEX)) == 1

    left.unlink()
    (again,) = finish_open(stage.session, INDEX)
    assert again.verified
    assert again.id == report.id
    assert unfinished(stage.session, INDEX) == []


def test_the_record_names_counts_and_nothing_of_the_documents(stage: Stage) -> None:
    report = erased(stage, WHO, "never-was-here")

    assert report.unknown == 1
    with stage.store.read() as view:
        records = [one for one in view.audit.records(index=INDEX) if one.action == "erase"]
        (kept,) = view.erasures.all(INDEX)
    assert [one.details["what"] for one in records] == ["begun", "proven"]
    assert all(one.details["documents"] == 2 for one in records)
    assert WHO not in json.dumps([dict(one.details) for one in records])
    assert kept.stage is ErasureStage.DONE
    assert kept.secret.stand_ins == {}
    assert kept.findings == report.findings


def test_no_record_of_the_store_names_it_afterwards(stage: Stage) -> None:
    erased(stage)

    with stage.store.read() as view:
        texts = dict(view.erasures.records())
    assert not [place for place, text in texts.items() if WHO in text]
    with stage.store.begin() as tx:
        tx.indexes.freeze(
            INDEX, Freeze(actor=OWNER, reason=f"see '{WHO}'", at=stage.clock.now())
        )

    report = erased(stage)

    assert not report.verified
    assert "1 in indexes.frozen_reason" in found(report, "records").summary


def test_what_was_written_again_is_kept_and_told(stage: Stage) -> None:
    class Archive:
        def keep(self, name: str, content: object) -> str:
            raise NotImplementedError

        def read(self, name: str) -> None:
            raise NotImplementedError

        def redact(self, secret: object, *, spared: object) -> Redacted:
            del secret, spared
            stage.write({WHO: "a new text of the same person"})  # while it is under way
            return Redacted(records=0, changed=0, left=[])

    report = erased(stage, by=replace(stage.session, archive=Archive()))

    assert found(report, "written-again").status is Status.WARNING
    assert report.verified
    stage.revive("v3")
    assert WHO in standing(stage, "v3")


def test_a_model_that_is_down_keeps_nothing(stage: Stage) -> None:
    stage.write({"d1": "one more edit that waits"})
    for name in ("v1", "v2", "v3"):
        stage.model(name).down = True

    report = erased(stage)

    assert report.verified
    assert all(standing(stage, name) == {OTHER} for name in ("v1", "v2", "v3"))


def test_a_frozen_index_is_no_reason_to_keep_it(stage: Stage) -> None:
    with stage.store.begin() as tx:
        tx.indexes.freeze(INDEX, Freeze(actor=OWNER, reason="look", at=stage.clock.now()))

    assert erased(stage).verified
    assert all(standing(stage, name) == {OTHER} for name in ("v1", "v2", "v3"))


def test_a_place_that_fails_stops_no_other_and_is_finished_later(stage: Stage) -> None:
    class Down:
        def keep(self, name: str, content: object) -> str:
            raise NotImplementedError

        def read(self, name: str) -> None:
            raise NotImplementedError

        def redact(self, secret: object, *, spared: object) -> Redacted:
            del secret, spared
            raise UnavailableError("the disk is full")

    report = erased(stage, by=replace(stage.session, archive=Down()))

    assert not report.verified
    assert found(report, "evidence").status is Status.FAILED
    assert standing(stage, "v1") == {OTHER}
    (mended,) = [one for one in reconcile.reconcile(stage.session)[0] if "erasure" in one.what]
    assert mended.index == INDEX
    assert unfinished(stage.session, INDEX) == []


def test_reconcile_leaves_the_erasure_of_a_live_process_to_it(stage: Stage) -> None:
    other = stage.open()
    (stage.folder / "evidence" / "x.bin").write_bytes(b"\xff" + TEXT.encode())
    erased(stage, by=other)
    (stage.folder / "evidence" / "x.bin").unlink()

    reconcile.reconcile(stage.session)
    assert len(unfinished(stage.session, INDEX)) == 1

    stage.kill(other)
    reconcile.reconcile(stage.session)
    assert unfinished(stage.session, INDEX) == []


def test_a_lost_collection_holds_nothing(stage: Stage) -> None:
    stage.backend.drop(stage.release("v1").collection)
    stage.retire("v2")
    stage.drop("v2")
    assert stage.release("v2").state is ReleaseState.DROPPED

    report = erased(stage)

    assert report.verified
    assert "no collection" in found(report, "collection:v1").summary
    assert not [one for one in report.findings if one.check == "collection:v2"]


def test_what_cannot_be_an_erasure_is_refused_and_changes_nothing(stage: Stage) -> None:
    for ids, reason in (
        ([], WHY),
        ([WHO], " "),
        ([WHO], f"request of {WHO}"),
        ([DocumentId(f"x{n}") for n in range(10_001)], WHY),
    ):
        with pytest.raises(BadInputError):
            erase(stage.session, INDEX, ids, reason=reason)
    with pytest.raises(NotFoundError):
        erase(stage.session, IndexName("nosuch"), [WHO], reason=WHY)
    with stage.store.read() as view:
        assert view.erasures.count() == 0
        assert isinstance(view.log.get(INDEX, [WHO])[WHO].document, Document)


def test_the_query_cache_is_emptied(stage: Stage) -> None:
    stage.space("v3").embedding.query("where does Zwetschgenbaum live?")
    assert stage.space("v3").embedding.cache_counts().size > 0

    erased(stage)

    assert stage.space("v3").embedding.cache_counts().size == 0
