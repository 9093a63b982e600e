"""What every store promises of erasures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repoint.domain.document import Document
from repoint.domain.erasure import Erasure, Secret, Stage, questions_without, run_without
from repoint.domain.errors import ConflictError
from repoint.domain.ids import DocumentId, Lsn, QueryId
from repoint.domain.readiness import Finding, Status
from repoint.ports.store import Store
from repoint.testing.conformance import Suite
from repoint.testing.store_access import process
from repoint.testing.store_judging import CLINIC, query_set, run
from repoint.testing.store_samples import ANNA, DOCS, NOW, ONE, with_index

TEXT = "Frau Zwetschgenbaum lives in the Kirschallee 7"
SECRET = Secret(
    stand_ins={DocumentId("d1"): "erased-1"},
    traces=(TEXT[:40],),
    questions=frozenset({"what helps?"}),
)
FOUND = Finding(check="log", status=Status.OK, summary="nothing", figures={"found": 0})


def erasure(name: str = "e-1") -> Erasure:
    """Return a request that was just made."""
    return Erasure(
        id=name,
        index=DOCS,
        actor=ANNA,
        reason="request 1",
        owner=ONE,
        at=NOW,
        stage=Stage.OPEN,
        documents=1,
        unknown=0,
        upto=Lsn(4),
        secret=SECRET,
    )


def cleared(one: Erasure) -> Erasure:
    """Return the request once everything is gone."""
    return replace(one, stage=Stage.CLEARED, secret=Secret(stand_ins={}), findings=(FOUND,))


class ErasureSuite(Suite):
    """Requests to erase, and what they alone may do."""

    def test_a_request_comes_back_as_it_was_given(self, store: Store) -> None:
        """With all that it needs to go on after a crash."""
        with_index(store)
        with store.begin() as tx:
            tx.erasures.begin(erasure())
            tx.erasures.begin(erasure("e-2"))
        with store.read() as view:
            assert view.erasures.all(DOCS) == [erasure(), erasure("e-2")]
            assert view.erasures.count() == 2

    def test_a_request_that_is_cleared_names_nothing_and_never_goes_back(
        self, store: Store
    ) -> None:
        """[erasures-never-go-back], whichever process comes late."""
        with_index(store)
        with store.begin() as tx:
            tx.erasures.begin(erasure())
            tx.erasures.advance(cleared(erasure()))
        with pytest.raises(ConflictError, match="another process"), store.begin() as tx:
            tx.erasures.advance(erasure())
        done = replace(cleared(erasure()), stage=Stage.DONE)
        with store.begin() as tx:
            tx.erasures.advance(done)
        with pytest.raises(ConflictError), store.begin() as tx:
            tx.erasures.advance(done)
        with store.read() as view:
            assert view.erasures.all(DOCS) == [done]

    def test_what_was_measured_is_rewritten_in_its_place(self, store: Store) -> None:
        """[guarded]: while something is being erased, and in nothing but the answers."""
        with_index(store)
        questions, made = questions_without(query_set().questions, SECRET)
        assert made == {QueryId("q1")}
        with store.begin() as tx:
            tx.query_sets.add(query_set())
            tx.runs.add(run())
            tx.erasures.begin(erasure())
        after = run_without(run(), SECRET, made)
        with store.begin() as tx:
            tx.erasures.rewrite_run(after)
            tx.erasures.rewrite_query_set(replace(query_set(), questions=questions))
        with store.read() as view:
            assert view.runs.get(DOCS, run().id) == after
            assert view.query_sets.get(DOCS, CLINIC).questions == questions
            (summary,) = view.query_sets.all(DOCS)
        assert (summary.queries, summary.judgements) == (1, 0)
        assert summary.digest == questions.digest()

    def test_records_show_every_text_but_documents_and_erasures(self, store: Store) -> None:
        """So that whatever keeps a document's text somewhere is noticed."""
        with_index(store)
        with store.begin() as tx:
            tx.log.append(DOCS, [Document(id=DocumentId("d1"), text=TEXT)], at=NOW)
            tx.erasures.begin(erasure())
            tx.audit.append(at=NOW, actor=ANNA, action="freeze", reason=f"of {TEXT}")
            tx.processes.register(process(ONE))
        with store.read() as view:
            found = dict(view.erasures.records())
        assert found["audit.reason"] == f"of {TEXT}"
        assert "processes.serves" in found
        assert not any(place.startswith(("documents.", "erasures.")) for place in found)

    def test_texts_that_a_document_still_has_are_told(self, store: Store) -> None:
        """In its text, its title or its metadata; a tombstone has none."""
        with_index(store)
        with store.begin() as tx:
            tx.log.append(
                DOCS,
                [
                    Document(id=DocumentId("a"), text="alpha alpha"),
                    Document(id=DocumentId("b"), text="x", title="beta beta"),
                    Document(id=DocumentId("c"), text="x", metadata={"m": "gamma gamma"}),
                    Document(id=DocumentId("d"), text="delta delta"),
                ],
                at=NOW,
            )
            tx.log.append(DOCS, [DocumentId("d")], at=NOW)
        words = ("alpha alpha", "beta beta", "gamma gamma", "delta delta", "100%_")
        with store.read() as view:
            assert view.erasures.shared(words) == {*words[:3]}

    def test_what_was_removed_leaves_the_files(self, store: Store) -> None:
        """Where the store can look at its files, and else it says that it cannot."""
        with_index(store)
        person = DocumentId("person-00001")
        with store.begin() as tx:
            tx.log.append(DOCS, [Document(id=person, text=TEXT)], at=NOW)
        assert store.scrub([TEXT]) in {frozenset({TEXT}), None}
        with store.begin() as tx:
            tx.log.append(DOCS, [person], at=NOW)
        assert not store.scrub([TEXT])
