import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from tests.unit.operations.diagnose.conftest import COUNT, Ward, text

from repoint.domain.diagnosis import Blame, Certainty, Fault
from repoint.domain.document import Entry
from repoint.domain.errors import (
    BadInputError,
    NotFoundError,
    RefusedError,
    RetiredError,
    UnavailableError,
)
from repoint.domain.filters import Compare, Comparison
from repoint.domain.ids import DocumentId, IndexName, Lsn, QuerySetName, ReleaseName
from repoint.domain.queries import QuerySetKind
from repoint.domain.release import ReleaseState
from repoint.domain.spec import Distance, HybridSpec, PromptSpec
from repoint.operations import query_sets
from repoint.operations.diagnose import Given, Options, Step, diagnose, last, plan
from repoint.ports.backend import SpaceMatrix
from repoint.ports.embedder import Purpose
from repoint.testing.stage import INDEX, document, spec

V2 = ReleaseName("v2")


def lose(ward: Ward, share: float, *, name: str = "v2") -> None:
    names = [DocumentId(f"d{n}") for n in range(round(COUNT * share))]
    ward.stage.space(name).collection.purge(names)


def overwrite(ward: Ward, *, seed: int) -> None:
    """Write v2's documents again with the vectors of another model."""
    space = ward.stage.space("v2")
    ward.make(f"of-{seed}", seed=seed)
    other = ward.stage.space(f"of-{seed}").embedding
    with ward.stage.store.read() as view:
        rows = view.log.rows(INDEX, above=Lsn(0), upto=view.log.head(INDEX))
    for row in rows:
        assert row.document is not None
        chunks = space.preparer.prepare(row.document)
        vectors = other.documents([chunk.text for chunk in chunks]).values
        entry = Entry(
            document=row.id, lsn=row.lsn, chunks=chunks, slots=1, metadata=row.document.metadata
        )
        space.collection.put([entry], SpaceMatrix(space.release.fingerprint, vectors))


def test_a_release_that_is_no_worse_has_no_fault(ward: Ward) -> None:
    ward.make("v2", spec(seed=1, chunk=None))
    made = ward.diagnose()
    assert made.causes == ()
    assert made.top is None
    assert made.loss.difference == 0.0
    assert "no fault" in made.verdict


def test_another_model_that_is_as_good_has_no_fault(ward: Ward) -> None:
    ward.make()
    assert ward.named() == []


