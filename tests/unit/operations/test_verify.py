"""Every finding of the verification fails when what it looks at is tampered with."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from repoint.domain.catchup import DeadLetter
from repoint.domain.document import Chunk, Entry
from repoint.domain.ids import DocumentId, Epoch, Lsn, ReleaseName
from repoint.domain.readiness import Finding, Status
from repoint.domain.release import Release
from repoint.operations import golden, verify
from repoint.operations.checks import behaviour
from repoint.operations.in_step import catch_up
from repoint.ports.backend import SpaceMatrix
from repoint.testing.stage import INDEX, Stage

V1 = ReleaseName("v1")


@pytest.fixture
def back(promoted: Stage) -> Stage:
    """v1 answers again; deletes, edits and a new document are among the newest rows."""
    promoted.write({"new": "a fresh document", "d1": None, "d2": "edited since"})
    assert promoted.rollback().verified
    return promoted


def findings(stage: Stage) -> dict[str, Finding]:
    with stage.store.read() as view:
        pointer, head = view.pointers.pointer(INDEX), view.log.head(INDEX)
    found = verify.verify(
        stage.session,
        stage.space("v1"),
        pointer,
        ack_timeout=timedelta(milliseconds=10),
        upto=head,
    )
    names = [one.check for one in found]
    assert len(names) == len(set(names))
    return {one.check: one for one in found}


def failed(stage: Stage) -> set[str]:
    return {name for name, one in findings(stage).items() if one.status is Status.FAILED}


def put_behind(stage: Stage, name: str, text: str) -> None:
    """Write into the collection as no sync would: at an LSN above everything."""
    space = stage.space("v1")
    rng = np.random.default_rng(1)
    vector = rng.normal(size=(1, space.collection.spec.dimensions)).astype(np.float32)
    entry = Entry(
        document=DocumentId(name),
        lsn=Lsn(10_000),
        chunks=[Chunk.of(text, start=0, end=len(text))],
        slots=1,
    )
    space.collection.put([entry], SpaceMatrix(space.release.fingerprint, vector))


def test_nothing_fails_when_nothing_was_tampered_with(back: Stage) -> None:
    assert failed(back) == set()
    expected = "processes alias query-model lag dead-letters golden latency filter"
    also = "fresh-document deleted-document sampled-diff hybrid"
    assert set(findings(back)) == {*expected.split(), *also.split()}


def test_a_deleted_row_put_back_is_found(back: Stage) -> None:
    put_behind(back, "d1", "I am back")
    assert "deleted-document" in failed(back)
    assert findings(back)["deleted-document"].figures["first"] == "d1"


def test_a_row_that_vanished_is_found(back: Stage) -> None:
    back.space("v1").collection.purge([DocumentId("d2")])
    assert {"fresh-document", "sampled-diff"} <= failed(back)


def test_answers_unlike_the_baseline_are_found(back: Stage) -> None:
    collection = back.space("v1").collection
    collection.purge([DocumentId(f"d{n}") for n in range(3, 8)])
    assert "golden" in failed(back)


def test_an_alias_moved_by_hand_is_found(back: Stage) -> None:
    back.backend.set_alias(INDEX, back.release("v2").collection)
    assert failed(back) == {"alias"}


def test_a_model_that_drifted_is_found(back: Stage) -> None:
    back.model("v1").changed = True
    assert "query-model" in failed(back)


def test_a_process_left_behind_is_found_and_named(back: Stage) -> None:
    straggler = back.open()
    back.serve(straggler, Epoch(2))
    assert failed(back) == {"processes"}
    assert str(straggler.process.pid) in findings(back)["processes"].summary


def test_a_process_that_is_dead_is_no_straggler(back: Stage) -> None:
    gone = back.open()
    back.serve(gone, Epoch(2))
    back.kill(gone)
    assert failed(back) == set()


def test_rows_that_are_missing_are_counted(back: Stage) -> None:
    back.write({"later": "not in step"})
    assert failed(back) == {"lag"}
    catch_up(back.session, back.space("v1"))
    assert failed(back) == set()


def test_documents_that_it_could_not_take_are_found(back: Stage) -> None:
    letter = DeadLetter(
        index=INDEX,
        release=V1,
        document=DocumentId("d5"),
        lsn=Lsn(6),
        code="input-rejected",
        reason="too long",
        attempts=1,
        at=back.clock.now(),
    )
    with back.store.begin() as tx:
        tx.dead_letters.put([letter])
    assert "dead-letters" in failed(back)


def test_a_provider_that_does_not_answer_is_a_finding_and_no_error(back: Stage) -> None:
    back.model("v1").down = True
    session_without_cache = back.open()
    with back.store.read() as view:
        pointer, head = view.pointers.pointer(INDEX), view.log.head(INDEX)
    found = verify.verify(
        session_without_cache,
        session_without_cache.spaces.open(back.release("v1")),
        pointer,
        ack_timeout=timedelta(0),
        upto=head,
    )
    bad = {one.check for one in found if one.status is Status.FAILED}
    assert {"query-model", "golden", "filter"} <= bad
    assert not {"sampled-diff", "deleted-document"} & bad  # those need no model


@pytest.mark.parametrize("name", ["new", "d2"])
def test_a_row_with_another_content_is_found_by_the_sample(back: Stage, name: str) -> None:
    put_behind(back, name, "another text")
    assert "sampled-diff" in failed(back)


def test_the_baseline_counts_no_document_that_changed_since(back: Stage) -> None:
    back.clock.advance(timedelta(minutes=1))
    back.write({f"d{n}": "wholly different now" for n in range(3, 8)})
    catch_up(back.session, back.space("v1"))
    assert "golden" not in failed(back)


def test_documents_without_text_fail_no_check(promoted: Stage) -> None:
    promoted.write(dict.fromkeys((f"d{n}" for n in range(8)), ""))
    assert promoted.rollback().verified
    assert findings(promoted)["filter"].status is Status.SKIPPED


def test_a_cut_off_that_leaves_everything_out_fails_no_filter_check(promoted: Stage) -> None:
    release = promoted.release("v1")
    strict = replace(promoted.space("v1"), release=strictly(release))
    with promoted.store.read() as view:
        rows = behaviour.recent_rows(promoted.session, INDEX, upto=view.log.head(INDEX))
    assert behaviour.filtering(promoted.session, strict, rows).status is Status.OK


def strictly(release: Release) -> Release:
    return replace(release, spec=replace(release.spec, min_score=0.999))


def test_questions_that_a_releases_steps_erase_are_not_asked(promoted: Stage) -> None:
    space = promoted.space("v1")
    baseline = golden.measure(
        space, {"   ": DocumentId("d1"), "document 2": DocumentId("d2")}, clock=promoted.clock
    )
    assert list(baseline.answers) == ["document 2"]
