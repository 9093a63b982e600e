"""The promises of ``ports.store.Adoptions``, each as a test."""

from __future__ import annotations

from typing import Final

import pytest

from repoint.domain.adoption import Adoption, AdoptionState, Field, FieldKind, Layout
from repoint.domain.errors import AlreadyExistsError
from repoint.ports.store import Store
from repoint.testing.conformance import Suite
from repoint.testing.store_samples import ANNA, DOCS, NOW, SOON, V1, V2, with_index

LAYOUT: Final = Layout(
    collection="public.articles",
    id=Field(name="id", kind=FieldKind.INTEGER, required=True, size=8),
    text=Field(name="body", kind=FieldKind.TEXT),
    title=Field(name="title", kind=FieldKind.TEXT, size=80),
    vector="embedding",
    metadata=(Field(name="year", kind=FieldKind.INTEGER, size=4),),
    object="more",
    left_out=("secret",),
)
ADOPTION: Final = Adoption(
    index=DOCS,
    release=V1,
    backend="prod",
    layout=LAYOUT,
    state=AdoptionState.SCANNING,
    cursor="",
    rows=0,
    without_text=0,
    total=100,
    actor=ANNA,
    started_at=NOW,
    finished_at=None,
    proof={"sampled": 64, "largest": 1e-7},
)


class AdoptionRecordSuite(Suite):
    """The records of adoptions."""

    def test_an_adoption_comes_back_as_it_was_given(self, store: Store) -> None:
        """Its layout too, and how far the scan is; a state never comes back [forward-only]."""
        with_index(store)
        further = ADOPTION.advanced(cursor="17", rows=10, without_text=1)
        with store.begin() as tx:
            tx.adoptions.begin(ADOPTION)
            with pytest.raises(AlreadyExistsError):
                tx.adoptions.begin(ADOPTION)
        with store.read() as view:
            assert view.adoptions.all(DOCS) == [ADOPTION]
            assert view.adoptions.get(DOCS, V2) is None
        with store.begin() as tx:
            tx.adoptions.advance(further)
            tx.adoptions.set_state(DOCS, V1, AdoptionState.ADOPTED, at=SOON)
        with store.read() as view:
            found = view.adoptions.get(DOCS, V1)
            assert found is not None
            assert (found.cursor, found.rows, found.without_text) == ("17", 10, 1)
            assert (found.state, found.finished_at) == (AdoptionState.ADOPTED, SOON)
        with pytest.raises(Exception, match="adoption_goes_forward"), store.begin() as tx:
            tx.adoptions.set_state(DOCS, V1, AdoptionState.SCANNING, at=SOON)