def test_documents_that_are_gone_are_named_with_how_many(ward: Ward) -> None:
    ward.make()
    lose(ward, 0.5)
    top = ward.diagnose().top
    assert top is not None
    assert (top.fault, top.blame) == (Fault.MISSING_DOCUMENTS, Blame.MIGRATION)
    assert (top.figures["documents"], top.figures["compared"]) == (COUNT // 2, COUNT)
    assert top.score > 0.8
    assert top.remedy == "repoint diff docs v2 --repair"


def test_what_sync_has_not_reached_is_missing_too_and_sync_is_the_remedy(ward: Ward) -> None:
    ward.make()
    ward.stage.write({f"new{n}": f"entirely new words {n}" for n in range(COUNT)})
    top = ward.diagnose().top
    assert top is not None
    assert top.fault is Fault.MISSING_DOCUMENTS
    assert top.remedy == "repoint sync docs v2"


def test_an_older_version_is_stale(ward: Ward) -> None:
    ward.make()
    changed = {f"d{n}": document(f"d{n}", "old", colour="red", n=n) for n in range(COUNT)}
    ward.stage.write(changed)
    ward.stage.revive("v2")
    whole = {f"d{n}": document(f"d{n}", text(n), colour="red", n=n + 1) for n in range(COUNT)}
    ward.stage.write(whole)
    ward.stage.revive("v1")
    assert ward.named()[0] is Fault.STALE_DOCUMENTS


def test_vectors_of_another_model_of_equal_dimensions_are_told_by_its_name(ward: Ward) -> None:
    ward.make()
    overwrite(ward, seed=7)
    made = ward.diagnose()
    assert made.top is not None
    assert (made.top.fault, made.top.blame) == (Fault.OTHER_MODEL, Blame.MIGRATION)
    assert "release of-7" in made.sample.explained_by
    assert made.sample.matching == 0


def test_vectors_that_nobody_here_could_have_made_are_said_to_be_that(ward: Ward) -> None:
    ward.make()
    space = ward.stage.space("v2")
    batch = space.collection.stored([DocumentId(f"d{n}") for n in range(COUNT)])
    with ward.stage.store.read() as view:
        rows = view.log.get(INDEX, batch.documents)
    for place, (name, row) in enumerate(sorted(rows.items())):
        assert row.document is not None
        chunks = space.preparer.prepare(row.document)
        noise = space.embedding.documents([f"noise {place}"]).values
        fields = row.document.metadata
        entry = Entry(document=name, lsn=row.lsn, chunks=chunks, slots=1, metadata=fields)
        space.collection.put([entry], SpaceMatrix(space.release.fingerprint, noise))
    assert ward.named()[0] is Fault.UNKNOWN_VECTORS


def test_vectors_of_zeros_are_named_with_how_many(ward: Ward) -> None:
    ward.make()
    space = ward.stage.space("v2")
    with ward.stage.store.read() as view:
        rows = view.log.rows(INDEX, above=Lsn(0), upto=view.log.head(INDEX))
    for row in rows[: COUNT // 2]:
        assert row.document is not None
        chunks = space.preparer.prepare(row.document)
        fields = row.document.metadata
        entry = Entry(document=row.id, lsn=row.lsn, chunks=chunks, slots=1, metadata=fields)
        nothing = np.zeros((1, 16), dtype=np.float32)
        space.collection.put([entry], SpaceMatrix(space.release.fingerprint, nothing))
    made = ward.diagnose()
    assert made.top is not None
    assert (made.top.fault, made.top.figures["documents"]) == (
        Fault.UNKNOWN_VECTORS,
        COUNT // 2,
    )


def test_a_model_that_changed_behind_its_name_is_the_providers_doing(ward: Ward) -> None:
    ward.make()
    ward.stage.model("v2").changed = True
    made = ward.diagnose()
    assert made.top is not None
    assert (made.top.fault, made.top.blame) == (Fault.PROVIDER_CHANGED, Blame.PROVIDER)
    assert Fault.BAD_MODEL not in [one.fault for one in made.causes]


def test_a_weak_model_is_what_is_left_when_all_else_is_right(ward: Ward) -> None:
    ward.make("v2", spec(seed=3, chunk=None, dimensions=2))
    top = ward.diagnose().top
    assert top is not None
    assert (top.fault, top.blame) == (Fault.BAD_MODEL, Blame.MODEL)
    assert top.score > 0.9


def test_a_cut_off_that_nothing_reaches_is_named(ward: Ward) -> None:
    ward.make("v2", replace(spec(seed=2, chunk=None), min_score=0.999))
    assert ward.named()[0] is Fault.CUT_OFF


def test_questions_with_a_prefix_that_confuses_the_model_are_named(ward: Ward) -> None:
    made = spec(seed=2, chunk=None)
    prefix = "please find me whatever you have on the subject of many other things "
    ward.make("v2", replace(made, model=replace(made.model, query_prefix=prefix)))
    assert ward.named()[0] is Fault.QUERY_PREFIX


def test_lengths_that_count_are_named_where_directions_should(ward: Ward) -> None:
    made = spec(seed=2, chunk=None)
    raw = replace(made, distance=Distance.DOT, model=replace(made.model, normalise=False))
    ward.make("v2", raw)
    # Whatever the hashing model's lengths do to the order, nothing else may be blamed.
    assert set(ward.named()) <= {Fault.NORMALISATION}


def test_words_that_no_longer_help_are_named(ward: Ward) -> None:
    weak = spec(seed=3, chunk=None, dimensions=2)
    ward.make("worded", replace(weak, hybrid=HybridSpec()))
    ward.make("v2", weak)
    made = diagnose(
        ward.stage.session,
        INDEX,
        V2,
        baseline="worded",
        given=Given(questions=ward.questions(), source="a test"),
        options=Options(),
    )
    assert made.top is not None
    assert (made.top.fault, made.top.blame) == (Fault.HYBRID, Blame.SETTINGS)
    assert "the baseline by vectors alone" in [one.change for one in made.cells]


def test_words_that_drown_the_vectors_are_named(ward: Ward) -> None:
    made = spec(seed=2, chunk=None)
    loud = HybridSpec(vector_weight=0.0, lexical_weight=0.001, candidates=1)
    ward.make("v2", replace(made, hybrid=loud))
    assert set(ward.named()) <= {Fault.HYBRID}


def test_a_lost_field_is_found_although_no_question_shows_it(ward: Ward) -> None:
    ward.make("v2", spec(seed=1, chunk=None))
    space = ward.stage.space("v2")
    with ward.stage.store.read() as view:
        rows = view.log.rows(INDEX, above=Lsn(0), upto=view.log.head(INDEX))
    for row in rows:
        assert row.document is not None
        chunks = space.preparer.prepare(row.document)
        vectors = space.embedding.documents([chunk.text for chunk in chunks])
        bare = Entry(
            document=row.id, lsn=row.lsn, chunks=chunks, slots=1, metadata={"n": row.lsn - 1}
        )
        space.collection.put([bare], vectors)
    made = ward.diagnose()
    assert made.top is not None
    assert (made.top.fault, made.top.certainty) == (Fault.FILTER_FIELD, Certainty.PROVEN)
    assert made.top.figures["field"] == "colour"
    assert made.loss.difference == 0.0
    where = Compare("colour", Comparison.EQUAL, "red")
    asked = ward.diagnose(options=Options(where=where, filter_text='colour = "red"'))
    assert asked.top is not None
    assert (asked.top.fault, asked.top.certainty) == (Fault.FILTER_FIELD, Certainty.MEASURED)
    assert asked.asked.filter == 'colour = "red"'


def test_a_prompt_is_only_ever_possible(ward: Ward) -> None:
    made = spec(seed=1, chunk=None)
    ward.make("v2", replace(made, prompt=PromptSpec(template="{hits}", version="9")))
    (only,) = ward.diagnose().causes
    assert (only.fault, only.certainty) == (Fault.PROMPT, Certainty.POSSIBLE)


def test_one_group_that_lost_is_diagnosed_by_its_own_questions(ward: Ward) -> None:
    ward.make()
    names = [DocumentId(f"d{n}") for n in range(1, COUNT, 2)][:8]
    ward.stage.space("v2").collection.purge(names)
    made = ward.diagnose()
    assert made.top is not None
    assert made.top.fault is Fault.MISSING_DOCUMENTS


def test_without_judgements_the_baselines_answers_count_and_that_is_said(ward: Ward) -> None:
    ward.make("v2", spec(seed=1, chunk=None))
    lose(ward, 0.5)
    alone = replace(ward.questions(), qrels={}, kind=QuerySetKind.LOG)
    made = ward.diagnose(questions=alone)
    assert not made.asked.judged
    assert made.top is not None
    assert made.top.fault is Fault.MISSING_DOCUMENTS


def test_it_writes_its_report_and_the_record_of_it_and_nothing_else(ward: Ward) -> None:
    ward.make()
    lose(ward, 0.5)

    def everything() -> dict[str, list[tuple[object, ...]]]:
        with closing(sqlite3.connect(ward.stage.folder / "control.db")) as connection:
            names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            return {
                name: connection.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608 - ours
                for (name,) in names.fetchall()
            }

    before = everything()
    points = {n: ward.stage.space(n).collection.counts() for n in ("v1", "v2")}
    ward.diagnose()
    after = everything()
    changed = {name for name, rows in after.items() if rows != before[name]}
    assert changed <= {"diagnoses", "audit", "sqlite_sequence"}
    assert len(after["audit"]) == len(before["audit"]) + 1
    assert points == {n: ward.stage.space(n).collection.counts() for n in ("v1", "v2")}


def test_no_document_text_and_no_question_is_kept(ward: Ward) -> None:
    ward.make()
    lose(ward, 0.5)
    ward.diagnose()
    with closing(sqlite3.connect(ward.stage.folder / "control.db")) as connection:
        ((content,),) = connection.execute("SELECT content FROM diagnoses").fetchall()
    for number in range(COUNT):
        assert text(number)[:14] not in content


def test_the_newest_report_is_shown_again_as_it_was(ward: Ward) -> None:
    ward.make()
    with pytest.raises(NotFoundError, match="repoint diagnose docs v2"):
        last(ward.stage.session, INDEX, V2)
    ward.diagnose()
    made = ward.diagnose()
    assert last(ward.stage.session, INDEX, V2) == made


def test_it_embeds_no_more_than_its_budget_and_says_what_it_left_out(ward: Ward) -> None:
    ward.make()
    overwrite(ward, seed=7)
    model = ward.stage.model("v2")
    model.embedded.clear()
    made = ward.diagnose(options=Options(budget_texts=COUNT))
    documents = [one for purpose, one in model.embedded if purpose is Purpose.DOCUMENT]
    probes = 10
    assert len(documents) <= COUNT + probes
    assert made.expense.texts <= COUNT
    assert any("--budget-texts" in one for one in made.left_out)
    assert made.top is not None
    assert made.top.fault in {Fault.UNKNOWN_VECTORS, Fault.OTHER_MODEL}


def test_documents_of_many_chunks_do_not_use_up_the_budget_of_the_rest(ward: Ward) -> None:
    ward.make("v2", spec(seed=2, chunk=3))
    whole = ward.diagnose()
    few = ward.diagnose(options=Options(sample=4))
    assert 0 < few.sample.documents < 4
    assert few.sample.documents < whole.sample.documents < COUNT


def test_an_estimate_comes_before_and_embeds_nothing(ward: Ward) -> None:
    ward.make()
    model = ward.stage.model("v2")
    model.embedded.clear()
    estimate = plan(ward.stage.session, INDEX, V2, options=Options())
    assert model.embedded == []
    made = ward.diagnose()
    assert made.expense.texts <= estimate.expense.texts
    assert made.expense.questions <= 4 * estimate.expense.questions
    assert (estimate.baseline, estimate.source) == ("v1", f"{COUNT} known items of the corpus")


def test_progress_is_told_step_by_step(ward: Ward) -> None:
    ward.make()
    told: list[Step] = []
    ward.diagnose(progress=told.append)
    assert [one.done for one in told] == [0, 1, 3, 5]


def test_the_set_that_was_measured_with_is_asked_by_itself(ward: Ward) -> None:
    ward.make()
    query_sets.add(ward.stage.session, INDEX, QuerySetName("clinic"), ward.questions())
    made = diagnose(ward.stage.session, INDEX, V2, options=Options())
    assert (made.baseline, made.asked.source) == ("v1", "clinic@1")


def test_what_cannot_be_compared_is_refused(ward: Ward) -> None:
    session = ward.stage.session
    with pytest.raises(BadInputError, match="no other release"):
        diagnose(session, INDEX, ReleaseName("v1"), options=Options())
    ward.make()
    with pytest.raises(BadInputError, match="itself"):
        diagnose(session, INDEX, V2, baseline="v2", options=Options())
    with pytest.raises(NotFoundError):
        diagnose(session, INDEX, V2, baseline="nosuch", options=Options())
    with pytest.raises(NotFoundError):
        diagnose(session, IndexName("nosuch"), V2, options=Options())
    with pytest.raises(BadInputError, match="out of bounds"):
        diagnose(session, INDEX, V2, options=Options(k=0))
    ward.stage.create("never", seed=5)
    with pytest.raises(RefusedError, match="never brought into step"):
        diagnose(session, INDEX, ReleaseName("never"), options=Options())
    with ward.stage.store.begin() as tx:
        tx.releases.set_state(INDEX, V2, ReleaseState.RETIRED)
        tx.releases.set_state(INDEX, V2, ReleaseState.DROPPED)
    with pytest.raises(RetiredError):
        ward.diagnose()


def test_a_model_that_is_down_leaves_nothing_behind(ward: Ward) -> None:
    ward.make()
    ward.stage.model("v2").down = True
    with pytest.raises(UnavailableError):
        ward.diagnose()
    with ward.stage.store.read() as view:
        assert view.diagnoses.all(INDEX) == []
