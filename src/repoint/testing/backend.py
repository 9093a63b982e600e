"""The promises of ``ports.backend.Backend``, each as a test.

Subclass ``BackendSuite`` and ``CollectionSuite`` and give each the fixture ``place``.
"""

from __future__ import annotations

import dataclasses

import pytest

from repoint.domain.errors import (
    CollectionMissingError,
    FingerprintMismatchError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName
from repoint.domain.spec import AnnKind, AnnSpec, Distance
from repoint.testing.collections import (
    NAME,
    OTHER_SPACE,
    SPACE,
    Place,
    Version,
    contents,
    put,
    query,
    spec,
)
from repoint.testing.conformance import Suite

OTHER_NAME = CollectionName("docs_v2_bbbbbbbbbbbb")
ONE = Version(document="one", lsn=1, vectors=[[1, 0, 0]])


class BackendSuite(Suite):
    """What every backend promises; a concrete class brings the fixture ``place``."""

    @pytest.fixture
    def place(self) -> Place:
        """Where the backend under test keeps its collections."""
        raise NotImplementedError("give the class a fixture: place")

    def test_creating_twice_opens_what_is_there(self, place: Place) -> None:
        """[create-is-idempotent]."""
        backend = place.opened()
        put(backend.create(spec()), ONE)
        assert contents(backend.create(spec())) == {("one", 0): 1}

    def test_a_name_taken_by_another_release_is_refused(self, place: Place) -> None:
        """[create-is-idempotent]: only for the same fingerprint."""
        backend = place.opened()
        put(backend.create(spec()), ONE)
        with pytest.raises(FingerprintMismatchError) as caught:
            backend.create(spec(fingerprint=OTHER_SPACE))
        assert (caught.value.expected, caught.value.found) == (OTHER_SPACE, SPACE)
        assert contents(backend.open(NAME, fingerprint=SPACE)) == {("one", 0): 1}

    def test_a_collection_opens_only_with_its_own_fingerprint(self, place: Place) -> None:
        """[fingerprint-checked]."""
        backend = place.opened()
        backend.create(spec())
        with pytest.raises(FingerprintMismatchError):
            backend.open(NAME, fingerprint=OTHER_SPACE)

    def test_a_collection_that_is_not_there_is_said_to_be_missing(self, place: Place) -> None:
        """``open`` never makes one."""
        backend = place.opened()
        with pytest.raises(CollectionMissingError):
            backend.open(NAME, fingerprint=SPACE)
        assert not backend.collections()

    @pytest.mark.parametrize("distance", Distance)
    def test_a_spec_is_read_back_as_it_was_given(
        self, place: Place, distance: Distance
    ) -> None:
        """What the database holds decides, not what the caller believes."""
        backend = place.opened()
        if distance not in backend.capabilities.distances:
            with pytest.raises(UnsupportedError):
                backend.create(spec(distance=distance))
            return
        given = dataclasses.replace(
            spec(dimensions=5, distance=distance, lexical=backend.capabilities.lexical),
            ann=AnnSpec(kind=AnnKind.FLAT),
        )
        backend.create(given)
        assert place.opened().open(NAME, fingerprint=SPACE).spec == given

    def test_text_search_that_is_not_there_is_refused_at_creation(self, place: Place) -> None:
        """A hybrid release learns it before anything is embedded."""
        backend = place.opened()
        if backend.capabilities.lexical:
            assert backend.create(spec(lexical=True)).spec.lexical
        else:
            with pytest.raises(UnsupportedError):
                backend.create(spec(lexical=True))

    def test_dropping_deletes_for_good_and_twice_is_no_error(self, place: Place) -> None:
        """[drop-is-idempotent]."""
        backend = place.opened()
        put(backend.create(spec()), ONE)
        backend.drop(NAME)
        backend.drop(NAME)
        assert not backend.collections()
        with pytest.raises(CollectionMissingError):
            backend.open(NAME, fingerprint=SPACE)

    def test_a_collection_made_anew_is_empty(self, place: Place) -> None:
        """Nothing of a dropped collection comes back with its name."""
        backend = place.opened()
        put(backend.create(spec()), ONE)
        backend.drop(NAME)
        again = backend.create(spec())
        assert again.counts().chunks == 0
        assert again.search(query(1, 0, 0), limit=5) == []

    def test_collections_are_named(self, place: Place) -> None:
        """Those that repoint made here, and no others."""
        backend = place.opened()
        backend.create(spec())
        backend.create(spec(name=OTHER_NAME, fingerprint=OTHER_SPACE))
        assert sorted(backend.collections()) == [NAME, OTHER_NAME]

    def test_collections_do_not_mix(self, place: Place) -> None:
        """Each answers from its own vectors."""
        backend = place.opened()
        first = backend.create(spec())
        second = backend.create(spec(name=OTHER_NAME, fingerprint=OTHER_SPACE))
        put(first, ONE)
        put(second, Version(document="two", lsn=1, vectors=[[1, 0, 0]]))
        assert contents(first) == {("one", 0): 1}
        assert contents(second) == {("two", 0): 1}

    def test_an_alias_moves_in_one_step_or_is_refused(self, place: Place) -> None:
        """``Capabilities.aliases`` says which."""
        backend = place.opened()
        backend.create(spec())
        backend.create(spec(name=OTHER_NAME, fingerprint=OTHER_SPACE))
        assert backend.alias_target("docs") is None
        if not backend.capabilities.aliases:
            with pytest.raises(UnsupportedError):
                backend.set_alias("docs", NAME)
            assert backend.alias_target("docs") is None
            return
        backend.set_alias("docs", NAME)
        assert backend.alias_target("docs") == NAME
        backend.set_alias("docs", OTHER_NAME)
        assert backend.alias_target("docs") == OTHER_NAME

    def test_collections_outlive_their_handles(self, place: Place) -> None:
        """``Capabilities.durable``; closing is no deletion either way."""
        backend = place.opened()
        put(backend.create(spec()), ONE)
        if backend.capabilities.durable:
            backend.close()
            backend = place.opened()
        assert contents(backend.open(NAME, fingerprint=SPACE)) == {("one", 0): 1}

    def test_handles_see_what_others_write(self, place: Place) -> None:
        """[read-your-writes], also where the other has its own handle."""
        mine, other = place.opened(), place.opened()
        collection = mine.create(spec())
        seen = other.open(NAME, fingerprint=SPACE)
        put(collection, ONE)
        assert [hit.document for hit in seen.search(query(1, 0, 0), limit=5)] == ["one"]
        put(seen, Version(document="one", lsn=2, slots=1))
        assert collection.search(query(1, 0, 0), limit=5) == []
